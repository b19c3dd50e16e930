"""Custom resources: from a CustomResourceDefinition to a resource like any other, at once."""

from typing import Any, Final, cast

from deployments.rehearsal.cluster.objects import Json, metadata_of, now_rfc3339, spec_of
from deployments.rehearsal.cluster.registry import Registry, Resource
from deployments.rehearsal.cluster.resources import CRDS
from deployments.rehearsal.cluster.store import Change, ChangeKind

_CONDITIONS: Final = (
    ("NamesAccepted", "NoConflicts", "no conflicts found"),
    ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
)


def register_custom(registry: Registry, change: Change) -> None:
    """Add, change or remove the resource that a CRD defines."""
    if change.resource != CRDS:
        return
    resource = custom_resource(change.object)
    if change.kind is ChangeKind.DELETED:
        registry.remove(resource)
    else:
        registry.add(resource)


def custom_resource(definition: Json) -> Resource:
    """Return the resource that a CRD defines."""
    spec = spec_of(definition)
    names = cast("Json", spec["names"])
    versions = [one for one in _versions(spec) if one.get("served", True)] or _versions(spec)
    stored = next((one for one in versions if one.get("storage")), versions[0])
    others = [str(one["name"]) for one in versions if one is not stored]
    return Resource(
        group=str(spec["group"]),
        plural=str(names["plural"]),
        version=str(stored["name"]),
        kind=str(names["kind"]),
        singular=str(names.get("singular") or names["kind"].lower()),
        other_list_kind=str(names.get("listKind", "")),
        short_names=tuple(names.get("shortNames") or ()),
        namespaced=spec.get("scope") == "Namespaced",
        subresources=tuple(one for one in stored.get("subresources") or ()),
        categories=tuple(names.get("categories") or ()),
        other_versions=tuple(others),
        is_custom=True,
    )


def columns_of(definition: Json, version: str) -> list[Json]:
    """Return the additionalPrinterColumns of a version."""
    for one in _versions(spec_of(definition)):
        if one.get("name") == version:
            return cast("list[Json]", one.get("additionalPrinterColumns") or [])
    return []


def _versions(spec: Json) -> list[Json]:
    return cast("list[Json]", spec.get("versions") or [])


def complete_definition(obj: Json) -> None:
    """Complete a CRD, whose names are accepted at once: nothing here could be against them."""
    spec = obj.setdefault("spec", {})
    names = spec.setdefault("names", {})
    kind = str(names.get("kind", ""))
    names.setdefault("singular", kind.lower())
    names.setdefault("listKind", f"{kind}List")
    spec.setdefault("conversion", {"strategy": "None"})
    if not metadata_of(obj).get("uid"):
        return
    status: Any = obj.setdefault("status", {})
    status["acceptedNames"] = names
    stored = [str(one["name"]) for one in _versions(spec) if one.get("storage")]
    status["storedVersions"] = sorted({*status.get("storedVersions", ()), *stored})
    known = {str(one["type"]) for one in status.setdefault("conditions", [])}
    status["conditions"] += [
        {
            "type": kind,
            "status": "True",
            "reason": reason,
            "message": message,
            "lastTransitionTime": now_rfc3339(),
        }
        for kind, reason, message in _CONDITIONS
        if kind not in known
    ]
