"""Watching: what Prefect needs is done though Slack is away, and what nobody can read is said to be so."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec

from deployments.gatekeeper.metrics import Metrics
from deployments.gatekeeper.posting import Claims, Poster
from deployments.gatekeeper.watching import Watcher
from tasks.domain.approval import Row
from tasks.domain.errors import RefusedError
from tasks.domain.journal import Attempted, Finished, Outcome
from tests.builders import NOW, RUN
from tests.fakes import FakeRecords, FakeVotes
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


def test_a_run_that_cannot_be_read_hides_no_other() -> None:
    async def play(post: Post, watcher: Watcher) -> None:
        post.scene.records.unreadable.append("the journal of run x was changed")
        post.scene.cast(post.scene.vote(BOB))
        watcher.look_soon()
        await post.until(lambda: post.scene.flow_runs.resumes)
        await post.until(lambda: "gate-start" in post.slack.keys)

    post = watched(Scene(), play)
    assert post.metrics.value("istio_canary_errors_total", {"of": "run"}) == 1


def test_a_run_whose_votes_cannot_be_read_hides_no_other() -> None:
    class Flooded(FakeVotes):
        def rows(self, flow_run: str) -> Sequence[Row]:
            if flow_run == "f-2":
                raise RefusedError("flow run f-2 has more than 10000 inputs")
            return super().rows(flow_run)

    scene = Scene(votes=Flooded())
    scene.flow_runs.add("f-2", "RUNNING")
    other = [
        msgspec.structs.replace(one, flow_run="f-2") if isinstance(one, Attempted) else one
        for one in scene.entries()
    ]
    for entry in other:
        scene.records.append("run-2", entry)

    async def play(post: Post, _: Watcher) -> None:
        await post.until(lambda: "gate-start" in post.slack.keys)

    assert watched(scene, play).metrics.value("istio_canary_errors_total", {"of": "run"}) == 1


def test_a_plan_that_somebody_changed_hides_neither_its_run_nor_another() -> None:
    scene = Scene()
    scene.records = FakeRecords(scene.record)
    scene.records.save_plan(RUN, b"no plan")
    scene.cluster = scene.watched()

    async def play(post: Post, _: Watcher) -> None:
        await post.until(lambda: "gate-start" in post.slack.keys)

    watched(scene, play)


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


# ---------------------------------------------------------------- how long a Lease stood still


class Skipping(asyncio.SelectorEventLoop):
    """A loop whose clock can be put forward."""

    skipped = 0.0

    def time(self) -> float:
        return super().time() + self.skipped


class SlowVotes(FakeVotes):
    """A Prefect that answers late when it is told to: the clock goes on meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.late: Callable[[], object] = lambda: None

    def rows(self, flow_run: str) -> Sequence[Row]:
        self.asked += 1
        self.late()
        return super().rows(flow_run)


class LongWork:
    """A run whose process is at work, and a gatekeeper that looks on while the clock is put forward."""

    def __init__(self) -> None:
        self.votes = SlowVotes()
        self.scene = Scene(votes=self.votes)
        self.scene.flow_runs.turn(FLOW_RUN, "RUNNING")
        self.scene.leases.write(RUN, "host/1/alive")
        self.post = Post(self.scene)

    def watched(self, play: Callable[[Watcher, Skipping], Coroutine[Any, Any, None]]) -> str:
        """Return the state of the flow run after all."""

        async def whole() -> None:
            watcher, loop = self.post.watcher(), asyncio.get_running_loop()
            assert isinstance(loop, Skipping)
            task = asyncio.create_task(watcher.watch())
            try:
                await play(watcher, loop)
            finally:
                task.cancel()

        with asyncio.Runner(loop_factory=Skipping) as runner:
            runner.run(whole())
        return self.scene.flow_runs.state(FLOW_RUN)

    async def looks(self, watcher: Watcher, number: int) -> None:
        """Let the gatekeeper look so often."""
        for _ in range(number):
            before = self.votes.asked
            watcher.look_soon()
            # No timeout: it would go by the clock that is put forward.
            while self.votes.asked == before:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


def test_a_slow_prefect_makes_no_process_look_dead() -> None:
    work = LongWork()

    async def play(watcher: Watcher, loop: Skipping) -> None:
        def takes_long() -> None:
            loop.skipped += 200
            work.votes.late = lambda: None

        await work.looks(watcher, 1)
        work.votes.late = takes_long  # the Lease was read just before
        await work.looks(watcher, 1)
        work.scene.leases.renew(run=RUN, process="host/1/alive")
        await work.looks(watcher, 2)

    assert work.watched(play) == "RUNNING"


def test_an_api_server_that_was_away_makes_no_process_look_dead() -> None:
    work = LongWork()

    async def play(watcher: Watcher, loop: Skipping) -> None:
        await work.looks(watcher, 2)
        work.scene.records.is_away = lambda: True
        loop.skipped += 200
        errors = {"of": "cluster"}
        watcher.look_soon()
        while not work.post.metrics.value("istio_canary_errors_total", errors):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        loop.skipped += 200
        work.scene.records.is_away = lambda: False
        await work.looks(watcher, 2)

    assert work.watched(play) == "RUNNING"


def test_a_lease_that_stands_still_between_good_looks_is_noticed() -> None:
    work = LongWork()

    async def play(watcher: Watcher, loop: Skipping) -> None:
        await work.looks(watcher, 2)
        loop.skipped += 200
        await work.looks(watcher, 2)

    assert work.watched(play) == "SCHEDULED"
