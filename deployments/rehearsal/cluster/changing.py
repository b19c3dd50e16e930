"""What may become of an object that is there: what stays whatever is asked, and what counts as a change."""

from typing import Final

from deployments.rehearsal.cluster.asking import Asked
from deployments.rehearsal.cluster.births import counts_generations, said
from deployments.rehearsal.cluster.errors import Cause, conflict, invalid
from deployments.rehearsal.cluster.objects import Json, metadata_of, name_of, uid_of, version_of
from deployments.rehearsal.cluster.registry import Resource

_KEPT: Final = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generateName",
    "generation",
    "resourceVersion",
    "selfLink",
)
_UNCOUNTED: Final = frozenset({"apiVersion", "kind", "metadata", "status"})


def changed(resource: Resource, current: Json, wanted: Json) -> Json:
    """Return what is wanted, with what no client can change as it was, and the generation counted."""
    metadata = said(metadata_of(wanted))
    before = metadata_of(current)
    for field in _KEPT:
        metadata.pop(field, None)
        if field in before:
            metadata[field] = before[field]
    new = wanted | {
        "apiVersion": current["apiVersion"],
        "kind": current["kind"],
        "metadata": metadata,
    }
    if counts_generations(resource) and not _is_same_spec(current, new):
        metadata["generation"] = int(metadata.get("generation", 0)) + 1
    return new


def replaced(asked: Asked, current: Json, body: Json) -> Json:
    """Return the body of an update, unless it is another object's."""
    uid = uid_of(body)
    if uid and uid != uid_of(current) and asked.subresource != "scale":
        raise conflict(
            asked.resource,
            asked.name,
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: "
            f"{uid_of(current)}",
        )
    return body


def check_version(asked: Asked, current: Json, wanted: Json) -> None:
    """Refuse a change of an object that is not the one it was any more."""
    uid = uid_of(wanted)
    if uid and uid != uid_of(current):
        cause = Cause.invalid("metadata.uid", f'"{uid}"', "field is immutable")
        raise invalid(asked.resource, asked.name, [cause])
    version = version_of(wanted)
    if version and version != version_of(current):
        raise conflict(asked.resource, asked.name)
    if not version and asked.resource.is_custom and asked.subresource == "":
        cause = Cause.invalid("metadata.resourceVersion", "0x0", "must be specified for an update")
        raise invalid(asked.resource, name_of(current), [cause])


def is_same(current: Json, new: Json) -> bool:
    """Say whether nothing changed but when somebody said so, which is not written."""
    return _untimed(current) == _untimed(new)


def _untimed(obj: Json) -> Json:
    metadata = dict(metadata_of(obj))
    managed = [
        {key: value for key, value in one.items() if key != "time"}
        for one in metadata.get("managedFields") or ()
    ]
    return obj | {"metadata": metadata | {"managedFields": managed}}


def _is_same_spec(current: Json, new: Json) -> bool:
    keys = (current.keys() | new.keys()) - _UNCOUNTED
    return all(current.get(key) == new.get(key) for key in keys)
