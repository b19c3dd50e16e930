"""Gateways: what restarts them, and when."""

from collections.abc import Mapping

from tasks.domain.findings import Finding, Severity
from tasks.domain.inventory import Kind
from tasks.domain.revision import DEFAULT
from tests.builders import (
    MESH,
    NEW,
    OLD,
    gateway,
    namespace,
    plane,
    pod,
    ref,
    tag,
    workload,
)
from tests.unit.checks_cases import REV_NEW, REV_OLD, TRUE, found, mesh, names, only

WARNS = Severity.WARNS
EDGE = "edge/Gateway/edge"


def standing(
    own: Mapping[str, str], of_namespace: Mapping[str, str], **changes: object
) -> list[Finding]:
    """Return what is found about one Gateway API gateway."""
    given = mesh(
        control_planes=(plane(), plane(NEW)),
        namespaces=(namespace("edge", labels=of_namespace),),
        workloads=(),
        pods=(),
        tags=(tag(), tag("stable")),
        gateways=(gateway(labels=own),),
    )
    return found(given, **{"adopted": True, "moves_tags": (DEFAULT, "stable"), **changes})


def test_point_12_an_unlabelled_gateway_restarts_with_its_namespace() -> None:
    for labels in (REV_OLD, {"istio-injection": "enabled"}, {"istio.io/rev": "stable"}):
        every = standing({}, labels)
        one = only(every, WARNS, f"gateway-restarts-with-namespace:{EDGE}")
        assert "the moment that namespace edge is relabelled" in one.fact


def test_point_12_an_unlabelled_gateway_in_an_unlabelled_namespace_restarts_with_the_default() -> (
    None
):
    one = only(standing({}, {}), WARNS, f"gateway-restarts-with-tag:{EDGE}")
    assert "follows tag default" in one.fact
    assert "the moment that the tag moves" in one.fact


def test_point_12_injection_that_is_off_says_nothing_to_a_gateway() -> None:
    every = standing({}, {"istio-injection": "disabled"})
    only(every, WARNS, f"gateway-restarts-with-tag:{EDGE}")
    every = standing({}, {"istio-injection": "disabled", **REV_OLD})
    assert f"WARNS gateway-by-hand:{EDGE}" in names(every)


def test_a_gateway_that_names_a_tag_restarts_when_that_moves() -> None:
    one = only(
        standing({"istio.io/rev": "stable"}, REV_OLD), WARNS, f"gateway-restarts-with-tag:{EDGE}"
    )
    assert "follows tag stable" in one.fact


def test_a_gateway_that_names_the_old_revision_is_left_to_people() -> None:
    one = only(standing(REV_OLD, {}), WARNS, f"gateway-by-hand:{EDGE}")
    assert f"kubectl -n edge label gateway edge istio.io/rev={NEW} --overwrite" in one.todo


def test_a_gateway_whose_tag_stays_is_left_to_people() -> None:
    every = standing({"istio.io/rev": "stable"}, {}, moves_tags=(DEFAULT,))
    assert names(every) == [f"WARNS gateway-by-hand:{EDGE}", "WARNS tag-stays:tag/stable"]


def test_a_gateway_that_names_nobody_is_a_warning() -> None:
    only(standing({"istio.io/rev": "no"}, {}), WARNS, f"gateway-unknown-revision:{EDGE}")


def test_a_gateway_that_has_moved_is_no_finding() -> None:
    assert standing(REV_NEW, REV_OLD) == []
    assert standing({}, REV_NEW) == []


def test_a_gateway_of_another_revision_is_none_of_ours() -> None:
    third = (plane(), plane("1-27-0", version="1.27.0"))
    given = mesh(
        control_planes=third,
        namespaces=(namespace("edge", labels={}),),
        gateways=(gateway(labels={"istio.io/rev": "1-27-0"}),),
    )
    assert names(found(given)) == ["INFORMS other-revision:revision/1-27-0"]


def test_gateways_of_terminating_namespaces_are_skipped() -> None:
    spaces = (namespace("edge", labels={}, is_terminating=True),)
    assert found(mesh(namespaces=spaces, gateways=(gateway(),), workloads=(), pods=())) == []


# ------------------------------------------------------------------ injected gateways


def injected(
    template: Mapping[str, str], of_namespace: Mapping[str, str], where: str = "edge"
) -> list[Finding]:
    """Return what is found about one injected gateway."""
    given = mesh(
        namespaces=(namespace(where, labels=of_namespace),),
        workloads=(workload("in", where, template_labels=template),),
        pods=(pod("in-1", where, is_gateway=True),),
    )
    return found(given)


def test_point_12_an_injected_gateway_restarts_with_the_workloads_of_its_namespace() -> None:
    every = injected(TRUE, REV_OLD)
    one = only(every, WARNS, "injected-gateway-restarts:edge/Deployment/in")
    assert "--wave" in one.todo


def test_point_12_a_moved_default_does_not_restart_an_injected_gateway() -> None:
    one = only(injected(TRUE, {}), WARNS, "injected-gateway-by-hand:edge/Deployment/in")
    assert "a moved tag does not restart it" in one.fact
    assert one.todo == (
        "Run kubectl rollout restart deployment/in -n edge after tag default has moved."
    )


def test_an_injected_gateway_beside_the_control_planes_is_found() -> None:
    only(injected(TRUE, {}, MESH), WARNS, f"injected-gateway-by-hand:{MESH}/Deployment/in")


def test_an_injected_gateway_that_names_the_old_revision_is_relabelled_by_hand() -> None:
    one = only(injected(REV_OLD, {}), WARNS, "injected-gateway-by-hand:edge/Deployment/in")
    assert f"istio.io/rev={NEW}" in one.todo


def test_one_that_moves_and_names_the_old_revision_has_a_label_too_many() -> None:
    assert names(injected(REV_OLD, REV_OLD)) == [
        "WARNS injected-gateway-restarts:edge/Deployment/in",
        "WARNS own-labels:edge/Deployment/in",
    ]


def test_the_pods_that_istio_deploys_for_a_gateway_are_found_by_the_gateway_alone() -> None:
    given = mesh(
        namespaces=(namespace("edge", labels={}),),
        workloads=(
            workload("in", "edge", template_labels={"sidecar.istio.io/inject": "false"}),
            workload("rs", "edge", Kind.REPLICA_SET, template_labels=TRUE),
        ),
        pods=(
            pod("in-1", "edge", is_gateway=True),
            pod("rs-1", "edge", is_gateway=True, workload=ref("rs", "edge", Kind.REPLICA_SET)),
            pod("lost-1", "edge", is_gateway=True),
        ),
        gateways=(gateway(),),
    )
    assert names(found(given)) == [
        "WARNS bare-replica-set:edge/ReplicaSet/rs",
        f"WARNS gateway-restarts-with-tag:{EDGE}",
        "WARNS left-behind:edge/Deployment/lost",
    ]
    assert OLD in found(given)[0].fact
