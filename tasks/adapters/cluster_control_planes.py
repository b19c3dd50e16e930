"""Istio's own objects in the domain's words: istiods, webhooks, tags. Makes no requests."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from tasks.adapters.cluster_objects import (
    EndpointSliceObject,
    Meta,
    PodObject,
    Selector,
    WebhookEntry,
    WebhookObject,
    WorkloadObject,
)
from tasks.adapters.cluster_pods import istiod_of
from tasks.domain.errors import BadInputError
from tasks.domain.inventory import ControlPlane, Tag, Webhook, WebhookKind
from tasks.domain.revision import COMPONENT_LABEL, DEFAULT, REVISION_LABEL, TAG_LABEL, Version

APP_LABEL: Final = "app"
_SERVICE_OF_SLICE: Final = "kubernetes.io/service-name"
_DEACTIVATED: Final = ("istio.io/deactivated", "never-match")
_OVER: Final = frozenset({"Succeeded", "Failed"})
_IMAGE_TAG: Final = re.compile(r":([^/:@]+)(?:@[^/]*)?$")


class Texts(msgspec.Struct, frozen=True, kw_only=True):
    """What ConfigMaps say of one control plane."""

    mesh_config: str | None = None
    values: str | None = None
    root_certificate: str | None = None


def revision_of(meta: Meta) -> str:
    """Return an istiod's revision: one without the label calls itself default."""
    return meta.labels_or_none.get(REVISION_LABEL) or DEFAULT


def suffix_of(revision: str) -> str:
    """Return what Istio appends to the names of a revision's objects."""
    return "" if revision == DEFAULT else f"-{revision}"


def control_plane_of(
    deployment: WorkloadObject,
    *,
    pods: Iterable[PodObject],
    webhooks: Iterable[Webhook],
    slices: Sequence[EndpointSliceObject] | None,
    texts: Texts,
) -> ControlPlane:
    """Return one istiod Deployment with everything that belongs to it."""
    meta = deployment.metadata
    revision = revision_of(meta)
    service = _service(revision, meta.namespace, webhooks)
    replicas = deployment.spec.replicas
    return ControlPlane(
        revision=revision,
        namespace=meta.namespace,
        deployment=meta.name,
        version=_version(deployment),
        replicas=1 if replicas is None else replicas,
        ready_replicas=deployment.status.ready_replicas,
        service=service,
        ready_endpoints=None if slices is None else _ready_endpoints(service, slices),
        pods=tuple(
            istiod_of(pod)
            for pod in pods
            if _is_istiod(pod, namespace=meta.namespace) and revision_of(pod.metadata) == revision
        ),
        mesh_config=texts.mesh_config,
        values=texts.values,
        root_certificate=texts.root_certificate,
    )


def _is_istiod(pod: PodObject, *, namespace: str) -> bool:
    meta = pod.metadata
    return (
        meta.namespace == namespace
        and meta.labels_or_none.get(APP_LABEL) == "istiod"
        and pod.status.phase not in _OVER
    )


def _version(deployment: WorkloadObject) -> str | None:
    for container in deployment.spec.template.spec.containers or ():
        tag = _IMAGE_TAG.search(container.image)
        if container.name != "discovery" or tag is None:
            continue
        try:
            return str(Version.parse(tag[1]))
        except BadInputError:
            return None
    return None


def _service(revision: str, namespace: str, webhooks: Iterable[Webhook]) -> str:
    """Return the Service that the revision's own injector calls, else the customary one."""
    for hook in webhooks:
        if (
            hook.kind is not WebhookKind.MUTATING
            or hook.tag is not None
            or (hook.revision or DEFAULT) != revision
        ):
            continue
        for service in hook.services:
            where, _, name = service.partition("/")
            if where == namespace:
                return name
    return f"istiod{suffix_of(revision)}"


def _ready_endpoints(service: str, slices: Iterable[EndpointSliceObject]) -> int:
    # By pod, since a Service of both IP families has every pod in two slices.
    ready: set[str] = set()
    for one in slices:
        if one.metadata.labels_or_none.get(_SERVICE_OF_SLICE) != service:
            continue
        for endpoint in one.endpoints or ():
            name = endpoint.target_ref.name if endpoint.target_ref else ""
            if endpoint.conditions.ready is not False:
                ready.add(name or ",".join(endpoint.addresses or ()))
    return len(ready)


def webhooks_of(kind: WebhookKind, found: Iterable[WebhookObject]) -> list[Webhook]:
    """Return Istio's webhook configurations among all of one kind."""
    return [_webhook(kind, one) for one in found if _is_istios(one.metadata)]


def _is_istios(meta: Meta) -> bool:
    labels = meta.labels_or_none
    return (
        REVISION_LABEL in labels
        or TAG_LABEL in labels
        or labels.get(APP_LABEL) == "sidecar-injector"
        or meta.name.startswith(("istio-", "istiod-"))
    )


def _webhook(kind: WebhookKind, found: WebhookObject) -> Webhook:
    labels, entries = found.metadata.labels_or_none, found.webhooks or ()
    return Webhook(
        kind=kind,
        name=found.metadata.name,
        revision=labels.get(REVISION_LABEL),
        tag=labels.get(TAG_LABEL),
        services=_services(entries),
        has_ca_bundle=bool(entries) and all(one.client_config.ca_bundle for one in entries),
        is_deactivated=bool(entries) and all(_is_shut(one) for one in entries),
        component=labels.get(COMPONENT_LABEL),
        version=found.metadata.resource_version,
    )


def _services(entries: Iterable[WebhookEntry]) -> tuple[str, ...]:
    called = [one.client_config.service for one in entries]
    return tuple(dict.fromkeys(f"{one.namespace}/{one.name}" for one in called if one))


def _is_shut(entry: WebhookEntry) -> bool:
    return _never_matches(entry.namespace_selector) and _never_matches(entry.object_selector)


def _never_matches(selector: Selector | None) -> bool:
    label, value = _DEACTIVATED
    return selector is not None and (selector.match_labels or {}).get(label) == value


def tags_of(webhooks: Iterable[Webhook]) -> list[Tag]:
    """Return the tags, `default` included: each is one mutating webhook configuration."""
    return [
        Tag(name=hook.tag, revision=hook.revision, service=next(iter(hook.services), None))
        for hook in webhooks
        if hook.kind is WebhookKind.MUTATING and hook.tag and hook.revision
    ]
