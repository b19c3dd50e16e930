"""What uses the old revision and that no run moves: each with its reason, and what to do."""

from typing import Final

import msgspec
import pytest

from tasks.domain.drafting import draft, left_to_people
from tasks.domain.inventory import Kind, Namespace, Pod, Workload
from tasks.domain.plan import LeftToPeople
from tests.builders import NEW, namespace, pod, ref, workload
from tests.unit.plan_cases import drawn_from, mesh

NO_INJECT: Final = {"sidecar.istio.io/inject": "false"}
NO_LABELS: Final = namespace(labels={})


def owned(kind: Kind, name: str = "cart") -> Pod:
    return pod(workload=ref(name, kind=kind))


def left(
    *pods: Pod, of: Workload | None = None, space: Namespace | None = None
) -> list[LeftToPeople]:
    """Return what is left in a mesh of one namespace."""
    return list(
        left_to_people(
            drawn_from(
                mesh(
                    namespaces=(space or namespace(),),
                    workloads=(of,) if of else (),
                    pods=pods,
                )
            )
        )
    )


@pytest.mark.parametrize(
    ("of", "pods", "space"),
    [
        pytest.param(workload(), (pod(),), None, id="its namespace moves it"),
        pytest.param(
            workload(is_paused=True), (pod(revision=NEW),), None, id="its pods are new already"
        ),
        pytest.param(workload(is_paused=True), (pod(revision=None),), None, id="no sidecar"),
        pytest.param(None, (pod(workload=None),), None, id="nobody knows whose it is"),
        pytest.param(
            workload(template_labels=NO_INJECT),
            (pod(is_gateway=True),),
            NO_LABELS,
            id="Istio rolls its own gateways",
        ),
    ],
)
def test_nothing_is_left(
    of: Workload | None, pods: tuple[Pod, ...], space: Namespace | None
) -> None:
    assert left(*pods, of=of, space=space) == []


def test_a_pod_that_ran_to_its_end_is_left_to_nobody() -> None:
    over = owned(Kind.JOB)
    assert left(msgspec.structs.replace(over, phase="Succeeded")) == []


@pytest.mark.parametrize(
    ("of", "by", "space", "why", "todo"),
    [
        pytest.param(
            None,
            owned(Kind.JOB),
            None,
            "a Job cannot be restarted",
            "wait until it is over, or delete it",
            id="a Job",
        ),
        pytest.param(
            None,
            owned(Kind.POD),
            None,
            "nothing recreates a bare pod",
            "delete it and make it again after its namespace has moved",
            id="a bare pod",
        ),
        pytest.param(
            workload(kind=Kind.REPLICA_SET),
            owned(Kind.REPLICA_SET),
            None,
            "a ReplicaSet without a Deployment does not replace its pods",
            "delete its pods after its namespace has moved",
            id="a ReplicaSet",
        ),
        pytest.param(
            None,
            owned(Kind.OTHER),
            None,
            "its pods belong to a kind of object that no run restarts",
            "let its operator replace the pods after its namespace has moved",
            id="somebody's custom resource",
        ),
        pytest.param(
            workload(is_paused=True),
            pod(),
            None,
            "the Deployment is paused",
            "kubectl rollout resume deployment/cart -n shop, then run again",
            id="a paused Deployment",
        ),
        pytest.param(
            workload(),
            pod(),
            NO_LABELS,
            "its pods are bound by their own labels, in a namespace that asks for no revision",
            f"give its template istio.io/rev={NEW}, or restart it after the default has moved "
            "if it follows the default",
            id="it asks by its own labels",
        ),
        pytest.param(
            workload(),
            pod(is_gateway=True),
            NO_LABELS,
            "its pods are bound by their own labels, in a namespace that asks for no revision",
            f"give its template istio.io/rev={NEW}, or restart it after the default has moved "
            "if it follows the default",
            id="a gateway that is injected is nobody's to roll",
        ),
        pytest.param(
            workload(),
            pod(),
            namespace("bank"),
            "its pods are bound by their own labels, in a namespace that asks for no revision",
            f"give its template istio.io/rev={NEW}, or restart it after the default has moved "
            "if it follows the default",
            id="its namespace went away meanwhile",
        ),
        pytest.param(
            workload(template_labels=NO_INJECT),
            pod(),
            None,
            "its template asks for no sidecar any more, but its pods still have one",
            "restart it",
            id="a sidecar of long ago",
        ),
    ],
)
def test_a_workload_is_left_to_people(
    of: Workload | None, by: Pod, space: Namespace | None, why: str, todo: str
) -> None:
    assert left(by, of=of, space=space) == [
        LeftToPeople(subject=str(by.workload), why=why, todo=todo)
    ]


def test_what_is_left_is_listed_once_each_and_in_order() -> None:
    names = ["e", "b", "d", "a", "c", "b"]
    given = mesh(
        workloads=(workload(is_paused=True),),
        pods=(*(owned(Kind.JOB, name) for name in names), pod("cart-1"), pod("cart-2")),
    )
    plan = draft(drawn_from(given))
    assert [one.subject for one in plan.left_to_people] == [
        "shop/Deployment/cart",
        *(f"shop/Job/{name}" for name in "abcde"),
    ]
