"""Until the uninstall, one command takes everything back to where it was."""

from dataclasses import dataclass

import pytest

from tests.mesh import judge, manifests
from tests.mesh.cluster import NEW_REVISION, OLD_REVISION, Mesh
from tests.mesh.kubectl import Json, Kubectl
from tests.mesh.product import DONE, ROLLED_BACK, Ended, Product

pytestmark = pytest.mark.mesh

LABELS = {
    "first": {"istio-injection": "enabled"},
    "second": {"istio-injection": "enabled", "istio.io/rev": "whatever"},
}


@dataclass(frozen=True, kw_only=True)
class Before:
    """What has to be as it was."""

    revision: str
    webhooks: dict[str, Json]


def settle(kubectl: Kubectl) -> Before:
    """Apply two namespaces and return what there is when their pods are up."""
    revision = next(iter(judge.control_planes(kubectl)))
    labels = LABELS | {"third": {"istio.io/rev": revision}}
    for name, said in labels.items():
        kubectl.apply(
            manifests.namespace(name, said), manifests.workload("Deployment", "web", namespace=name)
        )
    for name in labels:
        judge.wait_until_on(kubectl, revision, name, count=1)
    return Before(revision=revision, webhooks=judge.webhooks(kubectl))


def assert_as_before(kubectl: Kubectl, before: Before) -> None:
    """Labels, pods, default, validator and webhooks are as they were, and the canary is gone."""
    for name, said in (LABELS | {"third": {"istio.io/rev": before.revision}}).items():
        assert judge.labels(kubectl, name) == said
        judge.assert_on(kubectl, before.revision, name, count=1)
    judge.assert_default_is(kubectl, before.revision)
    assert judge.control_planes(kubectl) == {before.revision}
    assert judge.leftovers(kubectl, NEW_REVISION) == []
    assert judge.webhooks(kubectl) == before.webhooks


def roll_back(product: Product) -> Ended:
    ended = product.on_cluster("rollback", "-o", "json", "--istioctl", str(product.mesh.new.path))
    assert ended.code in {DONE, ROLLED_BACK}, ended
    return ended.exited(ended.code)


def test_point_7_rollback_after_the_first_wave(kubectl: Kubectl, product: Product) -> None:
    before = settle(kubectl)
    running = product.start_upgrade("--wave", "first", "--gates", "wave")
    product.waiting_at("wave-2", running)
    judge.assert_on(kubectl, NEW_REVISION, "first", count=1)

    roll_back(product)

    running.wait()
    assert_as_before(kubectl, before)


@pytest.mark.parametrize(
    "mesh",
    [
        pytest.param(OLD_REVISION, id="to-revision-1-28-3-when-the-canary-is-dead"),
        pytest.param("default", id="to-an-unrevisioned-one"),
    ],
    indirect=True,
)
def test_point_7_rollback_after_the_default_has_moved(mesh: Mesh, product: Product) -> None:
    kubectl = mesh.kubectl
    before = settle(kubectl)
    product.upgrade("--keep-old").exited(DONE)
    judge.assert_default_is(kubectl, NEW_REVISION)
    judge.assert_on(kubectl, NEW_REVISION, "first", count=1)
    assert before.revision in judge.control_planes(kubectl)
    if before.revision == OLD_REVISION:
        kill_the_canary(kubectl)  # nothing may be asked of it on the way back

    roll_back(product)

    assert_as_before(kubectl, before)


def kill_the_canary(kubectl: Kubectl) -> None:
    canary = f"deployment/{judge.istiod(NEW_REVISION)}"
    kubectl("scale", canary, "-n", judge.SYSTEM, "--replicas=0")
    gone = ("-l", f"app=istiod,istio.io/rev={NEW_REVISION}", "--for=delete", "--timeout=60s")
    kubectl("wait", "pods", "-n", judge.SYSTEM, *gone)
