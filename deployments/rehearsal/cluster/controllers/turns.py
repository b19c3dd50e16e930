"""Lets thousands of pods do something at the same moment, and clients get their answers meanwhile."""

import asyncio
from collections import deque
from typing import Final

_AT_A_TIME: Final = 20


class Turns:
    """Gives so many tasks their turn in each round of the event loop, in the order they came."""

    def __init__(self, at_a_time: int = _AT_A_TIME) -> None:
        self._at_a_time = at_a_time
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_going_round = False

    async def take(self) -> None:
        """Return when it is our turn."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        if not self._is_going_round:
            self._is_going_round = True
            asyncio.get_running_loop().call_soon(self._go_round)
        await turn

    def _go_round(self) -> None:
        for _ in range(min(self._at_a_time, len(self._waiting))):
            turn = self._waiting.popleft()
            if not turn.done():  # given up
                turn.set_result(None)
        self._is_going_round = bool(self._waiting)
        if self._is_going_round:
            asyncio.get_running_loop().call_soon(self._go_round)
