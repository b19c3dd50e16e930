"""
What a running mesh taught, point by point, where no other test here shows it.

Shown elsewhere: 2 and 10 where the removal is refused, 5 by failing workloads, 7 by rollback, 8 and
10 where the dashboard's run moves a tag, 11 by the seed's story (nothing is left, not even Leases).
"""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.mesh import judge, manifests, rights
from tests.mesh.cluster import NEW_REVISION, OLD_REVISION, Mesh
from tests.mesh.kubectl import Json, Kubectl
from tests.mesh.product import BLOCKED, DONE, ROLLED_BACK, STOPPED, Product

pytestmark = pytest.mark.mesh

SHORT = {"rollout_seconds": 30, "removal_seconds": 15, "proxies_seconds": 30}


def up(kubectl: Kubectl, namespace: str, *, count: int, revision: str = OLD_REVISION) -> None:
    judge.wait_until_on(kubectl, revision, namespace, count=count)


def shop(kubectl: Kubectl) -> None:
    kubectl.apply(
        manifests.enabled("shop"), manifests.workload("Deployment", "web", namespace="shop")
    )
    up(kubectl, "shop", count=1)


def said_by_plan(product: Product) -> str:
    """Return all that `plan` says. It changes nothing."""
    flags = product.flags()
    ended = product.run("plan", *flags, seconds=120)
    assert ended.code in {DONE, BLOCKED}, ended
    return ended.out + ended.err


def test_point_1_every_istiod_of_every_revision_is_asked(mesh: Mesh, product: Product) -> None:
    kubectl = mesh.kubectl
    mesh.new.install(NEW_REVISION)
    shop(kubectl)
    kubectl.apply(
        manifests.namespace("bank", {"istio.io/rev": NEW_REVISION}),
        manifests.workload("Deployment", "web", namespace="bank"),
    )
    up(kubectl, "bank", count=1, revision=NEW_REVISION)

    said = product.on_cluster("audit", "-o", "json").exited(DONE)

    assert OLD_REVISION in said.out
    assert NEW_REVISION in said.out
    assert "test-1" not in said.out


def test_point_3_a_namespace_where_no_new_pod_may_be_made_is_left_as_it_was(
    kubectl: Kubectl, product: Product
) -> None:
    shop(kubectl)
    kubectl.apply(manifests.quota("shop", pods=1))

    ended = product.upgrade(parameters=product.parameters(timeouts=SHORT))

    assert ended.code in {BLOCKED, ROLLED_BACK}, ended
    assert "quota" in ended.out + ended.err
    assert judge.labels(kubectl, "shop") == {"istio-injection": "enabled"}
    assert judge.replica_sets(kubectl, "shop") == {"web": 1}
    judge.assert_on(kubectl, OLD_REVISION, "shop", count=1)


def every_kind() -> list[Json]:
    """Return what a restart moves, what it moves only with help, and what it does not move."""
    on_delete = {"updateStrategy": {"type": "OnDelete"}}
    return [
        manifests.enabled("shop"),
        manifests.workload("Deployment", "web", namespace="shop"),
        manifests.workload(
            "Deployment", "recreated", namespace="shop", more={"strategy": {"type": "Recreate"}}
        ),
        manifests.workload("StatefulSet", "kept", namespace="shop", replicas=2, more=on_delete),
        manifests.workload("DaemonSet", "agent", namespace="shop", more=on_delete),
        manifests.workload("Deployment", "none", namespace="shop", replicas=0),
        manifests.workload("Deployment", "paused", namespace="shop"),
        manifests.job("import", namespace="shop"),
    ]


def test_points_4_and_6_each_kind_is_moved_by_its_own_means_and_judged_by_its_pods(
    kubectl: Kubectl, product: Product
) -> None:
    kubectl.apply(*every_kind())
    count = 6 + len(kubectl.items("nodes"))
    up(kubectl, "shop", count=count)
    kubectl("rollout", "pause", "deployment/paused", "-n", "shop")

    ended = product.upgrade(parameters=product.parameters(timeouts=SHORT)).exited(STOPPED)

    where = judge.revisions(kubectl, "shop")
    stayed = {name.split("-")[0] for name, revision in where.items() if revision == OLD_REVISION}
    assert stayed == {"paused", "import"}
    assert set(where.values()) == {OLD_REVISION, NEW_REVISION}
    assert all(name in ended.story for name in stayed), ended
    assert OLD_REVISION in judge.control_planes(kubectl)


def test_point_9_an_uninstall_that_would_take_something_else_along_is_refused(
    kubectl: Kubectl, product: Product
) -> None:
    shop(kubectl)
    labels = {  # what istioctl chooses by, in every namespace
        "istio.io/rev": OLD_REVISION,
        "operator.istio.io/component": "Pilot",
        "install.operator.istio.io/owning-resource-namespace": judge.SYSTEM,
    }
    precious = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "precious", "namespace": "shop", "labels": labels},
    }
    kubectl.apply(precious)

    ended = product.upgrade()  # long enough for an istiod that has just started to be believed

    assert ended.code in {BLOCKED, STOPPED}, ended
    assert "precious" in ended.out + ended.err
    assert kubectl.get("configmap", "precious", namespace="shop")
    assert OLD_REVISION in judge.control_planes(kubectl)


def test_points_12_and_14_the_plan_names_gateways_and_what_does_not_come_back(
    kubectl: Kubectl, product: Product
) -> None:
    kubectl.apply(manifests.namespace("edge"), manifests.gateway("front", namespace="edge"))
    up(kubectl, "edge", count=1)

    said = said_by_plan(product)

    assert "front" in said
    assert "gateway" in said.lower()
    assert "CustomResourceDefinition" in said or "CRD" in said


def test_point_13_a_configuration_that_envoy_rejects_takes_the_wave_back(
    kubectl: Kubectl, product: Product
) -> None:
    shop(kubectl)
    kubectl.apply(manifests.rejected_by_envoy("shop", revision=NEW_REVISION))

    product.upgrade(parameters=product.parameters(timeouts=SHORT)).exited(ROLLED_BACK)

    judge.assert_on(kubectl, OLD_REVISION, "shop", count=1)
    assert judge.labels(kubectl, "shop") == {"istio-injection": "enabled"}


def test_point_15_rights_that_are_missing_are_found_before_anything_changes(
    kubectl: Kubectl, product: Product, tmp_path: Path
) -> None:
    shop(kubectl)
    theirs = rights.kubeconfig(kubectl, tmp_path / "somebody", rights.role(port_forward=False))
    somebody = replace(product, mesh=replace(product.mesh, kubectl=theirs))
    before = judge.versions(kubectl, ["shop", judge.SYSTEM])

    planned = said_by_plan(somebody)
    audited = somebody.on_cluster("audit", "-o", "json").exited(DONE)
    blocked = somebody.upgrade()

    assert "port" in planned.lower()
    assert "prox" in audited.out.lower()
    assert blocked.code == BLOCKED, blocked
    assert "portforward" in blocked.out + blocked.err
    assert judge.versions(kubectl, ["shop", judge.SYSTEM]) == before
