"""
Deleting: at once, or by a mark that others act on.

A mark is left where somebody has to do something first: the kubelet (a pod's grace), whoever put a
finalizer, the garbage collector (foreground, orphan), the namespace controller. The last of them to
let go removes the object by an update or a delete.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from deployments.rehearsal.cluster.errors import conflict
from deployments.rehearsal.cluster.objects import (
    Json,
    finalizers_of,
    is_terminating,
    later_rfc3339,
    metadata_of,
    name_of,
    now_rfc3339,
    spec_of,
    status_of,
    uid_of,
    version_of,
)
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import NAMESPACES, PODS

FOREGROUND: Final = "foregroundDeletion"
ORPHAN: Final = "orphan"
_GRACE: Final = 30


class Propagation(StrEnum):
    """What becomes of the dependents."""

    BACKGROUND = "Background"
    FOREGROUND = "Foreground"
    ORPHAN = "Orphan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deletion:
    """How an object is to be deleted, and which one is meant."""

    propagation: Propagation | None = None
    grace_seconds: int | None = None
    uid: str | None = None
    version: str | None = None

    def check(self, resource: Resource, current: Json) -> None:
        """Refuse if another object is there than the one that is meant."""
        for field, wanted, found, happened in (
            ("UID", self.uid, uid_of(current), "deleted and then recreated"),
            ("ResourceVersion", self.version, version_of(current), "modified"),
        ):
            if wanted is not None and wanted != found:
                raise conflict(
                    replace(resource, plural=resource.kind),  # so named by the real one
                    name_of(current),
                    f"the {field} in the precondition ({wanted}) does not match the {field} in "
                    f"record ({found}). The object might have been {happened}",
                )


def deletion(resource: Resource, current: Json, wanted: Deletion) -> Json | None:
    """Return the object with the marks of its deletion, None if it can go at once."""
    finalizers = _finalizers(current, wanted.propagation)
    grace = _grace(resource, current, wanted.grace_seconds)
    waits = bool(finalizers) or grace > 0 or _has_content(resource, current)
    if not waits:
        return None
    if is_terminating(current) and not _is_sooner(current, grace):
        marked = current
    else:
        marked = _marked(resource, current, grace)
    if finalizers == finalizers_of(current):
        return marked
    return marked | {"metadata": metadata_of(marked) | {"finalizers": finalizers}}


def is_finished(resource: Resource, obj: Json) -> bool:
    """Say whether nobody has anything left to do for an object that is marked."""
    return (
        is_terminating(obj)
        and not finalizers_of(obj)
        and not metadata_of(obj).get("deletionGracePeriodSeconds")
        and not _has_content(resource, obj)
    )


def _finalizers(current: Json, propagation: Propagation | None) -> list[str]:
    found = finalizers_of(current)
    if propagation is None:
        return found
    others = [one for one in found if one not in {FOREGROUND, ORPHAN}]
    match propagation:
        case Propagation.FOREGROUND:
            return [*others, FOREGROUND]
        case Propagation.ORPHAN:
            return [*others, ORPHAN]
        case Propagation.BACKGROUND:
            return others


def _grace(resource: Resource, current: Json, asked: int | None) -> int:
    """Return the seconds that a pod has to end. Nothing else has any."""
    if resource != PODS:
        return 0
    phase = status_of(current).get("phase")
    if not spec_of(current).get("nodeName") or phase in {"Succeeded", "Failed"}:
        return 0
    if asked is not None:
        return max(asked, 0)
    return int(spec_of(current).get("terminationGracePeriodSeconds", _GRACE))


def _is_sooner(current: Json, grace: int) -> bool:
    return grace < int(metadata_of(current).get("deletionGracePeriodSeconds", 0))


def _has_content(resource: Resource, obj: Json) -> bool:
    return resource == NAMESPACES and bool(spec_of(obj).get("finalizers"))


def _marked(resource: Resource, current: Json, grace: int) -> Json:
    metadata: Json = metadata_of(current) | {
        "deletionTimestamp": later_rfc3339(grace) if grace else now_rfc3339(),
        "deletionGracePeriodSeconds": grace,
    }
    if "generation" in metadata:
        metadata["generation"] += 1
    marked = current | {"metadata": metadata}
    if resource == NAMESPACES:
        marked["status"] = status_of(current) | {"phase": "Terminating"}
    return marked
