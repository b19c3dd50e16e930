"""Brings up the clusters that are held to the contract: the rehearsal, or the one of the environment."""

import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from deployments.rehearsal.istioctl.programs import write_programs
from tests.contract.client import Client, Login
from tests.contract.istioctl import NEW, OLD, Istioctls
from tests.contract.place import Cluster
from tests.contract.rehearsed import READY

ROOT: Final = Path(__file__).parents[2]
# What the rehearsal needs of it: no gateway, and one istiod.
_OVERLAY: Final = """\
apiVersion: install.istio.io/v1alpha1
kind: IstioOperator
spec:
  profile: minimal
  values:
    pilot: {autoscaleEnabled: false}
"""


@contextmanager
def rehearsal(folder: Path, *arguments: str) -> Generator[Cluster]:
    """Run a rehearsal cluster in a process of its own, which ends when we do."""
    kubeconfig = folder / "kubeconfig"
    argv = [sys.executable, "-m", "tests.contract.rehearsed", str(kubeconfig), *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == READY
            istioctls = _rehearsed_istioctls(folder, kubeconfig)
            client = Client(Login.read(kubeconfig))
            yield Cluster(
                kind="rehearsal",
                client=client,
                kubeconfig=kubeconfig,
                istioctls=lambda: istioctls,
                seconds=30,
                every=0.02,
            )
            client.close()
        finally:
            process.communicate(timeout=20)


def _rehearsed_istioctls(folder: Path, kubeconfig: Path) -> Istioctls:
    overlay = folder / "overlay.yaml"
    overlay.write_text(_OVERLAY)
    programs = write_programs(folder / "istioctl")
    return Istioctls(programs=programs, overlay=overlay, kubeconfig=kubeconfig)


def real() -> Iterator[Cluster]:
    """Yield the cluster that the environment names; skip where there is none."""
    if "KUBECONFIG" not in os.environ:
        pytest.skip("no real cluster: KUBECONFIG is not set")
    kubeconfig = Path(os.environ["KUBECONFIG"])
    client = Client(Login.read(kubeconfig))
    yield Cluster(
        kind="real",
        client=client,
        kubeconfig=kubeconfig,
        istioctls=lambda: _real_istioctls(kubeconfig),
        seconds=60,
        every=0.2,
    )
    client.close()


def _real_istioctls(kubeconfig: Path) -> Istioctls:
    names = {version: f"ISTIOCTL_{version.replace('.', '_')}" for version in (OLD, NEW)}
    needed = ["REAL_MESH_ISTIO", *names.values()]
    if missing := [name for name in needed if not os.environ.get(name)]:
        pytest.skip(f"no real mesh: {', '.join(missing)} not set")
    return Istioctls(
        programs={version: Path(os.environ[name]) for version, name in names.items()},
        overlay=Path(os.environ["REAL_MESH_ISTIO"]),
        kubeconfig=kubeconfig,
    )
