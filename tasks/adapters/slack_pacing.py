"""
Whose turn it is in a Slack channel.

Slack takes about one message a second and channel. What is new comes before what only changes what
stands there already.
"""

import asyncio
import heapq
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import count


class _Line:
    """Those who wait for one channel. Nothing here waits while it changes something."""

    def __init__(self) -> None:
        self.free_at = float("-inf")
        self._waiting: list[tuple[bool, int]] = []
        self._is_taken = False
        self._changed = asyncio.Event()

    def join(self, ticket: tuple[bool, int]) -> None:
        heapq.heappush(self._waiting, ticket)

    def leave(self, ticket: tuple[bool, int]) -> None:
        self._waiting.remove(ticket)
        heapq.heapify(self._waiting)
        self._tell()

    async def take(self, ticket: tuple[bool, int]) -> None:
        while self._is_taken or self._waiting[0] != ticket:
            await self._changed.wait()
        self._is_taken = True

    def give_back(self) -> None:
        self._is_taken = False
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Pacer:
    """Lets one message through at a time and channel, with a gap after each."""

    def __init__(
        self,
        *,
        gap: float = 1.0,
        now: Callable[[], float],
        rest: Callable[[float], Awaitable[object]],
    ) -> None:
        self._gap = gap
        self._now = now
        self._rest = rest
        self._tickets = count()
        self._lines: defaultdict[str, _Line] = defaultdict(_Line)

    @asynccontextmanager
    async def turn(self, channel: str, *, is_update: bool) -> AsyncGenerator[None]:
        """Wait for this channel; updates wait behind everything that is new."""
        line = self._lines[channel]
        ticket = (is_update, next(self._tickets))
        line.join(ticket)
        try:
            await self._wait(line, ticket)
        finally:
            line.leave(ticket)
        try:
            yield
        finally:
            # Counted from the answer on: two requests may need different times to reach Slack.
            line.free_at = self._now() + self._gap
            line.give_back()

    async def _wait(self, line: _Line, ticket: tuple[bool, int]) -> None:
        while True:
            await line.take(ticket)
            if (pause := line.free_at - self._now()) <= 0:
                return
            # Whoever is first waits for the others too: one that is new may come meanwhile.
            try:
                await self._rest(pause)
            finally:
                line.give_back()
