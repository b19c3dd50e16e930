"""
`python -m tests.mesh.on_rehearsal [PYTEST ARGUMENT...]`: the same tests on a rehearsal cluster.

All but those that need a data plane. kubectl has to be on the PATH; the istioctls are the rehearsal's.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.mesh.cluster import NEW, OLD
from tests.mesh.product import command
from tests.mesh.waiting import until

_ROOT = Path(__file__).parents[2]
_OVERLAY = "apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec: {profile: minimal}\n"
_TRIED = ("-m", "mesh and not traffic")


def main(arguments: Sequence[str]) -> int:
    """Start a rehearsal cluster, run the tests on it, and return pytest's exit code."""
    with tempfile.TemporaryDirectory(prefix="mesh-tests-") as folder:
        kubeconfig, overlay = Path(folder) / "kubeconfig", Path(folder) / "overlay.yaml"
        overlay.write_text(_OVERLAY)
        serving = [str(command()), "rehearse", "--serve-only", "--kubeconfig", str(kubeconfig)]
        log = Path(folder) / "cluster.log"
        with log.open("w") as file, subprocess.Popen(serving, stderr=file, stdout=file) as cluster:
            try:
                programs = until(
                    lambda: _programs(log.read_text()),
                    what="the rehearsal cluster is up",
                    seconds=60,
                )
                environment = {
                    "KUBECONFIG": str(kubeconfig),
                    "REAL_MESH_ISTIO": str(overlay),
                    "MESH_WITHOUT_TRAFFIC": "1",
                    **programs,
                }
                return _pytest(arguments, environment)
            finally:
                cluster.terminate()


def _programs(said: str) -> dict[str, str]:
    """Return where the cluster has put its istioctls, none before it says so."""
    words = said.split()
    found = {
        f"ISTIOCTL_{version.replace('.', '_')}": word
        for version in (OLD, NEW)
        for word in words
        if word.endswith(f"/istioctl-{version}")
    }
    return found if len(found) == 2 else {}


def _pytest(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "tests/mesh", *_TRIED, *arguments],
        env={**os.environ, **environment},
        cwd=_ROOT,
        check=False,
    )
    return ran.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
