"""The work queue, and what is read from a container's command."""

import asyncio

import pytest

from deployments.rehearsal.cluster.clock import Clock
from deployments.rehearsal.cluster.controllers.queueing import Activity, Key, WorkQueue
from deployments.rehearsal.cluster.controllers.scripts import UNKNOWN, Behaviour, behaviour_of
from deployments.rehearsal.cluster.objects import Json
from tests.rehearsal.running_cluster import run

ONE, TWO = Key("shop", "one"), Key("shop", "two")


def queue(speed: float = 1000) -> tuple[WorkQueue, Activity]:
    activity = Activity()
    return WorkQueue(Clock(speed), activity), activity


def test_a_key_that_waits_is_there_once() -> None:
    async def story() -> None:
        waiting, _ = queue()
        for key in (ONE, TWO, ONE):
            waiting.add(key)
        assert [await waiting.take(), await waiting.take()] == [ONE, TWO]

    run(story)


def test_a_key_that_is_worked_on_comes_again_afterwards_and_not_before() -> None:
    async def story() -> None:
        waiting, _ = queue()
        waiting.add(ONE)
        taken = await waiting.take()
        waiting.add(ONE)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(waiting.take(), 0.01)
        waiting.done(taken)
        assert await waiting.take() == ONE

    run(story)


def test_the_earliest_wish_to_look_later_counts() -> None:
    async def story() -> None:
        waiting, _ = queue()
        waiting.add_after(ONE, 100000)
        waiting.add_after(ONE, 1)
        assert await asyncio.wait_for(waiting.take(), 30) == ONE
        waiting.close()

    run(story)


def test_each_retry_comes_after_twice_as_long_until_the_key_succeeds() -> None:
    async def story() -> None:
        waiting, _ = queue(speed=1)
        loop = asyncio.get_running_loop()
        pauses: list[float] = []
        for _ in range(4):
            began = loop.time()
            waiting.retry(ONE)
            waiting.done(await waiting.take())
            pauses.append(loop.time() - began)
        assert pauses[0] >= 0.005
        assert pauses[3] >= 0.04
        waiting.forget(ONE)
        began = loop.time()
        waiting.retry(ONE)
        await waiting.take()
        assert loop.time() - began < 0.04

    run(story)


def test_it_is_quiet_when_every_key_was_worked_on() -> None:
    async def story() -> None:
        waiting, activity = queue()
        waiting.add(ONE)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(activity.quiet(), 0.01)
        waiting.done(await waiting.take())
        await asyncio.wait_for(activity.quiet(), 30)

    run(story)


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        pytest.param("sleep 3; exit 2", Behaviour(lasts=3.0, code=2), id="some time, then an end"),
        pytest.param("exec sleep infinity", Behaviour(lasts=None), id="for ever"),
        pytest.param(
            "exec httpd -f -p 8080 -h /www",
            Behaviour(ports=frozenset({8080}), lasts=None),
            id="a server",
        ),
        pytest.param(
            'httpd -f -p 8080 & trap "exit 0" TERM; wait',
            Behaviour(ports=frozenset({8080}), lasts=None, heeds_term=True),
            id="a server in the background that heeds SIGTERM",
        ),
        pytest.param(
            "ok=0; while true; do wget -q http://x; sleep 1; done", UNKNOWN, id="not understood"
        ),
        pytest.param("while true; do sleep 1; done", Behaviour(lasts=None), id="a loop"),
        pytest.param(
            "if [ a = b ]; then exit 1; else sleep 2; fi", Behaviour(lasts=2.0), id="a choice"
        ),
        pytest.param("/app/server --port 80", UNKNOWN, id="any program"),
        pytest.param("echo 'unfinished", UNKNOWN, id="not even shell"),
    ],
)
def test_a_script_is_read_as_far_as_it_can_be(script: str, expected: Behaviour) -> None:
    container: Json = {"name": "web", "command": ["sh", "-c", script]}
    assert behaviour_of(container, {"metadata": {"name": "web"}}) == expected


def test_a_container_without_a_command_does_what_its_image_does() -> None:
    assert behaviour_of({"name": "web", "args": ["proxy", "sidecar"]}, {}) == UNKNOWN
