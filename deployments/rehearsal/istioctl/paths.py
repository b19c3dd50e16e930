"""Where the API server keeps objects of the kinds that Istio is made of. Pure."""

from typing import Any, Final
from urllib.parse import quote

Json = dict[str, Any]

_PLURALS: Final = {
    "CustomResourceDefinition": "customresourcedefinitions",
    "NetworkPolicy": "networkpolicies",
    "PodDisruptionBudget": "poddisruptionbudgets",
}
_CLUSTER_WIDE: Final = frozenset({
    "ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "Namespace",
    "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration",
})  # fmt: skip


def plural_of(kind: str) -> str:
    return _PLURALS.get(kind, f"{kind.lower()}s")


def path_of(api_version: str, kind: str, *, namespace: str = "", name: str = "") -> str:
    """Return the path of an object, or of a list if it has no name."""
    base = f"/api/{api_version}" if "/" not in api_version else f"/apis/{api_version}"
    if namespace and kind not in _CLUSTER_WIDE:
        base += f"/namespaces/{quote(namespace)}"
    return f"{base}/{plural_of(kind)}" + (f"/{quote(name)}" if name else "")


def path_of_object(obj: Json) -> str:
    metadata = obj["metadata"]
    return path_of(
        obj["apiVersion"],
        obj["kind"],
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
    )
