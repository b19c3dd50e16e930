"""One read for many who ask at the same time."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Shared(Generic[T]):
    """
    Reads for everybody who asks while another read is under way, once that one is over.

    Nobody gets what was read before they asked.
    """

    def __init__(self, read: Callable[[], T]) -> None:
        self._read = read
        self._now: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """Return what a read has found that began after this call."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._now))
        # One caller's giving up must not take the answer from the others.
        return await asyncio.shield(self._next)

    async def _after(self, earlier: "asyncio.Task[T] | None") -> T:
        if earlier is not None and not earlier.done():
            await asyncio.wait([earlier])
        self._now, self._next = self._next, None
        return await asyncio.to_thread(self._read)
