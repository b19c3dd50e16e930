"""Watching: what Prefect needs is done though Slack is away, and what nobody can read is said to be so."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from deployments.gatekeeper.metrics import Metrics
from deployments.gatekeeper.posting import Claims, Poster
from deployments.gatekeeper.watching import Watcher
from tasks.domain.journal import Finished, Outcome
from tests.builders import NOW
from tests.fakes_slack import FakeSlack
from tests.unit.gatekeeper_scene import BOB, CHANNEL, CLUSTER, FLOW_RUN, Scene


class Post:
    """A watcher at its post."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.slack, self.metrics = scene, FakeSlack(), Metrics()

    def watcher(self) -> Watcher:
        claims = Claims(lambda: self.scene.votes, process="host/1", monotonic=lambda: 0.0)
        poster = Poster(self.slack, claims, cluster=CLUSTER, to=CHANNEL)
        return Watcher(self.scene.cluster, poster, self.metrics)

    async def until(self, holds: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110 - it is done on another thread
                await asyncio.sleep(0.01)


def watched(scene: Scene, play: Callable[[Post, Watcher], Coroutine[Any, Any, None]]) -> Post:
    post = Post(scene)

    async def whole() -> None:
        watcher = post.watcher()
        tasks = [asyncio.create_task(work) for work in (watcher.watch(), watcher.show())]
        try:
            await play(post, watcher)
        finally:
            for one in tasks:
                one.cancel()

    asyncio.run(whole())
    return post


def test_a_gate_that_is_open_is_shown() -> None:
    async def play(post: Post, _: Watcher) -> None:
        await post.until(lambda: "gate-start" in post.slack.keys)

    post = watched(Scene(), play)
    assert post.metrics.value("istio_canary_open_gates", {"cluster": CLUSTER}) == 1


def test_a_decision_wakes_the_run_though_slack_is_away() -> None:
    async def play(post: Post, watcher: Watcher) -> None:
        post.slack.is_down = True
        post.scene.cast(post.scene.vote(BOB))
        watcher.look_soon()
        await post.until(lambda: post.scene.flow_runs.resumes)

    post = watched(Scene(), play)
    assert post.scene.flow_runs.state(FLOW_RUN) == "SCHEDULED"
    assert post.metrics.value("istio_canary_flow_runs_total", {"how": "resume"}) == 1


def test_a_decision_wakes_the_run_though_slack_does_not_come_to_an_end() -> None:
    async def play(post: Post, watcher: Watcher) -> None:
        post.slack.hangs = True
        await post.until(lambda: "head" in post.slack.keys)
        post.scene.cast(post.scene.vote(BOB))
        watcher.look_soon()
        await post.until(lambda: post.scene.flow_runs.resumes)
        assert watcher.busy_for < 5

    watched(Scene(), play)


def test_a_look_that_fails_is_told_once_and_tried_again() -> None:
    async def play(post: Post, watcher: Watcher) -> None:
        post.scene.records.is_away = lambda: True
        for _ in range(3):
            watcher.look_soon()
            await asyncio.sleep(0.1)
        post.scene.records.is_away = lambda: False
        watcher.look_soon()
        await post.until(lambda: "gate-start" in post.slack.keys)

    post = watched(Scene(), play)
    assert post.metrics.value("istio_canary_errors_total", {"of": "cluster"}) <= 1


def test_a_run_of_another_prefect_is_not_shown() -> None:
    async def play(post: Post, watcher: Watcher) -> None:
        post.scene.flow_runs.known.clear()
        watcher.look_soon()
        await post.until(lambda: post.metrics.value("istio_canary_errors_total", {"of": "run"}))

    assert watched(Scene(), play).slack.keys == []


def test_a_thread_that_is_complete_is_not_looked_at_any_more() -> None:
    async def play(post: Post, watcher: Watcher) -> None:
        post.scene.note(Finished(at=NOW, outcome=Outcome.ABORTED, text="aborted"))
        watcher.look_soon()
        await post.until(lambda: "end" in post.slack.keys)
        post.slack.is_down = True
        watcher.look_soon()
        await asyncio.sleep(0.3)

    post = watched(Scene(), play)
    assert post.metrics.value("istio_canary_errors_total", {"of": "slack"}) == 0
