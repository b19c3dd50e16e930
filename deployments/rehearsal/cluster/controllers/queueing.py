"""
Which objects a controller still has to look at.

The rules are those of client-go's work queue. A key that waits is there once, however often it is
added; one that is being worked on is not given to a second worker, but comes again afterwards. So
nothing is lost, and nobody works on the same object twice at a time.
"""

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Final

from deployments.rehearsal.cluster.clock import Clock

_FIRST_BACKOFF: Final = 0.005
_LONGEST_BACKOFF: Final = 1000.0


@dataclass(frozen=True, slots=True)
class Key:
    """The place of an object. The namespace of one that belongs to none is empty."""

    namespace: str
    name: str


class Activity:
    """Counts what is under way in the whole cluster, so that one can wait until nothing is."""

    def __init__(self) -> None:
        self._count = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    def begin(self) -> None:
        self._count += 1
        self._quiet.clear()

    def end(self) -> None:
        self._count -= 1
        if not self._count:
            self._quiet.set()

    async def quiet(self) -> None:
        """Return when nothing is under way, not even after everybody had a turn."""
        while self._count:
            await self._quiet.wait()
            await asyncio.sleep(0)


class WorkQueue:
    """Keys in the order in which they came."""

    def __init__(self, clock: Clock, activity: Activity) -> None:
        self._clock = clock
        self._activity = activity
        self._waiting: deque[Key] = deque()
        self._wanted: set[Key] = set()  # waiting, or to come again after it was worked on
        self._taken: set[Key] = set()
        self._failures: dict[Key, int] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._filled = asyncio.Event()

    def add(self, key: Key) -> None:
        """Have a key looked at as soon as may be."""
        if key in self._wanted:
            return
        self._wanted.add(key)
        self._activity.begin()
        if key not in self._taken:
            self._append(key)

    def add_after(self, key: Key, seconds: float) -> None:
        """Have a key looked at after so long in pods' time. The earliest such wish counts."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self._clock.scaled(seconds)
        timer = self._timers.get(key)
        if timer is not None:
            if timer.when() <= due:
                return
            timer.cancel()
        self._timers[key] = loop.call_at(due, self._ring, key)

    def retry(self, key: Key) -> None:
        """Have a key looked at again that failed: each time after twice as long."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add_after(key, min(_FIRST_BACKOFF * 2 ** min(failures, 32), _LONGEST_BACKOFF))

    def forget(self, key: Key) -> None:
        """Begin to count a key's failures from zero."""
        self._failures.pop(key, None)

    async def take(self) -> Key:
        """Return the next key, when there is one."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        key = self._waiting.popleft()
        self._wanted.discard(key)
        self._taken.add(key)
        return key

    def done(self, key: Key) -> None:
        """Give a taken key back."""
        self._taken.discard(key)
        if key in self._wanted:
            self._append(key)
        self._activity.end()

    def close(self) -> None:
        """Forget what was to be looked at later."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _ring(self, key: Key) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _append(self, key: Key) -> None:
        self._waiting.append(key)
        self._filled.set()
