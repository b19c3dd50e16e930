"""Changes to namespaces and workloads, against a small API server."""

from collections.abc import Iterator

import pytest

from tasks.adapters.changes import KubernetesChanges
from tasks.adapters.kubernetes_api import Conflict
from tasks.domain.errors import LeaseLostError, RefusedError
from tasks.domain.inventory import Kind, Pod, WorkloadRef
from tests.unit.api_server import ApiServer, Refusal, Request, Stopped, connected, serving

SHOP = "/api/v1/namespaces/shop"
CART = "/apis/apps/v1/namespaces/shop/deployments/cart"
POD = f"{SHOP}/pods/cart-1"
AT = "2025-11-24T10:00:00Z"


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with serving() as running:
        yield running


@pytest.fixture
def changes(server: ApiServer) -> Iterator[KubernetesChanges]:
    with connected(server) as api:
        yield KubernetesChanges(api)


def workload(kind: Kind, name: str = "cart") -> WorkloadRef:
    return WorkloadRef(namespace="shop", kind=kind, name=name)


def test_a_namespace_is_relabelled_in_one_request(
    server: ApiServer, changes: KubernetesChanges
) -> None:
    server.put(SHOP, {"metadata": {"labels": {"istio-injection": "enabled", "team": "a"}}})

    changes.label_namespace(
        "shop",
        labels={"istio.io/rev": "1-29-1", "istio-injection": None},
        annotations={"istio-canary.io/previous": "{}"},
    )

    metadata = server.objects[SHOP]["metadata"]
    assert metadata["labels"] == {"istio.io/rev": "1-29-1", "team": "a"}
    assert metadata["annotations"] == {"istio-canary.io/previous": "{}"}
    assert len(server.requests) == 1


def test_a_namespace_that_is_not_there_is_refused(changes: KubernetesChanges) -> None:
    with pytest.raises(RefusedError, match="404 to PATCH /api/v1/namespaces/shop"):
        changes.label_namespace("shop", labels={"a": "b"}, annotations={})


@pytest.mark.parametrize(
    ("kind", "plural"),
    [
        (Kind.DEPLOYMENT, "deployments"),
        (Kind.STATEFUL_SET, "statefulsets"),
        (Kind.DAEMON_SET, "daemonsets"),
    ],
)
def test_a_workload_restarts_through_its_template(
    server: ApiServer, changes: KubernetesChanges, kind: Kind, plural: str
) -> None:
    path = f"/apis/apps/v1/namespaces/shop/{plural}/cart"
    server.put(path, {"spec": {"replicas": 2, "template": {"metadata": {"labels": {"a": "b"}}}}})

    changes.restart(workload(kind), at=AT)

    assert server.objects[path]["spec"] == {
        "replicas": 2,
        "template": {
            "metadata": {
                "labels": {"a": "b"},
                "annotations": {"kubectl.kubernetes.io/restartedAt": AT},
            }
        },
    }


def test_the_same_restart_twice_is_one_restart(
    server: ApiServer, changes: KubernetesChanges
) -> None:
    server.put(CART, {"spec": {"template": {}}})
    changes.restart(workload(Kind.DEPLOYMENT), at=AT)
    version = server.objects[CART]["metadata"]["resourceVersion"]

    changes.restart(workload(Kind.DEPLOYMENT), at=AT)

    assert server.objects[CART]["metadata"]["resourceVersion"] == version


def test_a_restart_says_which_generation_it_made(
    server: ApiServer, changes: KubernetesChanges
) -> None:
    server.put(CART, {"metadata": {"generation": 7}, "spec": {"template": {}}})

    assert changes.restart(workload(Kind.DEPLOYMENT), at=AT) == 7


def test_an_argo_rollout_restarts_by_its_own_field(
    server: ApiServer, changes: KubernetesChanges
) -> None:
    path = "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/cart"
    server.put(path, {"spec": {"replicas": 1}})

    changes.restart(workload(Kind.ROLLOUT), at=AT)

    assert server.objects[path]["spec"] == {"replicas": 1, "restartAt": AT}


def test_a_job_is_never_restarted(server: ApiServer, changes: KubernetesChanges) -> None:
    with pytest.raises(RefusedError, match="shop/Job/cart cannot be restarted"):
        changes.restart(workload(Kind.JOB), at=AT)

    assert server.requests == []


def test_a_pod_is_deleted_by_its_uid(server: ApiServer, changes: KubernetesChanges) -> None:
    server.put(POD, {"metadata": {"uid": "one"}})

    changes.delete_pod(Pod(namespace="shop", name="cart-1", uid="one"))

    assert POD not in server.objects


def test_a_pod_that_is_gone_is_no_error(changes: KubernetesChanges) -> None:
    changes.delete_pod(Pod(namespace="shop", name="cart-1", uid="one"))


def test_another_pod_of_the_same_name_is_left_alone(
    server: ApiServer, changes: KubernetesChanges
) -> None:
    server.put(POD, {"metadata": {"uid": "two"}})

    changes.delete_pod(Pod(namespace="shop", name="cart-1", uid="one"))

    assert POD in server.objects


def test_a_conflict_about_our_own_pod_is_told(
    server: ApiServer, changes: KubernetesChanges
) -> None:
    def busy(_request: Request) -> dict[str, object]:
        raise Refusal(409, "Conflict", "try again")

    server.put(POD, {"metadata": {"uid": "one"}})
    server.answer("DELETE", "/pods/cart-1", busy)

    with pytest.raises(Conflict, match="try again"):
        changes.delete_pod(Pod(namespace="shop", name="cart-1", uid="one"))


def test_nothing_is_changed_without_the_lease(server: ApiServer) -> None:
    with connected(server, guard=Stopped()) as api:
        stopped = KubernetesChanges(api)

        with pytest.raises(LeaseLostError):
            stopped.restart(workload(Kind.DEPLOYMENT), at=AT)
        with pytest.raises(LeaseLostError):
            stopped.label_namespace("shop", labels={}, annotations={})
        with pytest.raises(LeaseLostError):
            stopped.delete_pod(Pod(namespace="shop", name="cart-1", uid="one"))

    assert server.requests == []
