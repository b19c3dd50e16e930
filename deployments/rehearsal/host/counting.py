"""How many proxies each namespace has at each revision, kept up as pods come and go."""

import json
from collections import Counter
from typing import Final

from deployments.rehearsal.cluster.objects import (
    Json,
    annotations_of,
    is_terminating,
    is_true,
    labels_of,
    namespace_of,
    status_of,
    uid_of,
)
from deployments.rehearsal.cluster.resources import PODS
from deployments.rehearsal.cluster.store import Change, ChangeKind

Counts = dict[str, dict[str, int]]
ISTIODS: Final = "istiod"  # under this name instead of a namespace's: ready istiods by revision
_STATUS: Final = "sidecar.istio.io/status"
_OVER: Final = {"Succeeded", "Failed"}


class Count:
    """Listens to the store."""

    def __init__(self) -> None:
        self._places: dict[str, tuple[str, str]] = {}  # of each pod: namespace and revision
        self._counts: dict[str, Counter[str]] = {}
        self._changed: set[str] = set()

    def hear(self, change: Change) -> None:
        if change.resource is not PODS:
            return
        uid = uid_of(change.object)
        gone = change.kind is ChangeKind.DELETED
        now = None if gone else _place(change.object)
        before = self._places.pop(uid, None)
        if now is not None:
            self._places[uid] = now
        if now != before:
            self._add(before, -1)
            self._add(now, 1)

    def changed(self) -> Counts:
        """Return what has changed since the last time."""
        names, self._changed = self._changed, set()
        return {
            name: {revision: number for revision, number in self._counts[name].items() if number}
            for name in names
        }

    def _add(self, place: tuple[str, str] | None, number: int) -> None:
        if place is None:
            return
        self._counts.setdefault(place[0], Counter())[place[1]] += number
        self._changed.add(place[0])


def _place(pod: Json) -> tuple[str, str] | None:
    """Return where a pod counts; nowhere if it has no proxy, or leaves."""
    if is_terminating(pod) or status_of(pod).get("phase") in _OVER:
        return None
    if labels_of(pod).get("app") == "istiod":
        return (ISTIODS, labels_of(pod).get("istio.io/rev", "")) if is_true(pod, "Ready") else None
    status = annotations_of(pod).get(_STATUS)
    if status is None:
        return None
    try:
        return namespace_of(pod), str(json.loads(status)["revision"])
    except (ValueError, KeyError, TypeError):
        return namespace_of(pod), "?"
