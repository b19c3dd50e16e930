"""Whose turn it is, also when somebody gives up."""

import asyncio

from tasks.adapters.slack_pacing import Pacer
from tests.unit.slack_server import FakeTime


class Channel:
    def __init__(self) -> None:
        self.time = FakeTime()
        self.pacer = Pacer(now=self.time.now, rest=self.time.rest)
        self.said: list[tuple[str, float]] = []

    async def say(self, what: str, *, is_update: bool = False, takes: float = 0) -> None:
        async with self.pacer.turn("C", is_update=is_update):
            self.said.append((what, self.time.now() - 1000))
            await self.time.rest(takes)

    async def fail(self) -> None:
        async with self.pacer.turn("C", is_update=False):
            raise LookupError


def test_the_gap_is_counted_from_the_answer_on() -> None:
    channel = Channel()

    async def run() -> None:
        await asyncio.gather(channel.say("first", takes=5), channel.say("second"))

    asyncio.run(run())
    assert channel.said == [("first", 0), ("second", 6)]


def test_what_is_new_passes_an_update_that_waits_already() -> None:
    channel = Channel()

    async def run() -> None:
        await channel.say("first")
        update = asyncio.create_task(channel.say("update", is_update=True))
        await asyncio.sleep(0)  # it waits for its gap now
        await asyncio.gather(update, channel.say("new"))

    asyncio.run(run())
    assert [what for what, _ in channel.said] == ["first", "new", "update"]


def test_nobody_waits_for_one_who_gave_up() -> None:
    channel = Channel()

    async def run() -> None:
        busy = asyncio.create_task(channel.say("busy", takes=1))
        await asyncio.sleep(0)
        waiting = [asyncio.create_task(channel.say(f"waits {n}")) for n in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        await asyncio.gather(busy, *waiting, return_exceptions=True)
        resting = asyncio.create_task(channel.say("rests"))
        await asyncio.sleep(0)
        resting.cancel()
        await asyncio.gather(resting, return_exceptions=True)
        speaking = asyncio.create_task(channel.say("speaks", takes=1))
        await asyncio.sleep(0.01)
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)
        await asyncio.gather(channel.fail(), return_exceptions=True)
        async with asyncio.timeout(1):
            await channel.say("last")

    asyncio.run(run())
    said = [what for what, _ in channel.said]
    assert said[:3] == ["busy", "waits 1", "waits 2"]
    assert said[-1] == "last"
