"""Control planes, tags and webhooks."""

import msgspec
import pytest

from tasks.domain.checks import check
from tasks.domain.findings import Finding, Severity
from tasks.domain.inventory import Inventory
from tasks.domain.revision import DEFAULT
from tests.builders import (
    MESH,
    NEW,
    OLD,
    default_validator,
    gateway,
    injector,
    namespace,
    plane,
    tag,
    tag_webhook,
    validator,
    workload,
)
from tests.unit.checks_cases import REV_OLD, TRUE, found, mesh, names, only, situation

BLOCKS, WARNS, INFORMS = Severity.BLOCKS, Severity.WARNS, Severity.INFORMS


def of_code(code: str, given: Inventory, **changes: object) -> list[Finding]:
    return [one for one in check(situation(given, **changes)) if one.code == code]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ready_replicas": 0}, "0 of 1 istiods are ready"),
        ({"replicas": 3, "ready_replicas": 2}, "2 of 3 istiods are ready"),
        ({"ready_endpoints": 0}, "has 0 ready endpoints"),
        ({"ready_endpoints": None}, "has an unknown number of ready endpoints"),
    ],
)
def test_an_old_control_plane_that_is_not_healthy_blocks(
    changes: dict[str, object], words: str
) -> None:
    given = mesh(control_planes=(plane(OLD, **changes),))
    (one,) = of_code("control-plane-unhealthy", given)
    assert one.severity is BLOCKS
    assert words in one.fact


def test_a_third_revision_is_noted_and_left_alone() -> None:
    third = (plane("1-27-0", version="1.27.0"), plane("mine", version=None))
    every = found(mesh(control_planes=(plane(OLD), *third)))
    assert names(every) == [
        "INFORMS other-revision:revision/1-27-0",
        "INFORMS other-revision:revision/mine",
    ]
    assert "unknown version" in every[1].fact


def test_an_unrevisioned_istiod_leaves_no_leases_that_are_cleaned_up() -> None:
    given = mesh(control_planes=(plane(DEFAULT),), tags=(tag(DEFAULT, DEFAULT),), webhooks=())
    assert not of_code("left-over-leases", given, old=DEFAULT)
    assert of_code("left-over-leases", mesh())


# ------------------------------------------------------------------ tags


def test_a_missing_default_tag_is_a_warning_that_names_who_needs_it() -> None:
    given = mesh(tags=(), webhooks=(injector(),))
    (one,) = of_code("no-default-tag", given, moves_tags=())
    assert one.severity is WARNS
    assert "which shop ask for" in one.fact
    assert f"istioctl tag set default --revision {OLD}" in one.todo


def test_a_missing_default_tag_that_nobody_needs_is_a_warning_too() -> None:
    given = mesh(tags=(), namespaces=(namespace("shop", labels=REV_OLD),))
    (one,) = of_code("no-default-tag", given, moves_tags=())
    assert one.fact.startswith("There is no default tag; installing 1-29-1 makes one")


def test_point_8_a_tag_is_judged_by_the_service_that_it_calls() -> None:
    given = mesh(tags=(tag(service=f"{MESH}/istiod-1-27-0"), tag("old", "gone", service=None)))
    (one,) = of_code("tag-disagrees", given)
    assert one.subject == "tag/default"
    assert "call istio-system/istiod-1-27-0" in one.fact


def test_a_tag_without_a_service_disagrees() -> None:
    (one,) = of_code("tag-disagrees", mesh(tags=(tag(service=None),)))
    assert "call no Service" in one.fact


def test_a_tag_that_stays_with_the_old_revision_is_a_warning() -> None:
    given = mesh(tags=(tag(), tag("stable")))
    one = only(found(given), WARNS, "tag-stays:tag/stable")
    assert "ends before the uninstall" in one.fact


def test_a_tag_that_moves_says_what_follows_it() -> None:
    given = mesh(
        tags=(tag(), tag("stable")),
        namespaces=(
            namespace("shop"),
            namespace("pay", labels={"istio.io/rev": "stable"}),
            namespace("free", labels={}),
            namespace("kube-system"),
        ),
        workloads=(
            workload(),
            workload("own", "free", template_labels={"istio.io/rev": "stable"}),
            workload("opted", "free", template_labels=TRUE),
            workload("lost", "nosuch"),
        ),
        gateways=(gateway("edge", "free", labels={"istio.io/rev": "stable"}),),
    )
    facts = {
        one.subject: one.fact
        for one in of_code("tag-moves", given, moves_tags=(DEFAULT, "stable", "idle"))
    }
    assert facts == {
        "tag/default": (
            "Tag default will point to 1-29-1; "
            "it is followed by namespace shop, free/Deployment/opted."
        ),
        "tag/stable": (
            "Tag stable will point to 1-29-1; it is followed by namespace pay, "
            "free/Deployment/own, Gateway free/edge."
        ),
        "tag/idle": "Tag idle will point to 1-29-1; nothing follows it.",
    }


# ------------------------------------------------------------------ webhooks


@pytest.mark.parametrize(
    ("hook", "words"),
    [
        (tag_webhook(services=(f"{MESH}/gone",)), "belongs to no istiod that is there"),
        (injector(services=()), "calls no Service of this cluster"),
        (tag_webhook("prod", "1-27-0", services=(f"{MESH}/gone",)), "gone"),
    ],
)
def test_point_10_an_injector_in_use_whose_service_is_gone_blocks(hook: object, words: str) -> None:
    spaces = (namespace("shop"), namespace("pay", labels={"istio.io/rev": "prod"}))
    (one,) = of_code("injector-broken", mesh(webhooks=(hook,), namespaces=spaces))
    assert one.severity is BLOCKS
    assert words in one.fact


def test_a_tag_whose_service_is_gone_is_set_again() -> None:
    hook = tag_webhook(services=(f"{MESH}/gone",))
    (one,) = of_code("injector-broken", mesh(webhooks=(hook,)))
    assert one.todo == f"Run istioctl tag set default --revision {OLD} --overwrite."


@pytest.mark.parametrize(
    ("endpoints", "words"), [(0, "no ready endpoint"), (None, "could not be read")]
)
def test_an_injector_that_nobody_answers_blocks(endpoints: int | None, words: str) -> None:
    given = mesh(control_planes=(plane(ready_endpoints=endpoints),))
    every = of_code("injector-broken", given)
    assert [one.severity for one in every] == [BLOCKS, BLOCKS]
    assert words in every[0].fact


@pytest.mark.parametrize(
    "user",
    [
        {"namespaces": (namespace("pay", labels={"istio.io/rev": "1-27-0"}),)},
        {"workloads": (workload("x", "free", template_labels={"istio.io/rev": "1-27-0"}),)},
        {"gateways": (gateway(labels={"istio.io/rev": "1-27-0"}),)},
    ],
)
def test_a_broken_injector_blocks_only_where_somebody_asks_for_it(
    user: dict[str, object],
) -> None:
    hooks = (injector("1-27-0"), injector("1-26-0", is_deactivated=True))
    unused = of_code("stale-webhook", mesh(webhooks=hooks))
    assert names(unused) == [
        "WARNS stale-webhook:MutatingWebhookConfiguration/istio-sidecar-injector-1-27-0"
    ]
    assert "kubectl delete mutatingwebhookconfiguration" in unused[0].todo
    used = mesh(webhooks=hooks, **user)
    assert not of_code("stale-webhook", used)
    assert of_code("injector-broken", used)


def test_a_webhook_that_is_no_revisions_and_no_tags_is_not_ours_to_judge() -> None:
    hook = msgspec.structs.replace(injector(services=("other/svc",)), revision=None)
    given = mesh(webhooks=(injector(), hook))
    assert found(given) == []


def test_point_8_a_validator_that_calls_a_service_that_is_gone_blocks() -> None:
    hooks = (injector(), default_validator(services=(f"{MESH}/istiod-1-27-0",)))
    one = only(
        found(mesh(webhooks=hooks)),
        BLOCKS,
        "validator-broken:ValidatingWebhookConfiguration/istiod-default-validator",
    )
    assert "every write of an Istio resource" in one.fact
    assert f"istioctl tag set default --revision {OLD}" in one.todo


def test_a_revisions_own_validator_is_looked_at_as_well() -> None:
    (one,) = of_code("validator-broken", mesh(webhooks=(validator("1-27-0"),)))
    assert "Bring istiod of revision 1-27-0 back" in one.todo


def test_the_webhooks_of_an_unfinished_canary_of_our_own_do_not_block() -> None:
    given = mesh(
        control_planes=(plane(OLD), plane(NEW, ready_endpoints=0)),
        webhooks=(injector(OLD), tag_webhook(), injector(NEW), validator(NEW)),
    )
    every = of_code("canary-unfinished", given, adopted=True)
    assert [one.severity for one in every] == [WARNS, WARNS]
    assert not of_code("validator-broken", given, adopted=True)


def test_an_injector_of_the_old_revision_without_a_ca_bundle_is_a_warning() -> None:
    hooks = (injector(has_ca_bundle=False), tag_webhook(), injector(NEW, has_ca_bundle=False))
    given = mesh(control_planes=(plane(OLD), plane(NEW)), webhooks=hooks)
    one = only(
        found(given, adopted=True),
        WARNS,
        f"empty-ca-bundle:MutatingWebhookConfiguration/istio-sidecar-injector-{OLD}",
    )
    assert f"Restart istiod of revision {OLD}" in one.todo
