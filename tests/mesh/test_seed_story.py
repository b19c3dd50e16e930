"""The seed's story: one namespace, one Deployment, 1.28.3 to 1.29.1, with nothing left behind."""

import time

import pytest

from tests.mesh import judge, manifests, traffic
from tests.mesh.cluster import NEW_REVISION, OLD_REVISION, Mesh
from tests.mesh.kubectl import Kubectl
from tests.mesh.product import DONE, Product
from tests.mesh.waiting import until

pytestmark = pytest.mark.mesh


def settle(kubectl: Kubectl, revision: str) -> None:
    """Apply the story and two clients, one in the mesh and one outside, and wait for an answer."""
    kubectl.apply(*manifests.sleep(), manifests.strict("test-ns"))
    kubectl.apply(manifests.enabled("inside"), manifests.client("inside"))
    kubectl.apply(manifests.namespace("outside"), manifests.client("outside"))
    judge.wait_until_on(kubectl, revision, "test-ns", count=2)
    judge.wait_until_on(kubectl, revision, "inside", count=1)
    if not traffic.is_carried():
        return
    sleep = judge.address(kubectl, "sleep", namespace="test-ns")
    until(
        lambda: judge.status(kubectl, "inside", asks=sleep) == "200",
        what="the mesh carries traffic",
    )


def assert_strict(kubectl: Kubectl) -> None:
    """A client in the mesh gets an answer, and one without a sidecar is refused; where there is traffic."""
    if not traffic.is_carried():
        return
    sleep = judge.address(kubectl, "sleep", namespace="test-ns")
    assert judge.status(kubectl, "inside", asks=sleep) == "200"
    refused = judge.status(kubectl, "outside", asks=sleep)
    assert (
        "reset" in refused.lower() or "closed" in refused.lower() or "error" in refused.lower()
    ), refused


def assert_moved(kubectl: Kubectl, old: str) -> None:
    judge.assert_on(kubectl, NEW_REVISION, "test-ns", count=2)
    judge.assert_on(kubectl, NEW_REVISION, "inside", count=1)
    judge.assert_acked(kubectl, NEW_REVISION)
    judge.assert_default_is(kubectl, NEW_REVISION)
    assert judge.control_planes(kubectl) == {NEW_REVISION}
    assert judge.leftovers(kubectl, old) == []
    assert judge.labels(kubectl, "test-ns") == {"istio-injection": "enabled"}
    assert judge.labels(kubectl, "inside") == {"istio-injection": "enabled"}
    assert judge.replica_sets(kubectl, "test-ns") == {"sleep": 2}
    assert judge.revisions(kubectl, "outside").popitem()[1] is None


@pytest.mark.parametrize(
    "mesh",
    [
        pytest.param(OLD_REVISION, id="from-revision-1-28-3"),
        pytest.param("default", id="from-an-unrevisioned-one"),
    ],
    indirect=True,
)
def test_point_11_the_seeds_story_ends_on_the_new_revision_with_nothing_of_the_old_one_left(
    mesh: Mesh, product: Product
) -> None:
    kubectl = mesh.kubectl
    old = next(iter(judge.control_planes(kubectl)))
    settle(kubectl, old)
    assert_strict(kubectl)
    began = time.monotonic()

    product.upgrade().exited(DONE)

    print(f"\nthe seed's story, {old} to {NEW_REVISION}: {time.monotonic() - began:.1f} s")
    assert_moved(kubectl, old)
    assert_strict(kubectl)
    before = judge.versions(kubectl, ["test-ns", "inside", "istio-system"])
    again = product.upgrade().exited(DONE)
    assert again.document["outcome"] == "NothingToDo"
    assert judge.versions(kubectl, ["test-ns", "inside", "istio-system"]) == before
