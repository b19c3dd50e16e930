"""
The cluster that each row is checked on, and how many rows held on it.

Every row runs on the rehearsal cluster, and once more, with `-m mesh`, on the real cluster of the
environment (KUBECONFIG, ISTIOCTL_1_28_3, ISTIOCTL_1_29_1, REAL_MESH_ISTIO).
"""

from collections.abc import Iterator

import pytest

from tests.contract import clusters
from tests.contract.mesh import Mesh
from tests.contract.place import Cluster, Place

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


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Note the kind of cluster in a row's report, for the rows that hold are counted by it."""
    callspec = getattr(item, "callspec", None)
    if callspec and (kind := callspec.params.get("cluster")):
        item.user_properties.append(("contract", _TITLES[kind]))
