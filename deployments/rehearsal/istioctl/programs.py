"""Writes the executables: `istioctl-1.28.3` and `istioctl-1.29.1`."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from deployments.rehearsal.istioctl.main import VERSIONS

_ROOT: Final = Path(__file__).parents[3]
# The shell starts Python by whatever path it has, and Python reads the same file: so the command
# line shows the program's own path, as that of the real one does.
_SCRIPT: Final = """\
#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import sys

sys.path.insert(0, {root!r})

from deployments.rehearsal.istioctl.main import main

sys.exit(main(sys.argv[1:], version={version!r}))
"""


def write_programs(folder: Path) -> Mapping[str, Path]:
    """Write one program a version into a folder, and return where each is."""
    folder.mkdir(parents=True, exist_ok=True)
    return {version: _write(folder / f"istioctl-{version}", version) for version in VERSIONS}


def _write(path: Path, version: str) -> Path:
    script = _SCRIPT.format(python=sys.executable, root=str(_ROOT), version=version)
    path.write_text(script, encoding="utf-8")
    path.chmod(0o755)
    return path
