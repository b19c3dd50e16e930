"""One read for many: nobody gets what was read before they asked."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from deployments.gatekeeper.sharing import Shared


class Source:
    """Counts its reads, each of which waits until it is let go."""

    def __init__(self) -> None:
        self.reads = 0
        self.may_end = threading.Semaphore(0)

    def read(self) -> int:
        self.reads += 1
        number = self.reads
        self.may_end.acquire(timeout=10)
        return number


async def until_reading(source: Source, number: int) -> None:
    while source.reads < number:  # noqa: ASYNC110 - it is counted on another thread
        await asyncio.sleep(0.001)


def test_all_who_ask_during_a_read_share_the_next_one() -> None:
    source = Source()

    async def scene() -> tuple[int, list[int]]:
        shared = Shared(source.read)
        first = asyncio.create_task(shared.get())
        await until_reading(source, 1)
        others = [asyncio.create_task(shared.get()) for _ in range(50)]
        await asyncio.sleep(0.01)
        source.may_end.release(2)
        return await first, await asyncio.gather(*others)

    first, others = asyncio.run(scene())
    assert first == 1
    assert set(others) == {2}
    assert source.reads == 2


def test_a_read_that_fails_fails_for_those_who_asked_for_it_and_not_for_the_next() -> None:
    answers: Iterator[ValueError | str] = iter([ValueError("away"), "here"])

    def read() -> str:
        answer = next(answers)
        if isinstance(answer, ValueError):
            raise answer
        return answer

    async def scene() -> str:
        shared = Shared(read)
        with pytest.raises(ValueError, match="away"):
            await shared.get()
        return await shared.get()

    assert asyncio.run(scene()) == "here"


def test_one_who_gives_up_takes_the_answer_from_nobody() -> None:
    source = Source()

    async def scene() -> int:
        shared = Shared(source.read)
        first, second = (asyncio.create_task(shared.get()) for _ in range(2))
        await until_reading(source, 1)
        first.cancel()
        source.may_end.release()
        return await second

    assert asyncio.run(scene()) == 1
