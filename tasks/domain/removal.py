"""
The proof that nothing uses a revision any more, and that an uninstall would remove only it.

It is drawn from one look at the cluster. Proxies come back by and by, so the caller looks twice, a
quiet period apart, before it believes that there are none. What could not be read counts as a use.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec

from tasks.domain.injection import followed, namespace_follows
from tasks.domain.inventory import (
    Gateway,
    Inventory,
    IstiodReport,
    Namespace,
    Pod,
    Proxy,
    Tag,
    Webhook,
    WebhookKind,
)
from tasks.domain.revision import DEFAULT, REVISION_LABEL, UNKNOWN

# After an istiod starts, its proxies come back one by one for up to half a minute (seen: 22 s).
RECONNECT: Final = timedelta(seconds=60)

# What the installer makes for one revision, in the control plane's namespace.
_NAMESPACED: Final = (
    ("istiod", ("Deployment", "Service", "ServiceAccount", "Role", "RoleBinding")),
    ("istiod", ("PodDisruptionBudget", "HorizontalPodAutoscaler")),
    ("istio", ("ConfigMap",)),
    ("istio-sidecar-injector", ("ConfigMap",)),
    ("values", ("ConfigMap",)),
)
# The same without a namespace, whose name ends these objects' names instead.
_CLUSTER_WIDE: Final = (
    ("istiod-clusterrole", ("ClusterRole", "ClusterRoleBinding")),
    ("istiod-gateway-controller", ("ClusterRole", "ClusterRoleBinding")),
    ("istio-reader-clusterrole", ("ClusterRole", "ClusterRoleBinding")),
    ("istio-validator", (str(WebhookKind.VALIDATING),)),
)
_INJECTOR: Final = "istio-sidecar-injector"
_RESTART: Final = "restart it, or delete it if nothing recreates it"


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """One object that `istioctl uninstall --dry-run` would delete."""

    kind: str
    name: str
    namespace: str = ""

    def __str__(self) -> str:
        """Return `Kind/name.namespace`, as istioctl writes it."""
        return f"{self.kind}/{self.name}" + (f".{self.namespace}" if self.namespace else "")


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """One reason why a revision may not be removed, and what to do about it."""

    what: str
    todo: str
    is_unknown: bool = False  # could not be read, or is too young to tell: may pass by itself


def uses(
    revision: str,
    *,
    inventory: Inventory,
    reports: Sequence[IstiodReport],
) -> tuple[Use, ...]:
    """
    List everything that uses a revision or could; empty means that nothing does.

    What could not be read is listed too, as unknown: absence of evidence removes nothing.
    """
    return (
        *_unread(inventory),
        *_pods(revision, inventory),
        *_unasked(revision, inventory, reports),
        *_proxies(revision, inventory, reports),
        *_tags(revision, inventory),
        *_labels(revision, inventory),
        *_webhooks(revision, inventory),
    )


def _unread(inventory: Inventory) -> list[Use]:
    return [
        Use(
            what=f"{one.what} could not be read: {one.why}",
            todo="give the right to read it, then run again",
            is_unknown=True,
        )
        for one in inventory.unread
    ]


def _pods(revision: str, inventory: Inventory) -> list[Use]:
    return [
        _pod(pod, what)
        for pod in inventory.pods
        if not pod.is_over and (what := _proxy_of(pod, revision)) is not None
    ]


def _proxy_of(pod: Pod, revision: str) -> str | None:
    if pod.revision == revision:
        return f"has a proxy of revision {revision}"
    if pod.revision == UNKNOWN:
        return "has a proxy of a revision that its marks do not say"
    return None


def _pod(pod: Pod, what: str) -> Use:
    named = f"pod {pod.namespace}/{pod.name} {what}"
    if pod.is_terminating:
        return Use(what=f"{named} and is terminating", todo="wait for it to end", is_unknown=True)
    return Use(what=named, todo=_RESTART, is_unknown=pod.revision == UNKNOWN)


def _unasked(revision: str, inventory: Inventory, reports: Sequence[IstiodReport]) -> list[Use]:
    """List the revision's istiods that should have been asked for their proxies and were not."""
    plane = inventory.control_plane(revision)
    if plane is None:
        return []
    asked = {report.istiod.name for report in reports}
    missing = [f"istiod {pod.name} was not" for pod in plane.pods if pod.name not in asked]
    if plane.replicas and not plane.pods:
        missing = [f"no pod of {plane.deployment} could be"]
    return [
        Use(what=f"{one} asked for its proxies", todo="run again", is_unknown=True)
        for one in missing
    ]


def _proxies(revision: str, inventory: Inventory, reports: Sequence[IstiodReport]) -> list[Use]:
    pods = {pod.proxy: pod for pod in inventory.pods}
    found: list[Use] = []
    for report in reports:
        if report.istiod.revision != revision:
            continue
        if report.proxies:
            found += [_connected(proxy, report, pods.get(proxy.name)) for proxy in report.proxies]
        elif (doubt := _doubt(report, now=inventory.read_at)) is not None:
            found.append(doubt)
    return found


def _connected(proxy: Proxy, report: IstiodReport, pod: Pod | None) -> Use:
    what = f"proxy {proxy.name} is connected to {report.istiod.name}"
    if pod is None:
        return Use(
            what=f"{what}, and no pod of that name is known",
            todo="wait if its pod has just gone; move it if it runs outside this cluster",
            is_unknown=True,
        )
    if pod.is_terminating:
        return Use(what=f"{what} and its pod is terminating", todo="wait for it", is_unknown=True)
    return Use(what=what, todo=_RESTART)


def _doubt(report: IstiodReport, *, now: datetime) -> Use | None:
    """Say why an istiod that names no proxies proves nothing yet, None if it does."""
    name, started = report.istiod.name, report.istiod.started_at
    if report.proxies is None:
        return Use(
            what=f"istiod {name} did not say which proxies use it: {report.problem or 'no answer'}",
            todo="let it answer on port 15014 through a port-forward, then run again",
            is_unknown=True,
        )
    if started is not None and now - started >= RECONNECT:
        return None
    age = "is not running" if started is None else "started less than a minute ago"
    return Use(
        what=f"istiod {name} {age}, so that it lists no proxies means nothing",
        todo="wait until it has been up for a minute",
        is_unknown=True,
    )


def _tags(revision: str, inventory: Inventory) -> list[Use]:
    return [
        Use(
            what=f"tag {tag.name!r} points to revision {revision}",
            todo=f"istioctl tag set {tag.name} --revision NEW --overwrite, or remove the tag",
        )
        for tag in _tags_on(revision, inventory)
    ]


def _tags_on(revision: str, inventory: Inventory) -> list[Tag]:
    """Return the tags that name a revision, or whose webhooks call it whatever they name."""
    services = _services(revision, inventory)
    return [tag for tag in inventory.tags if tag.revision == revision or tag.service in services]


def _services(revision: str, inventory: Inventory) -> set[str]:
    """Return the revision's Service: as read, and as the installer names it if that is gone."""
    plane = inventory.control_plane(revision)
    named = f"{inventory.istio_namespace}/istiod{_suffix(revision)}"
    return {named} if plane is None else {named, f"{plane.namespace}/{plane.service}"}


def _labels(revision: str, inventory: Inventory) -> list[Use]:
    # A tag takes the labels of its name over: `default` after the default has moved.
    if any(tag.name == revision for tag in inventory.tags):
        return []
    spaces = {one.name: one for one in inventory.namespaces if not one.is_terminating}
    found = [use for one in spaces.values() if (use := _namespace(one, revision)) is not None]
    for what, where, labels in _templates(inventory):
        space = spaces.get(where)
        if (why := _bound(labels, space.labels if space else {}, revision)) is not None:
            found.append(Use(what=f"{what} {why}", todo="change it to the new revision"))
    for gateway in inventory.gateways:
        if (why := _gateway(gateway, spaces.get(gateway.namespace), revision)) is not None:
            what = f"Gateway {gateway.namespace}/{gateway.name} {why}"
            found.append(Use(what=what, todo="label it with the new revision"))
    return found


def _namespace(namespace: Namespace, revision: str) -> Use | None:
    if namespace.labels.get(REVISION_LABEL) == revision:
        return Use(
            what=f"namespace {namespace.name} is labelled {REVISION_LABEL}={revision}",
            todo="label it with the new revision: after the uninstall its pods would silently get "
            "no sidecar",
        )
    if namespace_follows(namespace.labels) == revision:
        return Use(
            what=f"namespace {namespace.name} is injected by default, which is revision {revision}",
            todo="istioctl tag set default --revision NEW",
        )
    return None


def _templates(inventory: Inventory) -> list[tuple[str, str, Mapping[str, str]]]:
    """Return what new pods are made from: templates, and pods that have none that we know."""
    known = {one.ref for one in inventory.workloads}
    return [
        *(
            (f"the template of {one.ref}", one.ref.namespace, one.template_labels)
            for one in inventory.workloads
            if not inventory.is_istiod(one.ref)
        ),
        *(
            (f"pod {pod.namespace}/{pod.name}", pod.namespace, pod.labels)
            for pod in inventory.pods
            if pod.workload not in known and not pod.is_over
        ),
    ]


def _bound(labels: Mapping[str, str], space: Mapping[str, str], revision: str) -> str | None:
    """Say how a pod's own labels ask for a revision, None if they do not."""
    if labels.get(REVISION_LABEL) == revision:
        return f"is labelled {REVISION_LABEL}={revision}"
    if namespace_follows(space) is None and followed(space, labels) == revision:
        return f"asks to be injected by default, which is revision {revision}"
    return None


def _gateway(gateway: Gateway, space: Namespace | None, revision: str) -> str | None:
    """Say how a Gateway follows a revision: by its label, else its namespace's, else by default."""
    if (own := gateway.labels.get(REVISION_LABEL)) is not None:
        return f"is labelled {REVISION_LABEL}={revision}" if own == revision else None
    by_namespace = namespace_follows(space.labels) if space else None
    if by_namespace is None and revision == DEFAULT:
        return f"follows the default, which is revision {revision}"
    return None


def _webhooks(revision: str, inventory: Inventory) -> list[Use]:
    services = _services(revision, inventory)
    tags = {tag.name for tag in _tags_on(revision, inventory)}  # these are listed already
    return [
        Use(
            what=f"{hook.kind} {hook.name} calls Service {', '.join(hook.services)}",
            todo="point it to the new revision; for the default's ones that is what "
            "istioctl tag set default --revision NEW --overwrite does",
        )
        for hook in inventory.webhooks
        if services & set(hook.services)
        and hook.tag not in tags
        and not _is_harmless(hook, revision, inventory)
    ]


def _is_harmless(hook: Webhook, revision: str, inventory: Inventory) -> bool:
    """Whether a webhook configuration goes with the revision and nobody would miss it."""
    own = own_objects(revision, namespace=_namespace_of(revision, inventory))
    if hook.tag is not None or Listed(kind=hook.kind, name=hook.name) not in own:
        return False
    # An unrevisioned istiod's injector takes what follows the default until `tag set` shuts it.
    tag = next((tag for tag in inventory.tags if tag.name == revision), None)
    is_taken_over = tag is not None and tag.revision != revision
    return hook.kind is WebhookKind.VALIDATING or hook.is_deactivated or not is_taken_over


def _namespace_of(revision: str, inventory: Inventory) -> str:
    plane = inventory.control_plane(revision)
    return plane.namespace if plane else inventory.istio_namespace


def refusals(
    listed: Sequence[Listed], *, revision: str, namespace: str = "istio-system"
) -> tuple[str, ...]:
    """
    Return what an uninstall would delete and must not: all but the revision's own objects.

    Istio deletes by labels; tags, the default validator, gateways, CNI and ztunnel can bear them.
    """
    own = own_objects(revision, namespace=namespace)
    return tuple(str(one) for one in listed if one not in own)


def own_objects(revision: str, *, namespace: str) -> frozenset[Listed]:
    """Return what belongs to one revision's istiod and to nothing else, by exact names."""
    end = _suffix(revision)
    # Only outside istio-system does the injector say in whose namespace its istiod is.
    elsewhere = "" if namespace == "istio-system" else f"-{namespace}"
    injector = Listed(kind=WebhookKind.MUTATING, name=f"{_INJECTOR}{end}{elsewhere}")
    namespaced = {
        Listed(kind=kind, name=f"{stem}{end}", namespace=namespace)
        for stem, kinds in _NAMESPACED
        for kind in kinds
    }
    cluster_wide = {
        Listed(kind=kind, name=f"{stem}{end}-{namespace}")
        for stem, kinds in _CLUSTER_WIDE
        for kind in kinds
    }
    return frozenset({injector} | namespaced | cluster_wide)


def _suffix(revision: str) -> str:
    return "" if revision == DEFAULT else f"-{revision}"
