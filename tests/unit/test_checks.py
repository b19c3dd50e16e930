"""The preflight as a whole: what a healthy mesh is told, and in which order."""

from tasks.domain.access import Denied, Permission
from tasks.domain.checks import check
from tasks.domain.findings import Severity
from tasks.domain.revision import DEFAULT
from tests.builders import NEW, OLD, namespace, plane, pod, unread, workload
from tests.unit.checks_cases import found, mesh, names, situation


def test_a_healthy_mesh_has_nothing_but_notes() -> None:
    assert found() == []
    assert {one.severity for one in check(situation())} == {Severity.INFORMS}


def test_findings_come_heaviest_first_then_by_code_and_subject() -> None:
    given = mesh(
        unread=(unread("Gateways"), unread("EndpointSlices")),
        workloads=(workload(is_paused=True), workload("pay", strategy="Recreate")),
        pods=(pod("cart-1"), pod("pay-1")),
    )
    assert names(list(check(situation(given)))) == [
        "BLOCKS unread:EndpointSlices",
        "BLOCKS unread:Gateways",
        "WARNS paused-deployment:shop/Deployment/cart",
        "WARNS recreate:shop/Deployment/pay",
        f"INFORMS left-over-leases:revision/{OLD}",
        "INFORMS shared-objects:cluster",
        f"INFORMS tag-moves:tag/{DEFAULT}",
    ]


def test_the_order_of_what_was_read_changes_nothing() -> None:
    spaces = tuple(namespace(name, labels={"istio.io/rev": "nosuch"}) for name in "abc")
    there = check(situation(mesh(namespaces=spaces)))
    back = check(situation(mesh(namespaces=spaces[::-1])))
    assert there == back


def test_every_finding_is_one_sentence_of_fact_and_one_of_advice() -> None:
    given = mesh(
        control_planes=(plane(OLD, ready_replicas=0), plane("1-27-0")),
        unread=(unread(),),
        workloads=(workload(is_paused=True, ready=0, owner="Shop/shop", strategy="Recreate"),),
    )
    denied = Denied(permission=Permission(verb="get", resource="pods"))
    for one in check(situation(given, denied=(denied,), target=situation().target)):
        assert one.fact.endswith("."), one
        assert one.todo.endswith("."), one
        assert one.fact[0].isupper() or one.fact.startswith(("shop/", "istio"))


def test_no_two_findings_have_the_same_name() -> None:
    given = mesh(
        namespaces=tuple(namespace(name, labels={"istio.io/rev": "nosuch"}) for name in "abc"),
        control_planes=(plane(OLD), plane(NEW), plane("1-27-0")),
    )
    every = [one.name for one in check(situation(given))]
    assert len(every) == len(set(every))


def test_point_14_that_shared_objects_move_forward_for_good_is_said_beforehand() -> None:
    (said,) = [one for one in check(situation()) if one.code == "shared-objects"]
    assert said.severity is Severity.INFORMS
    assert "CustomResourceDefinitions" in said.fact
    assert "istio-reader-service-account" in said.fact
    assert "rollback does not bring them back" in said.fact
