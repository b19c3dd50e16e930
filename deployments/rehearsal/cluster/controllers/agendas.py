"""What will happen to a pod, and when in pods' time."""

import asyncio
import heapq
from collections.abc import Callable
from contextlib import suppress
from itertools import count

from deployments.rehearsal.cluster.clock import Clock


class Agenda:
    """Things to do, each at its time. One sleeps until the next of them, or until woken."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = count()
        self._woken = asyncio.Event()

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        due = asyncio.get_running_loop().time() + self._clock.scaled(seconds)
        heapq.heappush(self._entries, (due, next(self._serial), do))

    def wake(self) -> None:
        self._woken.set()

    async def next(self) -> None:
        """Sleep until something is due, or somebody wakes us, and do all that is due."""
        due = self._entries[0][0] if self._entries else None
        with suppress(TimeoutError):
            async with asyncio.timeout_at(due):
                await self._woken.wait()
        self._woken.clear()
        now = asyncio.get_running_loop().time()
        while self._entries and self._entries[0][0] <= now:
            heapq.heappop(self._entries)[2]()

    async def pass_time(self, seconds: float) -> None:
        """Sleep for so long, or until woken. What stood in the agenda does not happen any more."""
        self._entries.clear()
        self.after(seconds, self._woken.clear)
        await self.next()
