"""The proof that a revision is unused: each use and each doubt by itself, and what may go."""

from typing import Final

import pytest

from tasks.domain.inventory import Inventory, IstiodReport, Kind, WebhookKind
from tasks.domain.removal import RECONNECT, Listed, Use, own_objects, refusals, uses
from tests.builders import (
    MESH,
    NEW,
    OLD,
    after,
    default_validator,
    gateway,
    injector,
    istiod,
    labelled_config,
    moved_inventory,
    namespace,
    plane,
    pod,
    ref,
    report,
    reports,
    silent,
    tag,
    tag_webhook,
    unread,
    validator,
    workload,
)

REV_OLD: Final = {"istio.io/rev": OLD}
REV_NEW: Final = {"istio.io/rev": NEW}
ENABLED: Final = {"istio-injection": "enabled"}
TRUE: Final = {"sidecar.istio.io/inject": "true"}


def found(
    mesh: Inventory, *said: IstiodReport, revision: str = OLD, quiet: bool = True
) -> tuple[Use, ...]:
    """List the uses; without reports every istiod has long been up and names nobody."""
    told = said or (reports(mesh) if quiet else ())
    return uses(revision, inventory=mesh, reports=told)


def whats(given: tuple[Use, ...]) -> list[str]:
    return [use.what for use in given]


def unrevisioned(**changes: object) -> Inventory:
    """Build the mesh of an istiod that calls itself `default`, after the default has moved."""
    webhooks = (
        *(injector("default", is_deactivated=True), validator("default")),
        *(injector(NEW), validator(NEW), tag_webhook("default", NEW), default_validator(NEW)),
    )
    defaults: dict[str, object] = {
        "control_planes": (plane("default"), plane(NEW)),
        "webhooks": webhooks,
    }
    return moved_inventory(**(defaults | changes))


# ---------------------------------------------------------------- nothing uses it


def test_a_mesh_that_has_moved_does_not_use_the_old_revision() -> None:
    mesh = moved_inventory(
        namespaces=(namespace("shop", labels=ENABLED), namespace("bank", labels=REV_NEW)),
        workloads=(workload("cart"), workload("till", template_labels=REV_NEW)),
        pods=(pod("cart-1", revision=NEW), pod("plain-1", revision=None)),
        gateways=(gateway(), gateway("b", labels=REV_NEW)),
    )
    assert found(mesh, report(istiod(OLD)), report(istiod(NEW), *mesh.pods)) == ()


def test_a_revision_that_is_gone_is_not_used() -> None:
    mesh = moved_inventory(control_planes=(plane(NEW),), webhooks=())
    assert found(mesh) == ()


def test_pods_that_ran_to_their_end_keep_no_revision_in_use() -> None:
    mesh = moved_inventory(pods=(pod(phase="Succeeded"), pod("b-1", phase="Failed")))
    assert found(mesh) == ()


def test_a_control_plane_scaled_to_nothing_can_have_no_proxies() -> None:
    empty = plane(OLD, replicas=0, ready_replicas=0, pods=())
    assert found(moved_inventory(control_planes=(empty, plane(NEW)))) == ()


def test_resources_labelled_for_the_revision_go_out_of_sight_with_it() -> None:
    assert found(moved_inventory(labelled_configs=(labelled_config(OLD),))) == ()


# ---------------------------------------------------------------- each use by itself


@pytest.mark.parametrize(
    ("mesh", "what"),
    [
        pytest.param(
            moved_inventory(pods=(pod("cart-1", "shop", OLD),)),
            "pod shop/cart-1 has a proxy of revision 1-28-3",
            id="a pod by its annotation, though no istiod names it",
        ),
        pytest.param(
            moved_inventory(pods=(pod("cart-1", "shop", OLD, phase="Unknown"),)),
            "pod shop/cart-1 has a proxy of revision 1-28-3",
            id="a pod of a lost node",
        ),
        pytest.param(
            moved_inventory(pods=(pod("edge-1", "edge", OLD, is_gateway=True),)),
            "pod edge/edge-1 has a proxy of revision 1-28-3",
            id="a gateway",
        ),
        pytest.param(
            moved_inventory(tags=(tag("default", NEW), tag("prod", OLD))),
            "tag 'prod' points to revision 1-28-3",
            id="a tag by its label",
        ),
        pytest.param(
            moved_inventory(tags=(tag("default", NEW, service=f"{MESH}/istiod-{OLD}"),)),
            "tag 'default' points to revision 1-28-3",
            id="a tag by the Service that it calls, whatever its label says",
        ),
        pytest.param(
            moved_inventory(namespaces=(namespace("shop", labels=REV_OLD),)),
            "namespace shop is labelled istio.io/rev=1-28-3",
            id="a namespace's label",
        ),
        pytest.param(
            moved_inventory(namespaces=(namespace("shop", labels=ENABLED | REV_OLD),)),
            "namespace shop is labelled istio.io/rev=1-28-3",
            id="a namespace's label in the shadow of istio-injection",
        ),
        pytest.param(
            moved_inventory(workloads=(workload("cart", template_labels=REV_OLD),)),
            "the template of shop/Deployment/cart is labelled istio.io/rev=1-28-3",
            id="a template's label",
        ),
        pytest.param(
            moved_inventory(pods=(pod("bare-1", revision=None, labels=REV_OLD, workload=None),)),
            "pod shop/bare-1 is labelled istio.io/rev=1-28-3",
            id="a bare pod's label",
        ),
        pytest.param(
            moved_inventory(gateways=(gateway("edge", "edge", labels=REV_OLD),)),
            "Gateway edge/edge is labelled istio.io/rev=1-28-3",
            id="a Gateway's label",
        ),
        pytest.param(
            moved_inventory(webhooks=(default_validator(OLD),)),
            "ValidatingWebhookConfiguration istiod-default-validator calls Service "
            "istio-system/istiod-1-28-3",
            id="the default validator",
        ),
        pytest.param(
            moved_inventory(webhooks=(default_validator(NEW, services=(f"{MESH}/istiod-{OLD}",)),)),
            "ValidatingWebhookConfiguration istiod-default-validator calls Service "
            "istio-system/istiod-1-28-3",
            id="the default validator whose label says that it has moved",
        ),
        pytest.param(
            moved_inventory(webhooks=(tag_webhook("lost", OLD),)),
            "MutatingWebhookConfiguration istio-revision-tag-lost calls Service "
            "istio-system/istiod-1-28-3",
            id="a tag's webhook that is in no list of tags",
        ),
        pytest.param(
            moved_inventory(webhooks=(injector(OLD, name="by-hand"),)),
            "MutatingWebhookConfiguration by-hand calls Service istio-system/istiod-1-28-3",
            id="somebody's own webhook, though it has the revision's label",
        ),
    ],
)
def test_point_10_a_revision_is_used_by(mesh: Inventory, what: str) -> None:
    (use,) = found(mesh)
    assert use.what == what
    assert use.todo
    assert not use.is_unknown


def test_point_2_a_connected_proxy_is_a_use_though_its_pod_says_otherwise() -> None:
    moved = pod("cart-1", revision=NEW)
    given = found(moved_inventory(pods=(moved,)), report(istiod(OLD), moved))
    assert whats(given) == ["proxy cart-1.shop is connected to istiod-1-28-3-0"]
    assert not given[0].is_unknown


def test_point_2_annotation_and_syncz_are_two_witnesses_and_both_are_named() -> None:
    old = pod("cart-1", revision=OLD)
    given = found(moved_inventory(pods=(old,)), report(istiod(OLD), old))
    assert whats(given) == [
        "pod shop/cart-1 has a proxy of revision 1-28-3",
        "proxy cart-1.shop is connected to istiod-1-28-3-0",
    ]


def test_point_1_every_istiod_of_the_revision_is_heard() -> None:
    first, second = istiod(OLD), istiod(OLD, name="istiod-1-28-3-1")
    old = plane(OLD, replicas=2, ready_replicas=2, pods=(first, second))
    one = pod("cart-1", revision=NEW)
    mesh = moved_inventory(control_planes=(old, plane(NEW)), pods=(one,))
    assert whats(found(mesh, report(first), report(second, one))) == [
        "proxy cart-1.shop is connected to istiod-1-28-3-1"
    ]


def test_point_8_before_the_default_moves_tag_and_validator_are_uses() -> None:
    mesh = moved_inventory(
        tags=(tag("default", OLD),),
        webhooks=(
            injector(OLD),
            validator(OLD),
            tag_webhook("default", OLD),
            default_validator(OLD),
        ),
    )
    given = whats(found(mesh))
    assert given[0] == "tag 'default' points to revision 1-28-3"
    assert given[1].startswith("ValidatingWebhookConfiguration istiod-default-validator calls")
    assert len(given) == 2


def test_point_8_a_webhook_is_judged_by_its_service_even_when_the_control_plane_is_gone() -> None:
    mesh = moved_inventory(control_planes=(plane(NEW),), webhooks=(default_validator(OLD),))
    assert len(found(mesh)) == 1


def test_point_8_the_service_is_the_one_that_was_read() -> None:
    old = plane(OLD, namespace="mesh", service="pilot")
    hook = default_validator(OLD, services=("mesh/pilot",))
    mesh = moved_inventory(control_planes=(old, plane(NEW)), webhooks=(hook, validator(NEW)))
    assert whats(found(mesh)) == [
        "ValidatingWebhookConfiguration istiod-default-validator calls Service mesh/pilot"
    ]


def test_point_12_gateway_api_pods_are_uses_though_they_are_labelled_inject_false() -> None:
    labels = {"sidecar.istio.io/inject": "false"}
    mesh = moved_inventory(pods=(pod("edge-1", "edge", OLD, labels=labels, is_gateway=True),))
    assert whats(found(mesh)) == ["pod edge/edge-1 has a proxy of revision 1-28-3"]


# ---------------------------------------------------------------- what is not used


@pytest.mark.parametrize(
    "mesh",
    [
        pytest.param(
            moved_inventory(namespaces=(namespace("b", labels=REV_OLD, is_terminating=True),)),
            id="a namespace that is going makes no pods",
        ),
        pytest.param(
            moved_inventory(
                workloads=(workload("cart"),),
                pods=(pod("cart-1", revision=NEW, labels=REV_OLD),),
            ),
            id="a pod's label is its template's, and that has changed",
        ),
        pytest.param(
            moved_inventory(pods=(pod("b-1", revision=None, labels=REV_OLD, phase="Failed"),)),
            id="a pod that is over and labelled",
        ),
        pytest.param(
            moved_inventory(webhooks=(injector(OLD), validator(OLD))),
            id="its own injector and validator",
        ),
        pytest.param(
            moved_inventory(pods=(pod("cart-1", revision="1-27-0"),)),
            id="a pod of a third revision",
        ),
    ],
)
def test_this_is_no_use(mesh: Inventory) -> None:
    assert found(mesh) == ()


# ---------------------------------------------------------------- what is not known


def test_what_could_not_be_read_is_unknown() -> None:
    (use,) = found(moved_inventory(unread=(unread("Gateways", "forbidden"),)))
    assert use.what == "Gateways could not be read: forbidden"
    assert use.is_unknown


def test_a_proxy_whose_marks_cannot_be_read_may_be_of_any_revision() -> None:
    (use,) = found(moved_inventory(pods=(pod("cart-1", revision="unknown"),)))
    assert use.what == "pod shop/cart-1 has a proxy of a revision that its marks do not say"
    assert use.is_unknown


def test_an_istiod_that_did_not_answer_is_unknown() -> None:
    (use,) = found(moved_inventory(), silent(istiod(OLD), "forbidden"))
    assert use.what == "istiod istiod-1-28-3-0 did not say which proxies use it: forbidden"
    assert use.is_unknown


def test_an_istiod_that_did_not_even_say_why_is_unknown() -> None:
    (use,) = found(moved_inventory(), report(proxies=None))
    assert use.what.endswith("no answer")


def test_a_silent_istiod_of_the_new_revision_says_nothing_about_the_old() -> None:
    assert found(moved_inventory(), report(istiod(OLD)), silent(istiod(NEW))) == ()


def test_point_1_an_istiod_that_was_not_asked_is_unknown() -> None:
    (use,) = found(moved_inventory(), quiet=False)
    assert use.what == "istiod istiod-1-28-3-0 was not asked for its proxies"
    assert use.is_unknown


def test_point_1_a_control_plane_without_pods_could_not_be_asked() -> None:
    mesh = moved_inventory(control_planes=(plane(OLD, pods=()), plane(NEW)))
    (use,) = found(mesh)
    assert use.what == "no pod of istiod-1-28-3 could be asked for its proxies"
    assert use.is_unknown


@pytest.mark.parametrize(
    ("age", "known"),
    [
        pytest.param(0, False, id="just started"),
        pytest.param(22, False, id="as old as the latest reconnect that was seen"),
        pytest.param(RECONNECT.total_seconds() - 0.1, False, id="almost a minute old"),
        pytest.param(RECONNECT.total_seconds(), True, id="a minute old"),
        pytest.param(-5, False, id="started in the future, by another clock"),
    ],
)
def test_point_2_an_empty_syncz_of_a_young_istiod_is_unknown(age: float, known: bool) -> None:
    young = istiod(OLD, started_at=after(-age))
    given = found(moved_inventory(), report(young))
    assert (given == ()) is known
    assert all(use.is_unknown and "started less than a minute ago" in use.what for use in given)


def test_point_2_an_empty_syncz_of_an_istiod_that_does_not_run_is_unknown() -> None:
    (use,) = found(moved_inventory(), report(istiod(OLD, started_at=None)))
    assert "is not running" in use.what
    assert use.is_unknown


def test_point_2_a_short_syncz_of_a_young_istiod_is_no_proof_either() -> None:
    one = pod("cart-1", revision=NEW)
    young = istiod(OLD, started_at=after(-5))
    assert len(found(moved_inventory(pods=(one,)), report(young, one))) == 1


def test_point_4_a_terminating_pod_is_waited_for() -> None:
    leaving = pod("cart-1", revision=OLD, is_terminating=True)
    given = found(moved_inventory(pods=(leaving,)), report(istiod(OLD), leaving))
    assert whats(given) == [
        "pod shop/cart-1 has a proxy of revision 1-28-3 and is terminating",
        "proxy cart-1.shop is connected to istiod-1-28-3-0 and its pod is terminating",
    ]
    assert all(use.is_unknown for use in given)


def test_a_connected_proxy_without_a_pod_may_be_a_machine_outside() -> None:
    (use,) = found(moved_inventory(), report(istiod(OLD), "vm-1.shop"))
    assert use.what.endswith("and no pod of that name is known")
    assert use.is_unknown


# ---------------------------------------------------------------- an unrevisioned istiod


def test_the_name_default_means_the_tag_once_the_default_has_moved() -> None:
    mesh = unrevisioned(
        namespaces=(
            namespace("shop", labels={"istio.io/rev": "default"}),
            namespace("bank", labels=ENABLED),
        ),
        workloads=(workload("cart", template_labels={"istio.io/rev": "default"}),),
        gateways=(gateway(),),
        pods=(pod("cart-1", revision=NEW),),
    )
    assert found(mesh, revision="default") == ()


def test_a_pod_that_says_default_is_of_the_old_control_plane_also_after_the_default_moved() -> None:
    given = found(unrevisioned(pods=(pod("cart-1", revision="default"),)), revision="default")
    assert whats(given) == ["pod shop/cart-1 has a proxy of revision default"]


def test_an_injector_that_the_default_tag_has_not_shut_is_a_use() -> None:
    hooks = (injector("default"), validator("default"), tag_webhook("default", NEW))
    given = found(unrevisioned(webhooks=hooks), revision="default")
    assert whats(given) == [
        "MutatingWebhookConfiguration istio-sidecar-injector calls Service istio-system/istiod"
    ]


def test_before_the_default_moves_the_tag_stands_for_all_that_follow_it() -> None:
    mesh = unrevisioned(
        tags=(tag("default", "default"),),
        webhooks=(injector("default"), validator("default"), tag_webhook("default", "default")),
        namespaces=(namespace("bank", labels=ENABLED),),
    )
    assert whats(found(mesh, revision="default")) == ["tag 'default' points to revision default"]


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        pytest.param(
            {"namespaces": (namespace("bank", labels=ENABLED),)},
            "namespace bank is injected by default, which is revision default",
            id="a namespace with istio-injection=enabled",
        ),
        pytest.param(
            {"namespaces": (namespace("bank", labels={"istio.io/rev": "default"}),)},
            "namespace bank is labelled istio.io/rev=default",
            id="a namespace labelled default",
        ),
        pytest.param(
            {
                "namespaces": (namespace("shop", labels={}),),
                "workloads": (workload("cart", template_labels=TRUE),),
            },
            "the template of shop/Deployment/cart asks to be injected by default, "
            "which is revision default",
            id="a template with inject=true in a namespace without labels",
        ),
        pytest.param(
            {"pods": (pod("bare-1", revision=None, labels=TRUE, workload=None),)},
            "pod shop/bare-1 asks to be injected by default, which is revision default",
            id="a bare pod with inject=true",
        ),
        pytest.param(
            {"gateways": (gateway("edge", "edge"),)},
            "Gateway edge/edge follows the default, which is revision default",
            id="a Gateway without labels",
        ),
    ],
)
def test_without_a_default_tag_the_default_is_the_istiod_of_that_name(
    changes: dict[str, object], what: str
) -> None:
    hooks = (injector("default"), validator("default"))
    mesh = unrevisioned(tags=(), webhooks=hooks, **changes)
    assert whats(found(mesh, revision="default")) == [what]


def test_without_a_default_tag_what_follows_another_revision_is_left_out() -> None:
    mesh = unrevisioned(
        tags=(),
        webhooks=(injector("default"),),
        namespaces=(
            namespace("shop", labels=REV_NEW),
            namespace("shut", labels={"istio-injection": "disabled"}),
        ),
        workloads=(
            workload("cart", "shop", template_labels=TRUE),
            workload("cart", "shut", template_labels=TRUE),
        ),
        gateways=(gateway("a", "shop"), gateway("b", "bank", labels=REV_NEW)),
    )
    assert found(mesh, revision="default") == ()


# ---------------------------------------------------------------- what an uninstall may delete


def listed(*names: str) -> list[Listed]:
    """Read `Kind/name` or `Kind/name in namespace`."""
    made: list[Listed] = []
    for text in names:
        kind, _, rest = text.partition("/")
        name, _, where = rest.partition(" in ")
        made.append(Listed(kind=kind, name=name, namespace=where))
    return made


SEEN: Final = listed(
    f"Deployment/istiod-{OLD} in {MESH}",
    f"Service/istiod-{OLD} in {MESH}",
    f"ServiceAccount/istiod-{OLD} in {MESH}",
    f"Role/istiod-{OLD} in {MESH}",
    f"RoleBinding/istiod-{OLD} in {MESH}",
    f"ConfigMap/istio-{OLD} in {MESH}",
    f"ConfigMap/istio-sidecar-injector-{OLD} in {MESH}",
    f"ConfigMap/values-{OLD} in {MESH}",
    f"ClusterRole/istiod-clusterrole-{OLD}-{MESH}",
    f"ClusterRole/istiod-gateway-controller-{OLD}-{MESH}",
    f"ClusterRole/istio-reader-clusterrole-{OLD}-{MESH}",
    f"ClusterRoleBinding/istiod-clusterrole-{OLD}-{MESH}",
    f"ClusterRoleBinding/istiod-gateway-controller-{OLD}-{MESH}",
    f"ClusterRoleBinding/istio-reader-clusterrole-{OLD}-{MESH}",
    f"MutatingWebhookConfiguration/istio-sidecar-injector-{OLD}",
    f"ValidatingWebhookConfiguration/istio-validator-{OLD}-{MESH}",
)
SEEN_UNREVISIONED: Final = [
    Listed(kind=one.kind, name=one.name.replace(f"-{OLD}", ""), namespace=one.namespace)
    for one in SEEN
]
SOMETIMES: Final = listed(
    f"PodDisruptionBudget/istiod-{OLD} in {MESH}", f"HorizontalPodAutoscaler/istiod-{OLD} in {MESH}"
)


def test_point_9_the_sixteen_objects_of_a_revision_may_go() -> None:
    assert len(SEEN) == 16
    assert refusals(SEEN, revision=OLD) == ()


def test_point_9_the_sixteen_objects_without_a_suffix_may_go_for_the_unrevisioned() -> None:
    assert refusals(SEEN_UNREVISIONED, revision="default") == ()


def test_point_9_its_budget_and_autoscaler_may_go() -> None:
    assert refusals(SOMETIMES, revision=OLD) == ()


def test_nothing_else_may_go() -> None:
    assert own_objects(OLD, namespace=MESH) == frozenset((*SEEN, *SOMETIMES))


@pytest.mark.parametrize(
    "text",
    [
        "MutatingWebhookConfiguration/istio-revision-tag-default",
        f"MutatingWebhookConfiguration/istio-revision-tag-{OLD}",
        f"Service/istiod-revision-tag-default in {MESH}",
        "ValidatingWebhookConfiguration/istiod-default-validator",
        f"Deployment/istio-ingressgateway in {MESH}",
        f"Deployment/istio-egressgateway-{OLD} in {MESH}",
        f"Service/istio-ingressgateway in {MESH}",
        f"DaemonSet/istio-cni-node in {MESH}",
        f"ConfigMap/istio-cni-config in {MESH}",
        f"DaemonSet/ztunnel in {MESH}",
        "Gateway/waypoint in shop",
        f"EnvoyFilter/stats-filter-{OLD} in {MESH}",
        f"Secret/istio-ca-secret in {MESH}",
        f"ServiceAccount/istio-reader-service-account in {MESH}",
        f"ConfigMap/istio-ca-root-cert in {MESH}",
        f"Deployment/istiod-{OLD} in elsewhere",
        f"Deployment/istiod-{OLD}",
        f"Deployment/istiod-{OLD}-extra in {MESH}",
        f"Deployment/istiod-{NEW} in {MESH}",
        f"Deployment/istiod in {MESH}",
        f"ConfigMap/istio in {MESH}",
        f"ConfigMap/values in {MESH}",
        f"DaemonSet/istiod-{OLD} in {MESH}",
        f"ClusterRole/istiod-clusterrole-{OLD}-elsewhere",
        f"ClusterRole/istiod-clusterrole-{NEW}-{MESH}",
        f"MutatingWebhookConfiguration/istio-sidecar-injector-{NEW}",
        f"ValidatingWebhookConfiguration/istio-validator-{MESH}",
        "CustomResourceDefinition/virtualservices.networking.istio.io",
    ],
)
def test_point_9_an_uninstall_that_would_delete_this_is_refused(text: str) -> None:
    (one,) = listed(text)
    assert refusals([*SEEN, one], revision=OLD) == (str(one),)


@pytest.mark.parametrize(
    "text",
    [
        "MutatingWebhookConfiguration/istio-revision-tag-default",
        "ValidatingWebhookConfiguration/istiod-default-validator",
        f"Service/istiod-revision-tag-default in {MESH}",
        f"Deployment/istiod-{NEW} in {MESH}",
        f"ConfigMap/istio-{NEW} in {MESH}",
        f"Deployment/istio-ingressgateway in {MESH}",
        f"DaemonSet/istio-cni-node in {MESH}",
    ],
)
def test_point_9_an_unrevisioned_uninstall_that_would_delete_this_is_refused(text: str) -> None:
    (one,) = listed(text)
    assert refusals([*SEEN_UNREVISIONED, one], revision="default") == (str(one),)


def test_a_revision_whose_name_begins_like_another_does_not_take_its_objects() -> None:
    others = [Listed(kind=one.kind, name=f"{one.name}-b", namespace=one.namespace) for one in SEEN]
    assert len(refusals(others, revision=OLD)) == len(SEEN)


def test_a_control_plane_in_another_namespace_has_its_objects_there() -> None:
    elsewhere = listed(
        "Deployment/istiod-a in mesh",
        "MutatingWebhookConfiguration/istio-sidecar-injector-a-mesh",
        "ValidatingWebhookConfiguration/istio-validator-a-mesh",
        "ClusterRole/istiod-clusterrole-a-mesh",
    )
    assert refusals(elsewhere, revision="a", namespace="mesh") == ()
    assert len(refusals(elsewhere, revision="a")) == len(elsewhere)


def test_an_object_is_written_as_istioctl_does() -> None:
    cluster_wide, namespaced = listed("ClusterRole/a", "Service/b in shop")
    assert (str(cluster_wide), str(namespaced)) == ("ClusterRole/a", "Service/b.shop")


def test_own_webhooks_are_matched_by_kind_and_name() -> None:
    wrong_kind = validator(OLD, kind=WebhookKind.MUTATING)
    (use,) = found(moved_inventory(webhooks=(wrong_kind,)))
    assert use.what.startswith("MutatingWebhookConfiguration istio-validator-1-28-3")


def test_a_job_of_the_old_revision_is_named_by_its_pod() -> None:
    owner = ref("sweep", "shop", Kind.JOB)
    mesh = moved_inventory(pods=(pod("sweep-1", workload=owner),))
    assert whats(found(mesh)) == ["pod shop/sweep-1 has a proxy of revision 1-28-3"]


def test_point_8_a_validator_left_behind_by_its_moved_tag_is_a_use() -> None:
    behind = default_validator(OLD, tag="default")
    (use,) = found(moved_inventory(webhooks=(tag_webhook("default", NEW), behind)))
    assert use.what.startswith("ValidatingWebhookConfiguration istiod-default-validator calls")
