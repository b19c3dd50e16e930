"""
The cluster that each row is checked on, and how many rows held on it.

Every row runs on the rehearsal cluster, and once more, with `-m mesh`, on the real cluster of the
environment (KUBECONFIG, ISTIOCTL_1_28_3, ISTIOCTL_1_29_1, REAL_MESH_ISTIO).
"""

from collections import Counter
from collections.abc import Generator, Iterator

import pytest

from tests.contract import clusters
from tests.contract.mesh import Mesh
from tests.contract.place import Cluster, Place

_HELD = pytest.StashKey[Counter[str]]()
_TITLES = {"rehearsal": "the rehearsal cluster", "real": "the real mesh"}


@pytest.fixture(scope="session", params=["rehearsal", pytest.param("real", marks=pytest.mark.mesh)])
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """Return a cluster that is held to the contract."""
    if request.param == "real":
        yield from clusters.real()
        return
    with clusters.rehearsal(tmp_path_factory.mktemp("contract")) as found:
        yield found


@pytest.fixture
def place(cluster: Cluster) -> Iterator[Place]:
    """Return a namespace for one row."""
    place = cluster.place()
    yield place
    place.leave()


@pytest.fixture(scope="session")
def mesh(cluster: Cluster) -> Mesh:
    """Return Istio in that cluster, in the state that the rows before have left."""
    return Mesh(cluster=cluster)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Count the rows that hold, by the kind of cluster."""
    report = yield
    where = _where(item)
    if where and report.when == "call" and report.passed:
        item.config.stash.setdefault(_HELD, Counter())[where] += 1
    return report


def _where(item: pytest.Item) -> str:
    callspec = getattr(item, "callspec", None)
    return str(callspec.params.get("cluster", "")) if callspec else ""


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Say how many rows of the contract held, and where."""
    for where, count in config.stash.get(_HELD, Counter()).items():
        terminalreporter.write_line(f"contract: {count} rows held on {_TITLES[where]}")
