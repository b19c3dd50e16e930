"""
Domain values with sensible defaults, so that a test says only what it is about.

The mesh that they describe runs 1.28.3 as `1-28-3`, which is the default, and its canary 1.29.1 as
`1-29-1`. Every builder takes any field of its value as a keyword. Equal calls give equal values:
nothing here reads a clock or draws a random number.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from tasks.domain.approval import Answer, Gate, Row, Vote, sign
from tasks.domain.inventory import (
    ControlPlane,
    DisruptionBudget,
    Gateway,
    Inventory,
    IstiodPod,
    IstiodReport,
    Kind,
    LabelledConfig,
    Namespace,
    Pod,
    Proxy,
    Tag,
    Unread,
    Webhook,
    WebhookKind,
    Workload,
    WorkloadRef,
    XdsState,
)
from tasks.domain.policy import Policy
from tasks.domain.revision import DEFAULT

NOW: Final = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
OLD: Final = "1-28-3"
NEW: Final = "1-29-1"
MESH: Final = "istio-system"
KEY: Final = b"0123456789abcdef0123456789abcdef"
DIGEST: Final = "d" * 64
RUN: Final = "run-1"
REQUESTER: Final = "kubernetes:ann"

_VERSIONS: Final = {OLD: "1.28.3", NEW: "1.29.1", DEFAULT: "1.28.3"}
_SYNCED: Final = {kind: XdsState(sent="n1", acked="n1") for kind in ("CDS", "LDS", "EDS", "RDS")}


def after(seconds: float) -> datetime:
    """Return the moment so many seconds after NOW, before it when negative."""
    return NOW + timedelta(seconds=seconds)


def ref(name: str = "cart", namespace: str = "shop", kind: Kind = Kind.DEPLOYMENT) -> WorkloadRef:
    """Name a workload."""
    return WorkloadRef(namespace=namespace, kind=kind, name=name)


def istiod_name(revision: str = OLD) -> str:
    """Return what the installer calls the Deployment and the Service of a revision."""
    return "istiod" if revision == DEFAULT else f"istiod-{revision}"


def istiod(revision: str = OLD, **changes: object) -> IstiodPod:
    """Build one ready istiod pod, an hour old."""
    made = IstiodPod(
        name=f"{istiod_name(revision)}-0",
        namespace=MESH,
        revision=revision,
        ready=True,
        started_at=after(-3600),
    )
    return msgspec.structs.replace(made, **changes)


def plane(revision: str = OLD, **changes: object) -> ControlPlane:
    """Build a healthy control plane with one istiod pod."""
    made = ControlPlane(
        revision=revision,
        namespace=MESH,
        deployment=istiod_name(revision),
        version=_VERSIONS.get(revision),
        replicas=1,
        ready_replicas=1,
        service=istiod_name(revision),
        ready_endpoints=1,
        pods=(istiod(revision),),
    )
    return msgspec.structs.replace(made, **changes)


def injector(revision: str = OLD, **changes: object) -> Webhook:
    """Build the injector's webhook configuration of a revision."""
    suffix = "" if revision == DEFAULT else f"-{revision}"
    made = Webhook(
        kind=WebhookKind.MUTATING,
        name=f"istio-sidecar-injector{suffix}",
        revision=revision,
        tag=None,
        services=(f"{MESH}/{istiod_name(revision)}",),
        has_ca_bundle=True,
        component="Pilot",
    )
    return msgspec.structs.replace(made, **changes)


def validator(revision: str = OLD, **changes: object) -> Webhook:
    """Build the validating webhook configuration of a revision's own."""
    suffix = "" if revision == DEFAULT else f"-{revision}"
    made = Webhook(
        kind=WebhookKind.VALIDATING,
        name=f"istio-validator{suffix}-{MESH}",
        revision=revision,
        tag=None,
        services=(f"{MESH}/{istiod_name(revision)}",),
        has_ca_bundle=True,
        component="Pilot",
    )
    return msgspec.structs.replace(made, **changes)


def default_validator(revision: str = OLD, **changes: object) -> Webhook:
    """Build the validator that goes with the default tag."""
    made = validator(revision, name="istiod-default-validator")
    return msgspec.structs.replace(made, **changes)


def tag_webhook(name: str = DEFAULT, revision: str = OLD, **changes: object) -> Webhook:
    """Build the webhook configuration that is a tag."""
    made = injector(revision, name=f"istio-revision-tag-{name}", tag=name, component=None)
    return msgspec.structs.replace(made, **changes)


def tag(name: str = DEFAULT, revision: str = OLD, **changes: object) -> Tag:
    """Build a tag whose webhooks call the Service of the revision that it names."""
    made = Tag(name=name, revision=revision, service=f"{MESH}/{istiod_name(revision)}")
    return msgspec.structs.replace(made, **changes)


def namespace(name: str = "shop", **changes: object) -> Namespace:
    """Build a namespace that follows the default revision, unless labels are given."""
    made = Namespace(name=name, labels={"istio-injection": "enabled"})
    return msgspec.structs.replace(made, **changes)


def workload(
    name: str = "cart",
    namespace: str = "shop",
    kind: Kind = Kind.DEPLOYMENT,
    **changes: object,
) -> Workload:
    """Build a workload with two ready replicas."""
    made = Workload(
        ref=ref(name, namespace, kind),
        uid=f"uid-{namespace}-{kind}-{name}",
        replicas=2,
        ready=2,
        template_labels={"app": name},
        generation=1,
        observed_generation=1,
    )
    return msgspec.structs.replace(made, **changes)


def pod(
    name: str = "cart-1",
    namespace: str = "shop",
    revision: str | None = OLD,
    **changes: object,
) -> Pod:
    """Build a ready pod of the Deployment that its name begins with, with a proxy of a revision."""
    made = Pod(
        namespace=namespace,
        name=name,
        uid=f"uid-{namespace}-{name}",
        labels={"app": name.rsplit("-", 1)[0]},
        revision=revision,
        workload=ref(name.rsplit("-", 1)[0], namespace),
        is_ready=True,
    )
    return msgspec.structs.replace(made, **changes)


def gateway(name: str = "edge", namespace: str = "edge", **changes: object) -> Gateway:
    """Build a Gateway API gateway without labels: it follows its namespace, then the default."""
    return msgspec.structs.replace(Gateway(namespace=namespace, name=name), **changes)


def budget(name: str = "cart", namespace: str = "shop", **changes: object) -> DisruptionBudget:
    """Build a PodDisruptionBudget that allows one disruption."""
    made = DisruptionBudget(namespace=namespace, name=name, disruptions_allowed=1, expected_pods=2)
    return msgspec.structs.replace(made, **changes)


def labelled_config(revision: str = OLD, **changes: object) -> LabelledConfig:
    """Build an Istio resource that only one revision sees."""
    made = LabelledConfig(kind="VirtualService", namespace="shop", name="cart", revision=revision)
    return msgspec.structs.replace(made, **changes)


def unread(what: str = "Gateways", why: str = "forbidden") -> Unread:
    """Build a source that could not be read."""
    return Unread(what=what, why=why)


def proxy(
    of: Pod | str = "cart-1.shop", istiod: IstiodPod | None = None, **changes: object
) -> Proxy:
    """Build the row of a proxy, with everything acked, in the report of an istiod."""
    pilot = istiod or _OLD_ISTIOD
    made = Proxy(
        name=of if isinstance(of, str) else of.proxy,
        istiod=pilot.name,
        revision=pilot.revision,
        version=_VERSIONS.get(pilot.revision, ""),
        states=_SYNCED,
    )
    return msgspec.structs.replace(made, **changes)


_OLD_ISTIOD: Final = istiod(OLD)


def report(istiod: IstiodPod | None = None, *of: Pod | str, **changes: object) -> IstiodReport:
    """Build what an istiod says: the proxies of these pods are connected to it, and no others."""
    pilot = istiod or _OLD_ISTIOD
    made = IstiodReport(istiod=pilot, proxies=tuple(proxy(one, pilot) for one in of))
    return msgspec.structs.replace(made, **changes)


def silent(istiod: IstiodPod | None = None, problem: str = "no answer in 5 s") -> IstiodReport:
    """Build the report of an istiod that could not be read."""
    return IstiodReport(istiod=istiod or _OLD_ISTIOD, proxies=None, problem=problem)


def reports(inventory: Inventory, *of: Pod) -> tuple[IstiodReport, ...]:
    """Build a report of every istiod; each pod is connected to the istiods of its own revision."""
    return tuple(
        report(pilot, *(one for one in of if one.revision == pilot.revision))
        for control_plane in inventory.control_planes
        for pilot in control_plane.pods
    )


def inventory(**changes: object) -> Inventory:
    """Build a mesh without workloads, with both control planes and the default on the old one."""
    made = Inventory(
        read_at=NOW,
        istio_namespace=MESH,
        kubernetes="v1.34.4",
        control_planes=(plane(OLD), plane(NEW)),
        webhooks=(
            *(injector(OLD), validator(OLD), injector(NEW), validator(NEW)),
            *(tag_webhook(DEFAULT, OLD), default_validator(OLD)),
        ),
        tags=(tag(DEFAULT, OLD),),
    )
    return msgspec.structs.replace(made, **changes)


def moved_inventory(**changes: object) -> Inventory:
    """Build the mesh after the default has moved: nothing uses the old revision any more."""
    made = inventory(
        webhooks=(
            *(injector(OLD), validator(OLD), injector(NEW), validator(NEW)),
            *(tag_webhook(DEFAULT, NEW), default_validator(NEW)),
        ),
        tags=(tag(DEFAULT, NEW),),
    )
    return msgspec.structs.replace(made, **changes)


def gate(name: str = "start", policy: Policy | None = None, **changes: object) -> Gate:
    """Build a gate asked at NOW that is open for an hour."""
    made = Gate(
        run=RUN,
        name=name,
        digest=DIGEST,
        asked_at=NOW,
        expires_at=after(3600),
        requester=REQUESTER,
        policy=policy or Policy(),
    )
    return msgspec.structs.replace(made, **changes)


def vote(
    person: str = "kubernetes:bob",
    answer: Answer = Answer.APPROVE,
    gate: str = "start",
    **changes: object,
) -> Vote:
    """Build a vote for the gate of the same name, a minute after it was asked."""
    made = Vote(run=RUN, gate=gate, digest=DIGEST, person=person, answer=answer, at=after(60))
    return msgspec.structs.replace(made, **changes)


def control(
    answer: Answer = Answer.HOLD, person: str = "kubernetes:bob", **changes: object
) -> Vote:
    """Build a hold, resume or abort."""
    return msgspec.structs.replace(vote(person, answer, gate="", digest=""), **changes)


def signed(*votes: Vote, key: bytes = KEY) -> tuple[Row, ...]:
    """Sign votes as Prefect would keep them."""
    return tuple(sign(one, key=key) for one in votes)
