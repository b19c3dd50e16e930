"""Workloads that are about to be restarted."""

import msgspec
import pytest

from tasks.domain.findings import Finding, Severity
from tasks.domain.inventory import Kind, Workload
from tests.builders import MESH, NEW, budget, namespace, plane, pod, ref, tag, workload
from tests.unit.checks_cases import REV_NEW, REV_OLD, found, mesh, names, only

WARNS, INFORMS = Severity.WARNS, Severity.INFORMS


def restarting(kind: Kind = Kind.DEPLOYMENT, **changes: object) -> list[Finding]:
    """Return what is found about one workload of the old revision."""
    one = msgspec.structs.replace(workload(kind=kind), **changes)
    return found(mesh(workloads=(one,), pods=(pod(workload=one.ref),)))


def test_point_6_a_paused_deployment_is_a_finding() -> None:
    one = only(restarting(is_paused=True), WARNS, "paused-deployment:shop/Deployment/cart")
    assert "kubectl rollout resume deployment/cart -n shop" in one.todo


def test_a_paused_rollout_is_resumed_its_own_way() -> None:
    (one,) = restarting(Kind.ROLLOUT, is_paused=True)
    assert "kubectl argo rollouts promote cart -n shop" in one.todo


@pytest.mark.parametrize("kind", [Kind.STATEFUL_SET, Kind.DAEMON_SET])
def test_point_6_pods_that_are_replaced_on_delete_are_a_finding(kind: Kind) -> None:
    every = restarting(kind, strategy="OnDelete")
    one = only(every, WARNS, f"on-delete:shop/{kind}/cart")
    assert "the run deletes them one by one" in one.fact


def test_point_6_a_partition_is_a_finding() -> None:
    every = restarting(Kind.STATEFUL_SET, partition=1)
    one = only(every, WARNS, "partition:shop/StatefulSet/cart")
    assert "partition 1" in one.fact


def test_a_workload_that_ends_all_pods_first_is_a_warning() -> None:
    only(restarting(strategy="Recreate"), WARNS, "recreate:shop/Deployment/cart")


def test_the_only_pod_of_a_stateful_set_is_a_warning() -> None:
    every = restarting(Kind.STATEFUL_SET, replicas=1, ready=1)
    only(every, WARNS, "single-replica:shop/StatefulSet/cart")


def test_single_replicas_that_surge_are_noted_once_a_namespace() -> None:
    all_of_them = tuple(workload(name, replicas=1, ready=1) for name in "gfedcba")
    given = mesh(workloads=all_of_them, pods=tuple(pod(f"{name}-1") for name in "abcdefg"))
    one = only(found(given), INFORMS, "single-replicas:namespace/shop")
    assert "7 workloads of one replica will be restarted: a, b, c, d, e and 2 more" in one.fact


def test_a_single_replica_of_a_daemon_set_is_as_it_should_be() -> None:
    assert restarting(Kind.DAEMON_SET, replicas=1, ready=1) == []


def test_a_workload_that_is_not_ready_beforehand_is_a_warning_that_says_why() -> None:
    every = restarting(ready=0, failure="CrashLoopBackOff: back-off")
    one = only(every, WARNS, "not-ready:shop/Deployment/cart")
    assert "0 of 2 pods ready before anything is changed (CrashLoopBackOff: back-off)." in one.fact


def test_one_that_is_not_ready_for_no_known_reason_is_one_too() -> None:
    one = only(restarting(ready=1), WARNS, "not-ready:shop/Deployment/cart")
    assert one.fact.endswith("before anything is changed.")


def test_a_foreign_owner_is_a_warning() -> None:
    one = only(restarting(owner="Kafka/main"), WARNS, "foreign-owner:shop/Deployment/cart")
    assert "Kafka/main" in one.fact


def test_a_budget_that_is_used_up_is_a_warning_where_something_restarts() -> None:
    used_up = (
        budget(disruptions_allowed=0),
        budget("roomy"),
        budget("empty", disruptions_allowed=0, expected_pods=0),
        budget("elsewhere", "pay", disruptions_allowed=0),
    )
    one = only(
        found(mesh(budgets=used_up)), WARNS, "budget-exhausted:shop/PodDisruptionBudget/cart"
    )
    assert "a rolling restart does not ask it" in one.fact


@pytest.mark.parametrize(
    ("one", "its_pod"),
    [
        pytest.param(workload(is_paused=True), pod(phase="Succeeded"), id="all pods are over"),
        pytest.param(workload(is_paused=True), pod(is_terminating=True), id="all pods go"),
        pytest.param(
            workload(is_paused=True, is_host_network=True), pod(revision=None), id="no sidecar"
        ),
        pytest.param(
            workload(namespace="free", is_paused=True),
            pod(namespace="free", revision=None),
            id="in a namespace that does not move",
        ),
        pytest.param(
            workload(namespace="kube-system", is_paused=True),
            pod(namespace="kube-system"),
            id="in a namespace of Kubernetes' own",
        ),
        pytest.param(
            workload(kind=Kind.REPLICA_SET, is_paused=True),
            pod(workload=ref(kind=Kind.REPLICA_SET), revision=None),
            id="of a kind that no run restarts",
        ),
    ],
)
def test_what_is_not_restarted_is_not_judged(one: Workload, its_pod: object) -> None:
    spaces = (namespace(), namespace("free", labels={}), namespace("kube-system"))
    assert found(mesh(namespaces=spaces, workloads=(one,), pods=(its_pod,))) == []


def test_a_workload_that_is_due_for_a_sidecar_is_judged_before_it_has_one() -> None:
    given = mesh(workloads=(workload(is_paused=True),), pods=(pod(revision=None),))
    only(found(given), WARNS, "paused-deployment:shop/Deployment/cart")


@pytest.mark.parametrize(
    ("labels", "revision", "expected"),
    [
        pytest.param(REV_OLD, "1-28-3", True, id="names the old revision"),
        pytest.param(REV_NEW, "1-28-3", True, id="relabelled, but its pods are still old"),
        pytest.param(REV_NEW, NEW, False, id="has moved"),
        pytest.param({"istio.io/rev": "1-27-0"}, "1-27-0", False, id="is another revision's"),
    ],
)
def test_a_namespace_moves_if_it_follows_the_old_revision_or_its_pods_are_still_there(
    labels: dict[str, str], revision: str, *, expected: bool
) -> None:
    given = mesh(
        control_planes=(plane(), plane(NEW), plane("1-27-0", version="1.27.0")),
        namespaces=(namespace(labels=labels), namespace(MESH)),
        workloads=(workload(is_paused=True),),
        pods=(pod(revision=revision),),
        tags=(tag(),),
    )
    every = names(found(given, adopted=True))
    assert ("WARNS paused-deployment:shop/Deployment/cart" in every) is expected
