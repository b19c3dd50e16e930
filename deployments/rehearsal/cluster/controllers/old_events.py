"""Forgets Events an hour after they were last written: else nothing would ever forget them."""

import asyncio
from typing import Final

from deployments.rehearsal.cluster.controllers.owning import key_of
from deployments.rehearsal.cluster.controllers.queueing import Key
from deployments.rehearsal.cluster.controllers.running import Interests
from deployments.rehearsal.cluster.resources import EVENTS
from deployments.rehearsal.cluster.store import Change, ChangeKind
from deployments.rehearsal.cluster.verbs import Server

_KEPT: Final = 3600.0  # seconds on the clock on the wall


class OldEvents:
    """The API server's time to live of Events, for which nobody is asked."""

    workers = 1

    def __init__(self, server: Server, *, kept: float = _KEPT) -> None:
        self._server = server
        self._kept = kept
        self._due: dict[Key, float] = {}

    @property
    def interests(self) -> Interests:
        return {EVENTS: self._of_event}

    def _of_event(self, change: Change) -> list[Key]:
        key = key_of(change.object)
        if change.kind is ChangeKind.DELETED:
            self._due.pop(key, None)
            return []
        is_new = key not in self._due
        self._due[key] = asyncio.get_running_loop().time() + self._kept
        return [key] if is_new else []

    async def settle(self, key: Key) -> float | None:
        due = self._due.get(key)
        if due is None:
            return None
        left = due - asyncio.get_running_loop().time()
        if left > 0:
            return left * self._server.clock.speed
        self._server.store.remove(EVENTS, key.name, key.namespace)
        return None
