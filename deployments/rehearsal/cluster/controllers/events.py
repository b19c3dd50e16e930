"""
What controllers tell people: Events, of which the same one again only counts up.

An Event that cannot be written is lost: no work waits for it.
"""

from dataclasses import dataclass
from typing import Final

from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import (
    Json,
    name_of,
    namespace_of,
    now_rfc3339,
    uid_of,
    version_of,
)
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import EVENTS
from deployments.rehearsal.cluster.verbs import Server

_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class _Same:
    """What two Events have in common that are told as one."""

    uid: str
    reason: str
    message: str


class Recorder:
    """Writes Events in the name of one component."""

    def __init__(self, server: Server, component: str) -> None:
        self._server = server
        self._component = component
        self._names: dict[_Same, str] = {}
        self._serial = 0

    async def normal(self, resource: Resource, obj: Json, reason: str, message: str) -> None:
        await self._record(resource, obj, _Same(uid_of(obj), reason, message), "Normal")

    async def warning(self, resource: Resource, obj: Json, reason: str, message: str) -> None:
        await self._record(resource, obj, _Same(uid_of(obj), reason, message), "Warning")

    async def _record(self, resource: Resource, obj: Json, same: _Same, kind: str) -> None:
        namespace = namespace_of(obj) or "default"
        known = self._names.get(same)
        before = self._server.store.get(EVENTS, known, namespace) if known else None
        try:
            if before is not None:
                await self._count_up(before, namespace)
                return
            event = self._new(resource, obj, same, kind)
            await self._server.create(EVENTS, event, namespace=namespace)
        except ApiError:
            return
        if len(self._names) >= _REMEMBERED:
            self._names.pop(next(iter(self._names)))
        self._names[same] = name_of(event)

    async def _count_up(self, before: Json, namespace: str) -> None:
        more: Json = {"count": before["count"] + 1, "lastTimestamp": now_rfc3339()}
        await self._server.update(EVENTS, before | more, namespace=namespace)

    def _new(self, resource: Resource, obj: Json, same: _Same, kind: str) -> Json:
        self._serial += 1
        now = now_rfc3339()
        involved: Json = {
            "kind": resource.kind,
            "namespace": namespace_of(obj),
            "name": name_of(obj),
            "uid": uid_of(obj),
            "apiVersion": resource.api_version,
            "resourceVersion": version_of(obj),
        }
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {
                "name": f"{name_of(obj)}.{uid_of(obj)[:8]}{self._serial:08x}",
                "namespace": namespace_of(obj) or "default",
            },
            "involvedObject": {name: value for name, value in involved.items() if value},
            "reason": same.reason,
            "message": same.message,
            "source": {"component": self._component},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "type": kind,
            "eventTime": None,
            "reportingComponent": self._component,
            "reportingInstance": "",
        }
