"""
Runs the controllers: hears every change of the store and wakes those whom it concerns.

A controller is level-triggered: it is told of an object by its key only, reads what is there now,
and takes one step towards what should be. What failed is tried again, with growing pauses.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

from deployments.rehearsal.cluster.clock import Clock
from deployments.rehearsal.cluster.controllers.queueing import Activity, Key, WorkQueue
from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.registry import Registry, Resource
from deployments.rehearsal.cluster.store import Change, ChangeKind, Store

Interest = Callable[[Change], Iterable[Key]]  # the keys that a change makes worth a look
EVERY: Final = None  # in the place of a resource: all of them
Interests = Mapping[Resource | None, Interest]

logger: Final = logging.getLogger(__name__)


class Controller(Protocol):
    """Keeps the objects of one kind as they should be."""

    @property
    def interests(self) -> Interests:
        """Which changes concern it."""
        ...

    @property
    def workers(self) -> int:
        """How many objects it works on at a time: more than one where it waits for webhooks."""
        ...

    async def settle(self, key: Key) -> float | None:
        """Take a step with one object. Returns after how much of pods' time to look again."""
        ...


class Listener(Protocol):
    """Whoever wants to hear of each change at once."""

    def hear(self, change: Change) -> None: ...


class _Post:
    """A controller with its queue and its workers."""

    def __init__(self, controller: Controller, queue: WorkQueue) -> None:
        self.controller = controller
        self.queue = queue

    async def work(self, failures: list[Exception]) -> None:
        while True:
            key = await self.queue.take()
            try:
                await self._settle(key)
            except ApiError as error:
                logger.debug("%s: %s", key, error)
                self.queue.retry(key)
            except Exception as error:  # a bug in one controller must not end it silently
                logger.exception("%s of %s", key, type(self.controller).__name__)
                failures.append(error)
                self.queue.retry(key)
            finally:
                self.queue.done(key)
            # Most steps wait for nothing, and clients want their turn while ten thousand are taken.
            await asyncio.sleep(0)

    async def _settle(self, key: Key) -> None:
        again = await self.controller.settle(key)
        self.queue.forget(key)
        if again is not None:
            self.queue.add_after(key, again)


class Runner:
    """All controllers of a cluster, at work between `start` and `stop`."""

    def __init__(self, store: Store, registry: Registry, clock: Clock) -> None:
        self.activity = Activity()
        self.failures: list[Exception] = []  # bugs
        self._store = store
        self._registry = registry
        self._clock = clock
        self._listeners: list[Listener] = []
        self._posts: list[_Post] = []
        self._interested: dict[Resource | None, list[tuple[WorkQueue, Interest]]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._leave: Callable[[], None] | None = None

    def add_listener(self, listener: Listener) -> None:
        """Tell somebody of each change, before the controllers are told."""
        self._listeners.append(listener)

    def add(self, controller: Controller) -> None:
        queue = WorkQueue(self._clock, self.activity)
        self._posts.append(_Post(controller, queue))
        for resource, interest in controller.interests.items():
            self._interested.setdefault(resource, []).append((queue, interest))

    def start(self) -> None:
        """Tell everybody what is there, and go on with what changes."""
        self._leave = self._store.listen(self._hear)
        for resource in list(self._registry):
            for obj in self._store.list(resource):
                self._hear(_found(resource, obj))
        for post in self._posts:
            for _ in range(post.controller.workers):
                self._tasks.append(asyncio.create_task(post.work(self.failures)))

    async def stop(self) -> None:
        if self._leave is not None:
            self._leave()
        for post in self._posts:
            post.queue.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    async def settled(self) -> None:
        """Return when no key waits and nothing timed is under way. Raises the bugs met so far."""
        await self.activity.quiet()
        if self.failures:
            raise ExceptionGroup("controllers failed", self.failures)

    def _hear(self, change: Change) -> None:
        for listener in self._listeners:
            listener.hear(change)
        for concerned in (change.resource, EVERY):
            for queue, interest in self._interested.get(concerned, ()):
                for key in interest(change):
                    queue.add(key)


def _found(resource: Resource, obj: dict[str, object]) -> Change:
    return Change(kind=ChangeKind.ADDED, resource=resource, object=obj, previous=None, version=0)
