"""The roles that every cluster has, as far as somebody uses them here, and who has them."""

from collections.abc import Iterator, Sequence
from typing import Final

from deployments.rehearsal.cluster.callers import AUTHENTICATED, MASTERS
from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import CLUSTERROLEBINDINGS, CLUSTERROLES

_PUBLIC: Final = ("/healthz", "/livez", "/readyz", "/version", "/version/")
_READ: Final = ("get", "list", "watch")
_WRITE: Final = ("create", "delete", "deletecollection", "patch", "update")
_REVIEWS: Final = ("selfsubjectaccessreviews", "selfsubjectrulesreviews")
_CORE: Final = (
    "bindings",
    "configmaps",
    "endpoints",
    "events",
    "limitranges",
    "namespaces",
    "persistentvolumeclaims",
    "pods",
    "pods/log",
    "pods/status",
    "replicationcontrollers",
    "replicationcontrollers/scale",
    "resourcequotas",
    "serviceaccounts",
    "services",
)
_EDITED: Final = (
    "configmaps",
    "events",
    "persistentvolumeclaims",
    "pods",
    "pods/attach",
    "pods/eviction",
    "pods/exec",
    "pods/portforward",
    "pods/proxy",
    "replicationcontrollers",
    "replicationcontrollers/scale",
    "secrets",
    "serviceaccounts",
    "serviceaccounts/token",
    "services",
    "services/proxy",
)
_WORKLOADS: Final = (
    ("apps", ("*",)),
    ("batch", ("*",)),
    ("autoscaling", ("*",)),
    ("networking.k8s.io", ("*",)),
    ("policy", ("*",)),
)


def first_roles() -> Iterator[tuple[Resource, str, Json]]:
    """Yield the roles and bindings, each with its name and the rest of it."""
    for name, rules in _roles().items():
        to = name.removeprefix("system:aggregate-to-")
        labels = {f"rbac.authorization.k8s.io/aggregate-to-{to}": "true"} if to != name else {}
        yield CLUSTERROLES, name, {"rules": rules, "labels": labels}
    for name in ("admin", "edit", "view"):
        yield CLUSTERROLES, name, _aggregated(name)
    for role, group in (
        ("cluster-admin", MASTERS),
        ("system:basic-user", AUTHENTICATED),
        ("system:discovery", AUTHENTICATED),
        ("system:public-info-viewer", AUTHENTICATED),
        ("system:public-info-viewer", "system:unauthenticated"),
    ):
        yield CLUSTERROLEBINDINGS, _binding_name(role, group), _bound(role, group)


def _roles() -> dict[str, list[Json]]:
    return {
        "cluster-admin": [
            rule(["*"], ["*"], ["*"]),
            {"nonResourceURLs": ["*"], "verbs": ["*"]},
        ],
        "system:basic-user": [
            rule(["authorization.k8s.io"], _REVIEWS, ["create"]),
            rule(["authentication.k8s.io"], ["selfsubjectreviews"], ["create"]),
        ],
        "system:discovery": [
            _urls("/api", "/api/*", "/apis", "/apis/*", "/openapi", "/openapi/*", *_PUBLIC)
        ],
        "system:public-info-viewer": [_urls(*_PUBLIC)],
        "system:aggregate-to-view": [
            rule([""], _CORE, _READ),
            *(rule([group], resources, _READ) for group, resources in _WORKLOADS),
        ],
        "system:aggregate-to-edit": [
            rule([""], ["secrets", "pods/exec", "pods/portforward", "pods/proxy"], _READ),
            rule([""], _EDITED, _WRITE),
            *(rule([group], resources, _WRITE) for group, resources in _WORKLOADS),
            rule(["coordination.k8s.io"], ["leases"], (*_READ, *_WRITE)),
        ],
        "system:aggregate-to-admin": [
            rule(["rbac.authorization.k8s.io"], ["rolebindings", "roles"], (*_READ, *_WRITE)),
        ],
    }


def rule(groups: Sequence[str], resources: Sequence[str], verbs: Sequence[str]) -> Json:
    return {"apiGroups": list(groups), "resources": list(resources), "verbs": list(verbs)}


def _urls(*paths: str) -> Json:
    return {"nonResourceURLs": list(paths), "verbs": ["get"]}


def _aggregated(to: str) -> Json:
    """Return a role that collects others: those for readers are in those for writers, and so on."""
    wanted = {"view": ("view",), "edit": ("edit", "view"), "admin": ("admin", "edit", "view")}[to]
    selectors = [
        {"matchLabels": {f"rbac.authorization.k8s.io/aggregate-to-{one}": "true"}} for one in wanted
    ]
    return {"aggregationRule": {"clusterRoleSelectors": selectors}, "rules": []}


def _binding_name(role: str, group: str) -> str:
    is_second = group == "system:unauthenticated"
    return f"{role}-anonymous" if is_second else role


def _bound(role: str, group: str) -> Json:
    api = "rbac.authorization.k8s.io"
    return {
        "roleRef": {"apiGroup": api, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": api, "kind": "Group", "name": group}],
    }
