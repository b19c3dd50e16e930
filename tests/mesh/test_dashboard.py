"""What an operator sees of a finished run on Prefect's own dashboard."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.mesh import cluster, judge, manifests, scheduler
from tests.mesh.cluster import NEW_REVISION, OLD_REVISION, Mesh
from tests.mesh.kubectl import Json, Kubectl
from tests.mesh.product import DONE, Product

pytestmark = pytest.mark.mesh

BEFORE = {
    "alpha": {"istio-injection": "enabled"},
    "bank": {"istio.io/rev": "stable"},
    "shop": {"istio.io/rev": OLD_REVISION},
}
ARTIFACTS = ("finding", "plan", "progress", "prox", "decision", "report")


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A finished run, and Prefect's API on what was recorded of it."""

    kubectl: Kubectl
    api: scheduler.Api
    flow_run: str


@pytest.fixture(scope="module")
def finished(
    any_mesh: Mesh, home: Path, tmp_path_factory: pytest.TempPathFactory, _server_ends: None
) -> Iterator[Finished]:
    """Upgrade in two waves, the second of two namespaces."""
    mesh = cluster.started(any_mesh, OLD_REVISION)
    settle(mesh)
    product = Product(mesh=mesh, home=home, files=tmp_path_factory.mktemp("dashboard"))
    ended = product.upgrade("--wave", "alpha").exited(DONE)
    product.stop_server()
    with scheduler.server(home / "prefect") as api:
        yield Finished(kubectl=mesh.kubectl, api=api, flow_run=ended.flow_runs[-1])


def settle(mesh: Mesh) -> None:
    mesh.old("tag", "set", "stable", "--revision", OLD_REVISION)
    for name, labels in BEFORE.items():
        web = manifests.workload("Deployment", "web", namespace=name)
        mesh.kubectl.apply(manifests.namespace(name, labels), web)
    for name in BEFORE:
        judge.wait_until_on(mesh.kubectl, OLD_REVISION, name, count=1)


def test_points_8_and_10_a_tag_moves_and_every_namespace_says_what_it_said_before(
    finished: Finished,
) -> None:
    kubectl = finished.kubectl
    for name in BEFORE:
        judge.assert_on(kubectl, NEW_REVISION, name, count=1)
    tag = judge.targets(kubectl, judge.INJECTORS)["istio-revision-tag-stable"]
    assert tag == {judge.istiod(NEW_REVISION)}
    judge.assert_default_is(kubectl, NEW_REVISION)
    assert judge.labels(kubectl, "alpha") == BEFORE["alpha"]
    assert judge.labels(kubectl, "bank") == BEFORE["bank"]
    assert judge.labels(kubectl, "shop") == {"istio.io/rev": NEW_REVISION}
    assert judge.leftovers(kubectl, OLD_REVISION) == []


def nodes(graph: Json) -> dict[str, Json]:
    """Return the graph's nodes by id."""
    return dict(graph["nodes"])


def ancestors(graph: dict[str, Json], identity: str) -> set[str]:
    """Return everything that a node came after."""
    found: set[str] = set()
    todo = [identity]
    while todo:
        for parent in graph[todo.pop()]["parents"]:
            if parent["id"] not in found:
                found.add(parent["id"])
                todo.append(parent["id"])
    return found


def one(graph: dict[str, Json], *words: str) -> str:
    """Return the node whose name has all these words. There is one."""
    found = [i for i, node in graph.items() if all(word in node["label"] for word in words)]
    assert len(found) == 1, (words, [node["label"] for node in graph.values()])
    return found[0]


def test_the_graph_names_and_artifacts_tell_the_run(finished: Finished) -> None:
    prefect, flow_run = finished.api, finished.flow_run
    graph = nodes(prefect.graph(flow_run))
    for identity, node in sorted(graph.items(), key=lambda pair: pair[1]["start_time"]):
        print(identity[:8], node["label"], [parent["id"][:8] for parent in node["parents"]])

    assert_side_by_side(graph)
    assert_named(prefect, flow_run, graph)
    assert_artifacts(prefect, flow_run)


def assert_side_by_side(graph: dict[str, Json]) -> None:
    """The second wave's batches come after its gate, before the next, and not after one another."""
    gate, after = one(graph, "approval", "wave-2"), one(graph, "approval", "default")
    bank, shop = one(graph, "move", "bank"), one(graph, "move", "shop")
    first = one(graph, "move", "alpha")
    for batch, other in ((bank, shop), (shop, bank)):
        assert gate in ancestors(graph, batch)
        assert other not in ancestors(graph, batch)
        assert batch in ancestors(graph, after)
    assert first in ancestors(graph, gate)


def assert_named(prefect: scheduler.Api, flow_run: str, graph: dict[str, Json]) -> None:
    """Nothing has the name that Prefect makes up from a function's."""
    name = prefect.get(f"/flow_runs/{flow_run}")["name"]
    assert "1.29.1" in name, name
    unclear = [node["label"] for node in graph.values() if "_" in node["label"]]
    assert unclear == []


def assert_artifacts(prefect: scheduler.Api, flow_run: str) -> None:
    found = [
        f"{one['key']} {one.get('description') or ''}".lower()
        for one in prefect.artifacts(flow_run)
    ]
    missing = [word for word in ARTIFACTS if not any(word in text for text in found)]
    assert missing == [], found
