"""
What of an object a request may see and change: all of it, or what one subresource is about.

Each subresource that is read and written like an object has a view: how it is read from the object,
and what the object becomes when it is written.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from deployments.rehearsal.cluster.errors import Cause, conflict, invalid
from deployments.rehearsal.cluster.objects import (
    Json,
    conditions_of,
    metadata_of,
    name_of,
    now_rfc3339,
    object_in,
    spec_of,
    status_of,
)
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import DEPLOYMENTS
from deployments.rehearsal.cluster.selectors import selector_text

_SCALES: Final = Resource(
    group="autoscaling", plural="scales", version="v1", kind="Scale", singular="scale"
)


@dataclass(frozen=True, slots=True)
class View:
    """A way to look at an object of a resource."""

    read: Callable[[Json], Json]
    write: Callable[[Resource, Json, Json], Json]  # the object, what was read and changed of it


def _without_status(resource: Resource, current: Json, body: Json) -> Json:
    """Take everything but the status, where that is written apart."""
    if not resource.has_status:
        return body
    taken = {key: value for key, value in body.items() if key != "status"}
    return taken | ({"status": current["status"]} if "status" in current else {})


def _status_only(resource: Resource, current: Json, body: Json) -> Json:
    metadata = dict(metadata_of(current))
    given = metadata_of(body)
    if "managedFields" in given:
        metadata["managedFields"] = given["managedFields"]
    # The deployment controller writes its revision with the status, and so may others.
    taken = () if resource.is_custom else ("annotations", "labels")
    for field in taken[: 1 if resource == DEPLOYMENTS else None]:
        metadata.pop(field, None)
        if given.get(field):
            metadata[field] = given[field]
    changed = current | {"metadata": metadata}
    changed.pop("status", None)
    return changed | ({"status": body["status"]} if "status" in body else {})


def _finalizers(_resource: Resource, current: Json, body: Json) -> Json:
    spec = {key: value for key, value in spec_of(current).items() if key != "finalizers"}
    kept: Any = spec_of(body).get("finalizers")
    return current | {"spec": spec | ({"finalizers": kept} if kept else {})}


def _ephemeral(_resource: Resource, current: Json, body: Json) -> Json:
    given: Any = spec_of(body).get("ephemeralContainers")
    return current | {"spec": spec_of(current) | {"ephemeralContainers": given}}


def _bound(resource: Resource, current: Json, body: Json) -> Json:
    target = cast("Json", body.get("target") or {})
    if node := spec_of(current).get("nodeName"):
        binding = replace(resource, plural=f"{resource.plural}/binding")
        why = f'pod {name_of(current)} is already assigned to node "{node}"'
        raise conflict(binding, name_of(current), why)
    scheduled = {
        "type": "PodScheduled",
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": now_rfc3339(),
    }
    conditions = [one for one in conditions_of(current) if one.get("type") != "PodScheduled"]
    return current | {
        "spec": spec_of(current) | {"nodeName": target.get("name", "")},
        "status": status_of(current) | {"conditions": [*conditions, scheduled]},
    }


def scale_of(obj: Json) -> Json:
    """Return an object's replicas as a Scale."""
    metadata = metadata_of(obj)
    fields = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    selector: Any = spec_of(obj).get("selector")
    status: Json = {"replicas": status_of(obj).get("replicas", 0)}
    if selector:
        status["selector"] = selector_text(selector)
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: metadata[field] for field in fields if field in metadata},
        "spec": {"replicas": replicas} if (replicas := spec_of(obj).get("replicas")) else {},
        "status": status,
    }


def _scaled(_resource: Resource, current: Json, body: Json) -> Json:
    replicas = object_in(body, "spec").get("replicas", 0)
    if not isinstance(replicas, int) or replicas < 0:
        cause = Cause.invalid("spec.replicas", str(replicas), "must be greater than or equal to 0")
        raise invalid(_SCALES, name_of(current), [cause])
    return current | {"spec": spec_of(current) | {"replicas": replicas}}


def _whole(obj: Json) -> Json:
    return obj


VIEWS: Final = {
    "": View(_whole, _without_status),
    "status": View(_whole, _status_only),
    "finalize": View(_whole, _finalizers),
    "ephemeralcontainers": View(_whole, _ephemeral),
    "binding": View(_whole, _bound),
    "scale": View(scale_of, _scaled),
}
