"""What an inventory says of pods, their proxies and owners, and of workloads."""

import pytest

from tasks.domain.inventory import Kind, Pod, Workload, WorkloadRef
from tests.unit.cluster_answers import (
    INJECTED,
    PROXY,
    Object,
    meta,
    owned_by,
    pod,
    read,
)


def the_pod(found: Object, **lists: list[Object]) -> Pod:
    asked = {f"/apis/apps/v1/{plural}": objects for plural, objects in lists.items()}
    return read({"/api/v1/pods": [found], **asked}).pods[0]


def the_workload(plural: str, found: Object) -> Workload:
    return read({f"/apis/apps/v1/{plural}": [found]}).workloads[0]


# ---------------------------------------------------------------- proxies


@pytest.mark.parametrize(
    ("spec", "annotations", "revision"),
    [
        pytest.param(PROXY, {"sidecar.istio.io/status": INJECTED}, "1-28-3", id="injected"),
        pytest.param({}, {}, None, id="no proxy"),
        pytest.param({}, {"istio.io/rev": "1-28-3"}, None, id="a mark without a proxy"),
        pytest.param(
            {},
            {"sidecar.istio.io/status": INJECTED},
            None,
            id="an annotation copied into a template",
        ),
        pytest.param(
            PROXY, {"istio.io/rev": "1-29-1"}, "1-29-1", id="a proxy that istiod deployed"
        ),
        pytest.param(PROXY, {}, "unknown", id="a proxy that says nothing"),
        pytest.param(
            PROXY,
            {"sidecar.istio.io/status": "{junk", "istio.io/rev": "1-29-1"},
            "1-29-1",
            id="junk in the annotation, and a mark",
        ),
        pytest.param(PROXY, {"sidecar.istio.io/status": "[1]"}, "unknown", id="junk alone"),
        pytest.param(
            PROXY, {"sidecar.istio.io/status": '{"revision":5}'}, "unknown", id="a number"
        ),
        pytest.param(
            {"initContainers": [{"name": "grpc-bootstrap-init"}]},
            {
                "sidecar.istio.io/status": (
                    '{"revision":"1-28-3","initContainers":["grpc-bootstrap-init"]}'
                )
            },
            "1-28-3",
            id="proxyless gRPC",
        ),
    ],
)
def test_a_pods_revision_is_what_its_injector_left(
    spec: Object, annotations: Object, revision: str | None
) -> None:
    assert the_pod(pod(spec=spec, annotations=annotations)).revision == revision


@pytest.mark.parametrize(
    ("labels", "annotations", "is_gateway"),
    [
        (
            {"gateway.networking.k8s.io/gateway-name": "gw", "sidecar.istio.io/inject": "false"},
            {},
            True,
        ),
        ({"gateway.istio.io/managed": "istio.io-mesh-controller"}, {}, True),
        ({}, {"inject.istio.io/templates": "custom, gateway"}, True),
        ({}, {"inject.istio.io/templates": "gateway-like"}, False),
        ({}, {}, False),
    ],
)
def test_a_gateway_is_a_proxy_also_where_its_pod_says_not_to_inject(
    labels: Object, annotations: Object, is_gateway: bool
) -> None:
    marks = {"istio.io/rev": "1-28-3", **annotations}
    found = the_pod(pod(spec=PROXY, labels=labels, annotations=marks))
    assert (found.revision, found.is_gateway) == ("1-28-3", is_gateway)


# ---------------------------------------------------------------- owners


@pytest.mark.parametrize(
    ("reference", "kind", "name"),
    [
        (owned_by("StatefulSet", "db"), Kind.STATEFUL_SET, "db"),
        (owned_by("DaemonSet", "agent"), Kind.DAEMON_SET, "agent"),
        (owned_by("Job", "nightly-123", "batch/v1"), Kind.JOB, "nightly-123"),
        (owned_by("StatefulSet", "db", "apps.kruise.io/v1beta1"), Kind.OTHER, "db"),
        (owned_by("Node", "node-1", "v1"), Kind.OTHER, "node-1"),
        (owned_by("ReplicaSet", "gone-5d8f"), Kind.REPLICA_SET, "gone-5d8f"),
        ([], Kind.POD, "p"),
        ([{"kind": "Thing", "name": "x", "apiVersion": "v1", "uid": "u"}], Kind.POD, "p"),
    ],
)
def test_a_pod_belongs_to_its_controller(reference: list[Object], kind: Kind, name: str) -> None:
    found = the_pod(pod(ownerReferences=reference))
    assert found.workload == WorkloadRef(namespace="shop", kind=kind, name=name)


@pytest.mark.parametrize(
    ("reference", "kind", "name"),
    [
        (owned_by("Deployment", "cart"), Kind.DEPLOYMENT, "cart"),
        (owned_by("Rollout", "cart", "argoproj.io/v1alpha1"), Kind.ROLLOUT, "cart"),
        ([], Kind.REPLICA_SET, "cart-5d8f"),
    ],
)
def test_a_pod_belongs_to_whoever_keeps_its_replica_set(
    reference: list[Object], kind: Kind, name: str
) -> None:
    found = the_pod(
        pod(ownerReferences=owned_by("ReplicaSet", "cart-5d8f")),
        replicasets=[{"metadata": meta("cart-5d8f", ownerReferences=reference)}],
    )
    assert found.workload == WorkloadRef(namespace="shop", kind=kind, name=name)


def test_a_pod_finds_its_deployment_also_while_the_replica_set_is_not_seen() -> None:
    found = the_pod(
        pod(
            labels={"pod-template-hash": "5d8f"},
            ownerReferences=owned_by("ReplicaSet", "cart-5d8f"),
        ),
        deployments=[{"metadata": meta("cart")}],
    )
    assert found.workload == WorkloadRef(namespace="shop", kind=Kind.DEPLOYMENT, name="cart")


# ---------------------------------------------------------------- pods


@pytest.mark.parametrize(
    ("status", "failure"),
    [
        ({"phase": "Running"}, None),
        (
            {
                "containerStatuses": [
                    {"name": "a", "state": {"waiting": {"reason": "ContainerCreating"}}}
                ]
            },
            None,
        ),
        (
            {
                "containerStatuses": [
                    {"name": "a", "state": {"running": {"startedAt": "2026-11-24T10:00:00Z"}}},
                    {
                        "name": "b",
                        "state": {
                            "waiting": {"reason": "CrashLoopBackOff", "message": "back-off\n10s"}
                        },
                    },
                ]
            },
            "CrashLoopBackOff: back-off 10s",
        ),
        (
            {
                "initContainerStatuses": [
                    {"name": "a", "state": {"waiting": {"reason": "ErrImagePull"}}}
                ]
            },
            "ErrImagePull",
        ),
        (
            {
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/1 nodes",
                    }
                ]
            },
            "Unschedulable: 0/1 nodes",
        ),
        ({"phase": "Failed", "reason": "Evicted", "message": "disk"}, "Evicted: disk"),
    ],
)
def test_a_pod_says_why_it_does_not_run(status: Object, failure: str | None) -> None:
    assert the_pod(pod(status=status)).failure == failure


def test_a_pod_is_read_with_its_state() -> None:
    found = the_pod(
        pod(
            "cart-1",
            labels={"app": "cart"},
            deletionTimestamp="2026-11-24T10:00:00Z",
            spec={"hostNetwork": True},
            status={"phase": "Pending", "conditions": [{"type": "Ready", "status": "Unknown"}]},
        )
    )
    assert found.labels == {"app": "cart"}
    assert (found.phase, found.is_ready, found.is_terminating) == ("Pending", False, True)
    assert found.is_host_network


# ---------------------------------------------------------------- workloads


def test_a_deployment_without_anything_set_has_kubernetes_defaults() -> None:
    found = the_workload("deployments", {"metadata": meta("cart")})
    assert (found.replicas, found.ready, found.strategy) == (1, 0, "RollingUpdate")
    assert (found.is_paused, found.failure, found.owner) == (False, None, None)


def test_a_daemon_set_wants_as_many_pods_as_it_has_nodes() -> None:
    status = {"desiredNumberScheduled": 3, "numberReady": 2}
    spec = {"updateStrategy": {"type": "OnDelete"}}
    found = the_workload("daemonsets", {"metadata": meta("agent"), "spec": spec, "status": status})
    assert (found.replicas, found.ready, found.strategy) == (3, 2, "OnDelete")


def test_a_stateful_set_has_a_partition_and_perhaps_an_owner() -> None:
    spec = {
        "replicas": 0,
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 2}},
    }
    owner = owned_by("Postgres", "db", "acid.zalan.do/v1")
    found = the_workload(
        "statefulsets", {"metadata": meta("db", ownerReferences=owner), "spec": spec}
    )
    assert (found.replicas, found.partition, found.owner) == (0, 2, "Postgres/db")


@pytest.mark.parametrize(
    ("conditions", "failure", "is_stalled"),
    [
        ([{"type": "Progressing", "status": "Unknown", "reason": "DeploymentPaused"}], None, False),
        (
            [
                {
                    "type": "Progressing",
                    "status": "False",
                    "reason": "Deadline",
                    "message": "timed out",
                }
            ],
            "Deadline: timed out",
            True,
        ),
        (
            [
                {
                    "type": "ReplicaFailure",
                    "status": "True",
                    "reason": "FailedCreate",
                    "message": "quota",
                }
            ],
            "FailedCreate: quota",
            False,
        ),
        (
            [
                {"type": "Progressing", "status": "False", "reason": "Deadline", "message": "late"},
                {
                    "type": "ReplicaFailure",
                    "status": "True",
                    "reason": "FailedCreate",
                    "message": "q",
                },
            ],
            "FailedCreate: q",
            True,
        ),
    ],
)
def test_a_deployment_says_what_is_wrong_and_whether_kubernetes_gave_up(
    conditions: list[Object], failure: str | None, is_stalled: bool
) -> None:
    found = the_workload(
        "deployments", {"metadata": meta("cart"), "status": {"conditions": conditions}}
    )
    assert (found.failure, found.is_stalled) == (failure, is_stalled)


def test_only_replica_sets_of_nobody_are_workloads() -> None:
    owned = {"metadata": meta("cart-1", ownerReferences=owned_by("Deployment", "cart"))}
    found = read({"/apis/apps/v1/replicasets": [owned, {"metadata": meta("lonely")}]})
    assert [str(one.ref) for one in found.workloads] == ["shop/ReplicaSet/lonely"]


def test_argo_rollouts_are_workloads_where_there_are_any() -> None:
    rollout = {
        "metadata": meta("cart", generation=4),
        "spec": {"replicas": 2, "strategy": {"canary": {}}, "paused": True},
        "status": {"readyReplicas": 2, "observedGeneration": "4"},
    }
    [found] = read({"/apis/argoproj.io/v1alpha1/rollouts": [rollout]}).workloads
    assert (found.ref.kind, found.observed_generation, found.generation) == (Kind.ROLLOUT, 4, 4)
    assert found.is_paused
