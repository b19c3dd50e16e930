"""
How the lists of the built-in kinds are built: which are sets, and which hold things with a key.

Strategic merge patches and server-side apply both go by it, and disagree here and there, as the real
API does: that is why there are two columns. A list that is not named here is replaced as a whole. A
path names fields only; what is in a list has the path of the list.
"""

from collections.abc import Mapping
from typing import Final

from deployments.rehearsal.cluster.registry import Resource

Path = tuple[str, ...]
Keys = tuple[str, ...]

# Field: the keys by which apply tells its items apart; patches take the first of them.
_KEYED: Final[Mapping[str, Keys]] = {
    "addresses": ("type",),
    "containers": ("name",),
    "env": ("name",),
    "ephemeralContainers": ("name",),
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "matchConditions": ("name",),
    "ownerReferences": ("uid",),
    "podIPs": ("ip",),
    "resourceClaims": ("name",),
    "schedulingGates": ("name",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
    "webhooks": ("name",),
    "conditions": ("type",),
}
_CONTAINERS: Final = frozenset({"containers", "initContainers", "ephemeralContainers"})
_CUSTOM: Final = frozenset({"ownerReferences", "conditions"})
_ATOMIC_MAPS: Final = frozenset(
    {
        "claimRef",
        "configMapKeyRef",
        "fieldRef",
        "involvedObject",
        "labelSelector",
        "namespaceSelector",
        "nodeSelector",
        "objectSelector",
        "podSelector",
        "resourceFieldRef",
        "roleRef",
        "secretKeyRef",
        "targetRef",
    }
)


def apply_keys(resource: Resource, path: Path) -> Keys | None:
    """Return the keys by which apply tells a list's items apart, None if it has no such."""
    field, parent = path[-1], path[-2] if len(path) > 1 else ""
    if field == "conditions" and resource.plural == "jobs":
        return None
    if field == "imagePullSecrets" and parent == "":
        return None
    return _keys(resource, field, parent)


def patch_key(resource: Resource, path: Path) -> str | None:
    """Return the key by which strategic merge patches tell a list's items apart."""
    field, parent = path[-1], path[-2] if len(path) > 1 else ""
    if field == "imagePullSecrets" and parent == "":
        return None
    keys = _keys(resource, field, parent)
    return keys[0] if keys else None


def _keys(resource: Resource, field: str, parent: str) -> Keys | None:
    if resource.is_custom:
        # Only what Kubernetes itself knows of them; for the rest their schema would have to be asked.
        return _KEYED[field] if field in _CUSTOM and parent == "metadata" else None
    if field == "ports":
        if parent in _CONTAINERS:
            return ("containerPort", "protocol")
        return ("port", "protocol") if resource.plural == "services" and parent == "spec" else None
    if field == "secrets":
        return ("name",) if parent == "" else None
    if field == "addresses" and resource.plural != "nodes":
        return None
    return _KEYED.get(field)


def applies_as_set(path: Path) -> bool:
    """Say whether apply takes a list for a set of plain values."""
    return path in {("metadata", "finalizers"), ("spec", "podCIDRs")}


def patches_as_set(path: Path) -> bool:
    """Say whether a strategic merge patch adds to a list of plain values."""
    return applies_as_set(path)


def is_atomic_map(resource: Resource, path: Path) -> bool:
    """Say whether apply takes an object as one value, which one manager owns whole."""
    if resource.is_custom:
        return False
    if path[-1] == "selector":
        return path == ("spec", "selector")
    return path[-1] in _ATOMIC_MAPS
