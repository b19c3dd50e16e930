"""What controllers read from pods, and how they make them from a template."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from deployments.rehearsal.cluster.clock import Clock
from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import (
    Json,
    condition_of,
    is_terminating,
    is_true,
    metadata_of,
    objects_in,
    spec_of,
    status_of,
    uid_of,
)
from deployments.rehearsal.cluster.resources import PODS
from deployments.rehearsal.cluster.store import Change, ChangeKind

_LARGEST_BATCH: Final = 500


def phase_of(pod: Json) -> str:
    return str(status_of(pod).get("phase") or "Pending")


def is_ready(pod: Json) -> bool:
    return is_true(pod, "Ready")


def is_over(pod: Json) -> bool:
    """Say whether all containers have ended for good."""
    return phase_of(pod) in {"Succeeded", "Failed"}


def is_active(pod: Json) -> bool:
    """Say whether the pod counts: it is neither over nor asked to end."""
    return not is_over(pod) and not is_terminating(pod)


def is_running_and_ready(pod: Json) -> bool:
    return phase_of(pod) == "Running" and is_ready(pod)


def node_of(pod: Json) -> str:
    return str(spec_of(pod).get("nodeName") or "")


def restarts_of(pod: Json) -> int:
    statuses = objects_in(status_of(pod), "containerStatuses")
    return max((int(one.get("restartCount", 0)) for one in statuses), default=0)


def ready_time(pod: Json) -> str:
    """Return since when the pod says that it is ready, or not."""
    ready = condition_of(pod, "Ready")
    return str(ready.get("lastTransitionTime", "")) if ready is not None else ""


class Readiness:
    """
    Since when each pod has been ready, in pods' time.

    The conditions say it to the second only, and on another clock.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: dict[str, float] = {}

    def hear(self, change: Change) -> None:
        if change.resource != PODS:
            return
        if change.kind is ChangeKind.DELETED or not is_ready(change.object):
            self._since.pop(uid_of(change.object), None)
        else:
            self._since.setdefault(uid_of(change.object), asyncio.get_running_loop().time())

    def is_available(self, pod: Json, min_ready_seconds: int) -> bool:
        """Say whether a pod has been ready for long enough."""
        return is_ready(pod) and self.missing(pod, min_ready_seconds) <= 0

    def missing(self, pod: Json, min_ready_seconds: int) -> float:
        """Return how much longer a ready pod has to stay so."""
        now = asyncio.get_running_loop().time()
        elapsed = (now - self._since.get(uid_of(pod), now)) * self._clock.speed
        return min_ready_seconds - elapsed

    def next_look(self, pods: Sequence[Json], min_ready_seconds: int) -> float | None:
        """Return when the next of the pods becomes available; None if no time will do that."""
        if not min_ready_seconds:
            return None
        missing = [self.missing(pod, min_ready_seconds) for pod in pods if is_ready(pod)]
        return min((one for one in missing if one > 0), default=None)


def pod_from(template: Json, *, owner: Json, name: str = "", generate_name: str = "") -> Json:
    """Return a pod as a controller asks for it: a template with an owner and a name."""
    given = metadata_of(template)
    metadata: Json = {
        part: dict(given[part]) for part in ("labels", "annotations") if given.get(part)
    }
    if given.get("finalizers"):
        metadata["finalizers"] = list(given["finalizers"])
    metadata["ownerReferences"] = [owner]
    metadata |= {"name": name} if name else {"generateName": generate_name}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec_of(template)}


async def in_growing_batches(steps: Sequence[Callable[[], Awaitable[object]]]) -> None:
    """
    Take steps side by side: first one, then two, then four, until one batch fails.

    A thousand pods that nobody may create cost one request this way. Raises the first error.
    """
    start, size = 0, 1
    while start < len(steps):
        batch = steps[start : start + size]
        done = await asyncio.gather(*(step() for step in batch), return_exceptions=True)
        raise_first(done)
        start, size = start + size, min(2 * size, _LARGEST_BATCH)


async def all_of(steps: Sequence[Awaitable[object]]) -> None:
    """Take all steps side by side, then raise the first error."""
    raise_first(await asyncio.gather(*steps, return_exceptions=True))


def raise_first(outcomes: Sequence[object]) -> None:
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome


def is_namespace_ending(error: ApiError) -> bool:
    """Say whether nothing can be created because the namespace is going: no reason to retry."""
    causes = objects_in(error.details or {}, "causes")
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
