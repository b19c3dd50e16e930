"""A workload that does not come up on the new revision takes its own wave back, and no other."""

import pytest

from tests.mesh import judge, manifests
from tests.mesh.cluster import NEW_REVISION, OLD_REVISION
from tests.mesh.kubectl import Kubectl
from tests.mesh.product import ROLLED_BACK, STOPPED, Product
from tests.mesh.waiting import until

pytestmark = pytest.mark.mesh

SHORT = {"rollout_seconds": 30}


def good(kubectl: Kubectl, *names: str) -> None:
    """Apply namespaces with one Deployment each that runs on any revision."""
    for name in names:
        kubectl.apply(
            manifests.enabled(name), manifests.workload("Deployment", "web", namespace=name)
        )


def bad(kubectl: Kubectl, name: str) -> None:
    """Apply a namespace with a Deployment that runs on the old revision only, and another."""
    kubectl.apply(
        manifests.namespace(name, {"istio.io/rev": OLD_REVISION, "team": "blue"}),
        manifests.workload(
            "Deployment", "picky", namespace=name, spec=manifests.works_only_on(OLD_REVISION)
        ),
        manifests.workload("Deployment", "web", namespace=name),
    )


def broken(kubectl: Kubectl, namespace: str) -> None:
    """Apply a Deployment that is never ready, on whatever revision."""
    kubectl.apply(
        manifests.workload(
            "Deployment",
            "broken",
            namespace=namespace,
            spec=manifests.never_ready(),
            more={"strategy": {"type": "Recreate"}},
        )
    )
    until(lambda: len(judge.pods(kubectl, namespace)) == 2, what="the broken pod is there")


def wait_for(kubectl: Kubectl, **pods: int) -> None:
    for name, count in pods.items():
        judge.wait_until_on(kubectl, OLD_REVISION, name, count=count)


def test_point_5_in_the_first_wave_everything_is_on_the_old_revision_again(
    kubectl: Kubectl, product: Product
) -> None:
    bad(kubectl, "bad")
    good(kubectl, "later")
    wait_for(kubectl, bad=2, later=1)
    untouched = judge.versions(kubectl, ["later"])

    ended = product.upgrade("--wave", "bad", parameters=product.parameters(timeouts=SHORT))

    ended.exited(ROLLED_BACK)
    assert "picky" in ended.story
    assert "ready" in ended.story
    judge.assert_on(kubectl, OLD_REVISION, "bad", count=2)
    judge.assert_on(kubectl, OLD_REVISION, "later", count=1)
    assert judge.labels(kubectl, "bad") == {"istio.io/rev": OLD_REVISION}
    assert kubectl.get("namespace", "bad")["metadata"]["labels"]["team"] == "blue"
    assert judge.versions(kubectl, ["later"]) == untouched
    judge.assert_default_is(kubectl, OLD_REVISION)


def test_point_5_in_the_second_wave_the_first_stays_moved_though_not_all_of_it_was_ever_ready(
    kubectl: Kubectl, product: Product
) -> None:
    bad(kubectl, "bad")
    good(kubectl, "first", "later")
    wait_for(kubectl, bad=2, first=1, later=1)
    broken(kubectl, "first")
    untouched = judge.versions(kubectl, ["later"])

    ended = product.upgrade(
        *("--wave", "first", "--wave", "bad"), parameters=product.parameters(timeouts=SHORT)
    )

    ended.exited(STOPPED)
    assert "picky" in ended.story
    assert set(judge.revisions(kubectl, "first").values()) == {NEW_REVISION}
    judge.assert_on(kubectl, OLD_REVISION, "bad", count=2)
    assert judge.labels(kubectl, "bad") == {"istio.io/rev": OLD_REVISION}
    assert judge.versions(kubectl, ["later"]) == untouched
    judge.assert_default_is(kubectl, OLD_REVISION)
