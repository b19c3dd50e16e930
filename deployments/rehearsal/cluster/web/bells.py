"""Wakes those who wait for changes of a resource."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager

from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.store import Change, Store


class Bells:
    """One bell for everybody who listens; the store rings it."""

    def __init__(self, store: Store) -> None:
        self._waiting: dict[Resource, set[asyncio.Event]] = {}
        store.listen(self._ring)

    @contextmanager
    def heard(self, resource: Resource) -> Generator[asyncio.Event]:
        """Give an event that is set at each change; whoever waits clears it."""
        event = asyncio.Event()
        self._waiting.setdefault(resource, set()).add(event)
        try:
            yield event
        finally:
            self._waiting[resource].discard(event)

    def _ring(self, change: Change) -> None:
        for event in self._waiting.get(change.resource, ()):
            event.set()
