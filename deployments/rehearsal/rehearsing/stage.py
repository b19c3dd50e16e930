"""Sets the stage: a cluster with the old Istio and the scenario's pods in it, for a block."""

import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deployments.rehearsal.errors import WrongInputError
from deployments.rehearsal.istioctl.programs import write_programs
from deployments.rehearsal.rehearsing import old_istio
from deployments.rehearsal.rehearsing.asking import Asked
from deployments.rehearsal.rehearsing.cluster import Cluster
from deployments.rehearsal.rehearsing.view import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A cluster to work on."""

    cluster: Cluster
    url: str
    kubeconfig: Path
    istioctls: Mapping[str, Path]
    folder: Path  # for files that last as long as the cluster


@contextmanager
def set_up(asked: Asked, view: View) -> Generator[Stage]:
    """Start a cluster, fill it, and end it after the block."""
    with tempfile.TemporaryDirectory(prefix="istio-canary-rehearsal-") as name:
        folder = Path(name)
        kubeconfig = (asked.kubeconfig or folder / "kubeconfig").absolute()
        _check(kubeconfig)
        istioctls = write_programs(folder / "bin")
        cluster = Cluster(
            _arguments(asked, kubeconfig), log=folder / "cluster.log", hear=view.count
        )
        try:
            url = cluster.ready()
            if asked.scenario is not None:
                old_istio.install(asked.scenario.istio, istioctls, kubeconfig)
            cluster.load()
            yield Stage(
                cluster=cluster,
                url=url,
                kubeconfig=kubeconfig,
                istioctls=istioctls,
                folder=folder,
            )
        finally:
            cluster.stop()
            if asked.kubeconfig is not None:
                kubeconfig.unlink(missing_ok=True)  # it leads nowhere any more


def _check(kubeconfig: Path) -> None:
    """Refuse a file that holds something else, such as the way to a real cluster."""
    if kubeconfig.exists():
        raise WrongInputError(
            f"--kubeconfig {kubeconfig} is there already, and would be written over; "
            "name a file that is not there"
        )
    if not kubeconfig.parent.is_dir():
        raise WrongInputError(f"--kubeconfig {kubeconfig}: there is no folder {kubeconfig.parent}")


def _arguments(asked: Asked, kubeconfig: Path) -> list[str]:
    words = ["--kubeconfig", str(kubeconfig), "--port", str(asked.port)]
    words += ["--speed", str(asked.speed)]
    if asked.scenario is not None:
        words += ["--scenario", asked.scenario.source]
    return words + [word for fault in asked.faults for word in ("--fault", fault)]
