"""Pods that use the old revision and that no run moves."""

from collections.abc import Mapping

import msgspec
import pytest

from tasks.domain.findings import Finding, Severity
from tasks.domain.inventory import Kind, Pod
from tasks.domain.revision import DEFAULT
from tests.builders import MESH, NEW, OLD, namespace, plane, pod, ref, tag, workload
from tests.unit.checks_cases import REV_OLD, TRUE, found, mesh, names, only

WARNS = Severity.WARNS
FREE = namespace("free", labels={})


def standing(
    template: Mapping[str, str], its_pod: Pod | None = None, **changes: object
) -> list[Finding]:
    """Return what is found about a workload in a namespace that asks for nothing."""
    space = changes.pop("space", FREE)
    one = workload(namespace="free", template_labels=template)
    pods = () if its_pod is None else (its_pod,)
    given = mesh(namespaces=(space,), workloads=(one,), pods=pods)
    return found(given, **changes)


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (Kind.POD, "bare-pod"),
        (Kind.JOB, "running-job"),
        (Kind.REPLICA_SET, "bare-replica-set"),
        (Kind.OTHER, "foreign-pods"),
    ],
)
def test_point_6_pods_that_no_run_replaces_are_reported(kind: Kind, code: str) -> None:
    owner = ref("one", kind=kind)
    given = mesh(pods=(pod("one-a", workload=owner), pod("one-b", workload=owner)), workloads=())
    one = only(found(given), WARNS, f"{code}:shop/{kind}/one")
    assert "2 pods with a proxy of 1-28-3" in one.fact


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"phase": "Succeeded"}, id="it is over"),
        pytest.param({"phase": "Failed"}, id="it has failed"),
        pytest.param({"is_terminating": True}, id="it is about to go"),
        pytest.param({"revision": None}, id="it has no proxy"),
        pytest.param({"revision": NEW}, id="it has moved"),
        pytest.param({"workload": None}, id="nobody knows whose it is"),
    ],
)
def test_a_pod_that_does_not_use_the_old_revision_is_no_finding(changes: dict[str, object]) -> None:
    one = msgspec.structs.replace(pod(workload=ref(kind=Kind.JOB)), **changes)
    assert found(mesh(pods=(one,), workloads=())) == []


@pytest.mark.parametrize("where", ["kube-system", "gone"])
def test_pods_of_kubernetes_own_and_of_terminating_namespaces_are_skipped(where: str) -> None:
    spaces = (namespace("kube-system"), namespace("gone", is_terminating=True))
    one = pod(namespace=where, workload=ref(namespace=where, kind=Kind.POD))
    assert found(mesh(namespaces=spaces, pods=(one,), workloads=())) == []


def test_a_pod_in_the_control_planes_namespace_is_found() -> None:
    one = pod("one", MESH, workload=ref("one", MESH, Kind.POD))
    only(found(mesh(pods=(one,), workloads=())), WARNS, f"bare-pod:{MESH}/Pod/one")


# ------------------------------------------------------------------ bound by their own labels


def test_a_workload_bound_to_the_old_revision_by_its_own_label_is_listed() -> None:
    one = only(standing(REV_OLD, pod(namespace="free")), WARNS, "own-labels:free/Deployment/cart")
    assert "asks for 1-28-3 by its own pod template" in one.fact
    assert f"istio.io/rev={NEW}" in one.todo


def test_it_is_listed_without_pods_too_for_it_would_stop_the_uninstall() -> None:
    only(standing(REV_OLD), WARNS, "own-labels:free/Deployment/cart")


def test_one_that_follows_the_default_is_restarted_after_that_has_moved() -> None:
    one = only(standing(TRUE, pod(namespace="free")), WARNS, "own-labels:free/Deployment/cart")
    assert one.todo == (
        "Run kubectl rollout restart deployment/cart -n free after tag default has moved."
    )


def test_one_that_follows_the_default_and_has_no_pods_is_no_obstacle() -> None:
    assert standing(TRUE) == []


def test_a_label_that_its_namespace_overrules_stops_the_uninstall_all_the_same() -> None:
    given = mesh(workloads=(workload(template_labels=REV_OLD),))
    one = only(found(given), WARNS, "own-labels:shop/Deployment/cart")
    assert "its namespace decides" in one.fact
    assert "Remove the label" in one.todo


def test_a_label_that_an_unrevisioned_istiod_has_lost_to_the_default_tag_is_none_of_the_old() -> (
    None
):
    given = mesh(
        control_planes=(plane(DEFAULT), plane(NEW)),
        webhooks=(),
        tags=(tag(DEFAULT, NEW),),
        namespaces=(FREE,),
        workloads=(workload(namespace="free", template_labels={"istio.io/rev": DEFAULT}),),
        pods=(),
    )
    assert found(given, old=DEFAULT, adopted=True, moves_tags=()) == []


def test_workloads_of_namespaces_that_are_skipped_are_not_listed() -> None:
    gone = namespace("free", labels={}, is_terminating=True)
    assert standing(REV_OLD, space=gone) == []


# ------------------------------------------------------------------ left behind


@pytest.mark.parametrize(
    "space",
    [
        pytest.param(FREE, id="its namespace asks for nothing now"),
        pytest.param(namespace("free", labels={"istio-injection": "disabled"}), id="or for none"),
    ],
)
def test_a_workload_whose_labels_no_longer_ask_for_its_proxy_is_left_behind(space: object) -> None:
    every = standing({}, pod(namespace="free"), space=space)
    one = only(every, WARNS, "left-behind:free/Deployment/cart")
    assert "kubectl rollout restart deployment/cart -n free" in one.todo


def test_so_is_one_that_wants_no_sidecar_any_more() -> None:
    one = workload(template_annotations={"sidecar.istio.io/inject": "false"})
    only(found(mesh(workloads=(one,))), WARNS, "left-behind:shop/Deployment/cart")


def test_so_is_one_whose_owner_was_not_seen() -> None:
    only(found(mesh(workloads=())), WARNS, "left-behind:shop/Deployment/cart")


def test_an_argo_rollout_is_restarted_its_own_way() -> None:
    one = workload(namespace="free", kind=Kind.ROLLOUT)
    its_pod = pod(namespace="free", workload=one.ref)
    (left,) = found(mesh(namespaces=(FREE,), workloads=(one,), pods=(its_pod,)))
    assert "kubectl argo rollouts restart cart -n free" in left.todo


# ------------------------------------------------------------------ unknown names and proxies


def test_point_10_a_template_that_names_nobody_is_a_warning() -> None:
    every = standing({"istio.io/rev": "nosuch"}, pod(namespace="free", revision=None))
    one = only(every, WARNS, "unknown-revision:free/Deployment/cart")
    assert "no sidecar, silently" in one.fact


def test_point_10_a_bare_pod_that_names_nobody_is_a_warning() -> None:
    one = pod(
        "one",
        "free",
        None,
        labels={"istio.io/rev": "nosuch"},
        workload=ref("one", "free", Kind.POD),
    )
    given = mesh(namespaces=(FREE,), workloads=(), pods=(one,))
    only(found(given), WARNS, "unknown-revision:free/Pod/one")


def test_a_label_that_its_namespace_overrules_may_name_nobody() -> None:
    assert found(mesh(workloads=(workload(template_labels={"istio.io/rev": "nosuch"}),))) == []


def test_templates_in_namespaces_that_are_skipped_may_name_nobody() -> None:
    gone = namespace("free", labels={}, is_terminating=True)
    assert standing({"istio.io/rev": "nosuch"}, space=gone) == []


def test_a_proxy_that_does_not_say_whose_it_is_is_a_warning() -> None:
    given = mesh(pods=(pod("cart-1"), pod("cart-2", revision="unknown")))
    assert names(found(given)) == ["WARNS unknown-proxy:shop/Deployment/cart"]
    assert OLD not in found(given)[0].fact
