"""The repository as the architecture tests see it."""

import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def read(name: str) -> str:
    """Return the text of a file, by its path from the root."""
    return (ROOT / name).read_text()


def _ignored_folders() -> set[str]:
    return {".git"} | {
        line.rstrip("/") for line in read(".gitignore").splitlines() if line.endswith("/")
    }


def files() -> Iterator[Path]:
    """Yield what a commit of everything would hold. Needs no git: an unpacked archive will do."""
    ignored = _ignored_folders()
    for folder, names, entries in os.walk(ROOT):
        names[:] = sorted(
            name for name in names if name not in ignored and not name.endswith(".egg-info")
        )
        yield from (Path(folder, entry) for entry in sorted(entries))


def modules(*folders: str) -> list[Path]:
    """Return the Python files below the given folders."""
    return [
        path
        for path in files()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in folders
    ]
