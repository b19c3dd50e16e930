"""What is denied, unread or silent counts as unsafe."""

from tasks.domain.access import Denied, Permission
from tasks.domain.findings import Severity
from tests.builders import OLD, istiod, plane, silent, unread
from tests.unit.checks_cases import found, mesh, names, only

BLOCKS, WARNS = Severity.BLOCKS, Severity.WARNS


def denied(verb: str, resource: str, namespace: str = "", reason: str = "", **more: str) -> Denied:
    what = Permission(verb=verb, resource=resource, namespace=namespace, **more)
    return Denied(permission=what, reason=reason)


def test_point_15_a_missing_right_blocks_and_the_rule_to_grant_is_named() -> None:
    given = (denied("create", "pods/portforward", "istio-system", "no RBAC policy matched"),)
    one = only(found(denied=given), BLOCKS, "denied:permission/create/pods/portforward")
    assert one.fact == (
        "We may not create pods/portforward in istio-system (no RBAC policy matched), "
        "and the plan needs it."
    )
    assert one.todo == (
        'Grant a Role with apiGroups: [""], resources: ["pods/portforward"], '
        'verbs: ["create"] in istio-system.'
    )


def test_one_right_that_many_namespaces_deny_is_one_finding() -> None:
    spaces = ("shop", "pay", "a", "b", "c", "d", "e")
    given = tuple(denied("patch", "deployments", name, group="apps") for name in spaces)
    one = only(found(denied=given), BLOCKS, "denied:permission/patch/apps/deployments")
    assert "in a, b, c, d, e and 2 more" in one.fact


def test_a_right_that_the_whole_cluster_denies_wants_a_cluster_role() -> None:
    given = (denied("list", "pods"), denied("list", "pods", "shop"), denied("get", "secrets", "x"))
    every = found(denied=given)
    assert names(every) == [
        "BLOCKS denied:permission/get/secrets",
        "BLOCKS denied:permission/list/pods",
    ]
    assert every[1].todo.startswith("Grant a ClusterRole")
    assert "in the whole cluster" in every[1].fact


def test_a_source_that_could_not_be_read_blocks() -> None:
    one = only(found(mesh(unread=(unread("Gateways", "403"),))), BLOCKS, "unread:Gateways")
    assert "(403)" in one.fact


def test_point_2_an_istiod_that_says_nothing_is_a_warning_when_the_plan_is_made() -> None:
    one = only(found(reports=(silent(),)), WARNS, f"proxies-unread:istiod/istiod-{OLD}-0")
    assert "no answer in 5 s" in one.fact
    assert "uninstall will be refused" in one.fact


def test_point_1_every_istiod_of_the_old_revision_has_to_be_asked() -> None:
    two = (istiod(), istiod(name="istiod-b"))
    given = mesh(control_planes=(plane(pods=two),))
    every = found(given, reports=(silent(two[0], problem=""),))
    assert [one.subject for one in every] == [f"istiod/istiod-{OLD}-0", "istiod/istiod-b"]
    assert "(no answer)" in every[0].fact
    assert "(it was not asked)" in every[1].fact
