"""
What a plan needs to be allowed, exactly, in the terms of SelfSubjectAccessReview.

Not asked for, on purpose:
- `serviceaccounts/token`: only `istioctl proxy-status` needs it; we read istiod by port-forward.
- `escalate` and `bind` on roles: whoever may do as much as the roles say needs neither.
- reading kinds that a cluster may not know (Gateways, Rollouts, Istio's own): a refusal there is
  in the inventory as unread.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from tasks.domain.access import Permission
from tasks.domain.inventory import Kind
from tasks.domain.plan import Action, NamespaceMove, Plan
from tasks.domain.rendering import Rendered

_ADMISSION: Final = "admissionregistration.k8s.io"
_RBAC: Final = "rbac.authorization.k8s.io"
_LEASES: Final = ("coordination.k8s.io", "leases")
_CONFIG_MAPS: Final = ("", "configmaps")
_SERVICES: Final = ("", "services")
_BUDGETS: Final = ("policy", "poddisruptionbudgets")
_AUTOSCALERS: Final = ("autoscaling", "horizontalpodautoscalers")
_WEBHOOKS: Final = (
    (_ADMISSION, "mutatingwebhookconfigurations"),
    (_ADMISSION, "validatingwebhookconfigurations"),
)

# A live picture is watched in the whole cluster, as it is listed.
_WATCHED: Final = (
    ("", "pods"),
    ("apps", "deployments"),
    ("apps", "statefulsets"),
    ("apps", "daemonsets"),
    ("apps", "replicasets"),
)
# istioctl looks through these for what it might prune, whether it installs or uninstalls.
_PRUNED: Final = (
    ("", "pods"),
    ("", "secrets"),
    ("", "serviceaccounts"),
    ("apps", "daemonsets"),
    ("apps", "deployments"),
    ("networking.istio.io", "envoyfilters"),
    (_RBAC, "clusterrolebindings"),
    (_RBAC, "clusterroles"),
    (_RBAC, "rolebindings"),
    (_RBAC, "roles"),
    *(_CONFIG_MAPS, _SERVICES, _BUDGETS, _AUTOSCALERS, *_WEBHOOKS),
)
# What a revision's uninstall deletes. A rollback uninstalls the canary, so a run that keeps the
# old revision needs it too.
_DELETED_HERE: Final = (
    ("", "serviceaccounts"),
    ("apps", "deployments"),
    (_RBAC, "rolebindings"),
    (_RBAC, "roles"),
    *(_CONFIG_MAPS, _SERVICES, _LEASES),
)
_DELETED_EVERYWHERE: Final = (
    (_RBAC, "clusterrolebindings"),
    (_RBAC, "clusterroles"),
    *_WEBHOOKS,
)
_RESTARTED: Final = {
    Kind.DEPLOYMENT: ("apps", "deployments"),
    Kind.STATEFUL_SET: ("apps", "statefulsets"),
    Kind.DAEMON_SET: ("apps", "daemonsets"),
    Kind.ROLLOUT: ("argoproj.io", "rollouts"),
}


def needed(
    plan: Plan, rendered: Rendered | None, *, istio_namespace: str
) -> tuple[Permission, ...]:
    """Return what the plan and the manifest need, each once, in order."""
    asked = {
        *_reads(istio_namespace),
        *_records(istio_namespace),
        *_installs(rendered, istio_namespace),
        *_removes(rendered, istio_namespace),
        *_proofs(plan),
        *(one for namespace in plan.namespaces for one in _moves(namespace)),
    }
    if plan.tags:
        asked |= set(_moves_tags(istio_namespace))
    return tuple(sorted(asked))


def _each(
    verbs: Iterable[str], resources: Iterable[tuple[str, str]], *, namespace: str = ""
) -> Iterator[Permission]:
    wanted = tuple(verbs)
    for group, resource in resources:
        for verb in wanted:
            yield Permission(verb=verb, group=group, resource=resource, namespace=namespace)


def _on_namespace(verb: str, name: str) -> Permission:
    # To RBAC a namespace lies in itself: a Role there may allow it, as may a ClusterRole.
    return Permission(verb=verb, resource="namespaces", namespace=name, name=name)


def _reads(istio_namespace: str) -> Iterator[Permission]:
    yield from _each(["list"], [("", "namespaces"), _BUDGETS, *_WEBHOOKS])
    yield from _each(["list", "watch"], _WATCHED)
    # istioctl watches them while it works with tags.
    yield from _each(["get", "watch"], _WEBHOOKS[:1])
    slices = ("discovery.k8s.io", "endpointslices")
    yield from _each(["list"], [slices, _SERVICES], namespace=istio_namespace)
    yield from _each(["get"], [("", "pods"), _SERVICES], namespace=istio_namespace)
    # Kubernetes asks for `get` of a WebSocket today and for `create` of what comes after.
    forward = ("", "pods/portforward")
    yield from _each(["get", "create"], [forward], namespace=istio_namespace)


def _records(istio_namespace: str) -> Iterator[Permission]:
    """Yield what the journal and the Lease need."""
    yield from _each(["create", "get", "list", "patch"], [_CONFIG_MAPS], namespace=istio_namespace)
    yield from _each(["create", "get", "update"], [_LEASES], namespace=istio_namespace)


def _installs(rendered: Rendered | None, istio_namespace: str) -> Iterator[Permission]:
    # istioctl looks whether its namespace is there before anything else.
    yield _on_namespace("get", istio_namespace)
    yield from _each(["list"], _PRUNED)
    for one in rendered.objects if rendered else ():
        group = one.api_version.rpartition("/")[0]
        # Server-side apply is a patch, and a create where there was nothing.
        yield from _each(
            ["create", "get", "patch"], [(group, plural(one.kind))], namespace=one.namespace
        )


def _removes(rendered: Rendered | None, istio_namespace: str) -> Iterator[Permission]:
    yield from _each(["delete"], _DELETED_HERE, namespace=istio_namespace)
    yield from _each(["delete"], _DELETED_EVERYWHERE)
    kinds = {plural(one.kind) for one in rendered.objects} if rendered else set[str]()
    optional = [one for one in (_BUDGETS, _AUTOSCALERS) if one[1] in kinds]
    yield from _each(["delete"], optional, namespace=istio_namespace)


def _moves_tags(istio_namespace: str) -> Iterator[Permission]:
    # A rollback makes again what is gone, and deletes what was not there.
    verbs = ["create", "delete", "get", "patch"]
    yield from _each(verbs, _WEBHOOKS)
    yield from _each(verbs, [_SERVICES], namespace=istio_namespace)


def _proofs(plan: Plan) -> Iterator[Permission]:
    """Yield what the dry-runs need that prove injection and validation."""
    first = plan.namespaces[0].name if plan.namespaces else "default"
    yield from _each(["create"], [("", "pods")], namespace="default")
    if plan.removes_old:
        yield from _each(["create"], [("networking.istio.io", "virtualservices")], namespace=first)


def _moves(move: NamespaceMove) -> Iterator[Permission]:
    yield _on_namespace("get", move.name)
    yield _on_namespace("patch", move.name)
    yield from _each(["create"], [("", "pods")], namespace=move.name)
    if move.workloads:
        yield from _each(["list"], [("", "events")], namespace=move.name)
    for one in move.workloads:
        if one.action is Action.RESTART:
            yield from _each(["get", "patch"], [_RESTARTED[one.ref.kind]], namespace=move.name)
        elif one.action is Action.DELETE_PODS:
            yield from _each(["get"], [_RESTARTED[one.ref.kind]], namespace=move.name)
            yield from _each(["delete", "get"], [("", "pods")], namespace=move.name)


def plural(kind: str) -> str:
    """Return the resource's name of a kind, by Kubernetes' own rule."""
    lower = kind.lower()
    if lower.endswith("y"):
        return f"{lower[:-1]}ies"
    return f"{lower}es" if lower.endswith(("s", "x", "ch")) else f"{lower}s"
