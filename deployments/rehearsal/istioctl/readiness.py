"""Waits until what was applied works: definitions established, Deployments' new pods ready."""

import time
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast
from urllib.parse import quote

from deployments.rehearsal.istioctl.context import Context
from deployments.rehearsal.istioctl.errors import ApiError, CommandError
from deployments.rehearsal.istioctl.objects import annotations_of, is_true, parts
from deployments.rehearsal.istioctl.paths import path_of, path_of_object

Json = dict[str, Any]

_EVERY: Final = 0.2  # seconds; the real one looks every two, which nobody has to wait for here
_REVISION: Final = "deployment.kubernetes.io/revision"


def wait(context: Context, objects: Sequence[Json], *, seconds: float, named: str) -> None:
    """Return once all is ready. Raises CommandError when that takes too long."""
    deadline = time.monotonic() + seconds
    said = ""
    while missing := dict(_not_ready(context, objects)):
        line = f"- Processing resources for {named}. Waiting for {', '.join(sorted(missing))}"
        if line != said:
            context.terminal.progress(line)
            said = line
        left = deadline - time.monotonic()
        if left <= 0:
            raise CommandError(_too_late(seconds, missing))
        time.sleep(min(_EVERY, left))  # noqa: TID251 - a program of its own, with nothing to do


def _too_late(seconds: float, missing: dict[str, str]) -> str:
    lines = [f"  {name} ({why})" if why else f"  {name}" for name, why in missing.items()]
    said = f"resources not ready after {_duration(seconds)}: context deadline exceeded"
    return "\n".join([f"failed to wait for resource: {said}", *lines])


def _duration(seconds: float) -> str:
    """Return a duration as Go prints it."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:g}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def _not_ready(context: Context, objects: Sequence[Json]) -> Iterator[tuple[str, str]]:
    """Yield each object that is not ready, and why."""
    for obj in objects:
        if obj["kind"] == "CustomResourceDefinition":
            found = context.api.get(path_of_object(obj))
            if not is_true(found, "Established"):
                yield f"CustomResourceDefinition/{obj['metadata']['name']}", ""
        elif obj["kind"] == "Deployment":
            found = context.api.get(path_of_object(obj))
            if not _is_rolled_out(context, found):
                metadata = found["metadata"]
                name = f"Deployment/{metadata['namespace']}/{metadata['name']}"
                yield name, _why(context, found)


def _is_rolled_out(context: Context, deployment: Json) -> bool:
    """Say whether the newest ReplicaSet has as many ready pods as are wanted."""
    metadata = deployment["metadata"]
    revision = annotations_of(deployment).get(_REVISION)
    status = deployment.get("status", {})
    if status.get("observedGeneration", 0) < metadata.get("generation", 0):
        return False
    path = path_of("apps/v1", "ReplicaSet", namespace=metadata["namespace"])
    for one in context.api.items(path, labelSelector=_selector(deployment)):
        owners = parts(one["metadata"], "ownerReferences")
        is_ours = any(owner["uid"] == metadata["uid"] for owner in owners)
        if is_ours and annotations_of(one).get(_REVISION) == revision:
            ready = one.get("status", {}).get("readyReplicas", 0)
            return bool(ready >= deployment["spec"].get("replicas", 1))
    return False


def _selector(deployment: Json) -> str:
    labels = cast("dict[str, str]", deployment["spec"]["selector"].get("matchLabels") or {})
    return ",".join(f"{key}={value}" for key, value in labels.items())


def _why(context: Context, deployment: Json) -> str:
    """Return what the newest pod says of itself."""
    path = path_of("v1", "Pod", namespace=quote(deployment["metadata"]["namespace"]))
    try:
        pods = list(context.api.items(path, labelSelector=_selector(deployment)))
    except ApiError as error:
        return f"failed to fetch pods: {error}"
    for pod in sorted(pods, key=lambda one: one["metadata"]["creationTimestamp"], reverse=True):
        status: Json = pod.get("status") or {}
        for container in parts(status, "containerStatuses"):
            waiting = container.get("state", {}).get("waiting")
            if waiting:
                reason, message = waiting.get("reason", ""), waiting.get("message", "")
                return f"container failed to start: {reason}: {message}"
        for condition in parts(status, "conditions"):
            if condition["type"] == "Ready" and condition["status"] == "False":
                return str(condition.get("message", ""))
    return ""
