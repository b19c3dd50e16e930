"""Threads in Slack: nothing stands in one twice, nothing is missing in the end, and its order stays."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import msgspec
import pytest

from deployments.gatekeeper.posting import Claims, Poster
from deployments.gatekeeper.thread import Wanted
from tasks.domain.approval import Row
from tasks.domain.errors import RefusedError, TransientError
from tasks.domain.slack import AnswerLostError, Label, Message
from tests.fakes import FakeVotes
from tests.fakes_slack import FakeSlack
from tests.unit.gatekeeper_scene import CHANNEL, CLUSTER, FLOW_RUN, Scene


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def want(*keys: str, text: str = "said", updated: Sequence[str] = ("head",)) -> tuple[Wanted, ...]:
    return tuple(
        Wanted(key=key, message=Message(text=f"{key} {text}"), is_updated=key in updated)
        for key in keys
    )


class Place:
    """A channel, and gatekeepers that write into it."""

    def __init__(self) -> None:
        self.slack, self.votes, self.time = FakeSlack(), FakeVotes(), Time()
        self.record = Scene().record
        self.number = 0

    def poster(self, *, posted_within: float = 10) -> Poster:
        self.number += 1
        claims = Claims(lambda: self.votes, process=f"host/{self.number}", monotonic=self.time)
        return Poster(self.slack, claims, cluster=CLUSTER, to=CHANNEL, posted_within=posted_within)

    async def show(self, poster: Poster, wanted: tuple[Wanted, ...]) -> bool:
        return await poster.bring_up_to_date(self.record, wanted, claimed_under=FLOW_RUN)


def played(scene: Callable[[Place], Coroutine[Any, Any, None]]) -> Place:
    place = Place()
    asyncio.run(scene(place))
    return place


def test_a_thread_is_posted_in_its_order_under_its_head() -> None:
    async def scene(place: Place) -> None:
        assert await place.show(place.poster(), want("head", "findings", "gate-start"))

    place = played(scene)
    head = place.slack.of("head")
    assert place.slack.keys == ["head", "findings", "gate-start"]
    assert [one.thread for one in place.slack.messages] == [None, head.ts, head.ts]


def test_nothing_is_said_again_that_says_the_same() -> None:
    async def scene(place: Place) -> None:
        poster = place.poster()
        for _ in range(3):
            await place.show(poster, want("head", "gate-start"))

    place = played(scene)
    assert place.slack.keys == ["head", "gate-start"]
    assert place.slack.of("head").edits == 0


def test_what_says_something_else_now_is_changed_and_what_was_said_once_is_not() -> None:
    async def scene(place: Place) -> None:
        poster = place.poster()
        await place.show(poster, want("head", "findings"))
        await place.show(poster, want("head", "findings", text="changed"))

    place = played(scene)
    assert place.slack.of("head").message.text == "head changed"
    assert place.slack.of("findings").message.text == "findings said"


def test_after_a_restart_everything_is_found_again() -> None:
    async def scene(place: Place) -> None:
        await place.show(place.poster(), want("head", "gate-start"))
        await place.show(place.poster(), want("head", "gate-start", "wave-1-moved", text="changed"))

    place = played(scene)
    assert place.slack.keys == ["head", "gate-start", "wave-1-moved"]


def test_a_head_that_changed_while_nobody_looked_is_changed_after_a_restart() -> None:
    async def scene(place: Place) -> None:
        await place.show(place.poster(), want("head"))
        second = place.poster()
        await place.show(second, want("head", "findings", text="changed"))
        await place.show(second, want("head", "findings", text="changed"))

    assert played(scene).slack.of("head").message.text == "head changed"


def test_a_message_whose_answer_was_lost_is_looked_for_before_it_is_posted_again() -> None:
    async def scene(place: Place) -> None:
        poster = place.poster()
        place.slack.loses_answers = True
        with pytest.raises(AnswerLostError, match="did not say whether it took the message head"):
            await place.show(poster, want("head", "gate-start"))
        place.slack.loses_answers = False
        assert await place.show(poster, want("head", "gate-start"))

    assert played(scene).slack.keys == ["head", "gate-start"]


def test_a_post_that_hangs_is_given_up_while_the_claim_is_still_ours() -> None:
    async def scene(place: Place) -> None:
        poster = place.poster(posted_within=0.01)
        place.slack.hangs = True
        with pytest.raises(AnswerLostError):
            await place.show(poster, want("head"))
        place.slack.hangs = False
        assert await place.show(poster, want("head"))

    assert played(scene).slack.keys == ["head"]


def test_when_slack_was_away_the_thread_catches_up() -> None:
    async def scene(place: Place) -> None:
        poster = place.poster()
        await place.show(poster, want("head", "gate-start"))
        place.slack.is_down = True
        for _ in range(5):
            with pytest.raises(TransientError):
                await place.show(poster, want("head", "gate-start", "wave-1-moved", text="later"))
        place.slack.is_down = False
        assert await place.show(
            poster, want("head", "gate-start", "wave-1-moved", "wave-2-moved", text="later")
        )

    place = played(scene)
    assert place.slack.keys == ["head", "gate-start", "wave-1-moved", "wave-2-moved"]
    assert place.slack.of("head").message.text == "head later"


def test_two_gatekeepers_at_the_same_moment_post_everything_once() -> None:
    async def scene(place: Place) -> None:
        posters = [place.poster() for _ in range(4)]
        wanted = want("head", "findings", "gate-start", "wave-1-moved")
        for _ in range(10):
            await asyncio.gather(*(place.show(one, wanted) for one in posters))

    assert played(scene).slack.keys == ["head", "findings", "gate-start", "wave-1-moved"]


def test_a_claim_whose_owner_has_died_is_passed_by_after_a_while_and_not_before() -> None:
    async def scene(place: Place) -> None:
        dead = place.poster()
        place.slack.is_down = True
        dead_claims = Claims(lambda: place.votes, process="host/dead", monotonic=place.time)
        assert await dead_claims.is_ours(FLOW_RUN, "head")
        place.slack.is_down = False
        second = place.poster()
        assert not await place.show(second, want("head"))
        place.time.now = 29.0
        assert not await place.show(second, want("head"))
        place.time.now = 30.0
        assert await place.show(second, want("head"))
        assert await place.show(dead, want("head"))

    assert played(scene).slack.keys == ["head"]


def test_an_owner_that_slept_on_its_claim_does_not_post_after_another_one_did() -> None:
    async def scene(place: Place) -> None:
        slow = Claims(lambda: place.votes, process="host/slow", monotonic=place.time)
        assert await slow.is_ours(FLOW_RUN, "head")
        other = Claims(lambda: place.votes, process="host/other", monotonic=place.time)
        assert not await other.is_ours(FLOW_RUN, "head")
        place.time.now = 31.0
        assert await other.is_ours(FLOW_RUN, "head")
        assert not await slow.is_ours(FLOW_RUN, "head")

    played(scene)


def test_a_message_that_somebody_deleted_is_not_said_again() -> None:
    async def scene(place: Place) -> None:
        poster = place.poster()
        updated = ("head", "gate-start")
        await place.show(poster, want("head", "gate-start", updated=updated))
        place.slack.delete("gate-start")
        for _ in range(2):
            assert await place.show(
                poster, want("head", "gate-start", text="changed", updated=updated)
            )

    assert played(scene).slack.keys == ["head"]


def test_the_threads_of_two_runs_stay_apart() -> None:
    async def scene(place: Place) -> None:
        poster = place.poster()
        await place.show(poster, want("head", "gate-start"))
        place.record = Scene(run="run-2").record
        await poster.bring_up_to_date(place.record, want("head", "gate-start"), claimed_under="f-2")

    place = played(scene)
    assert place.slack.keys == ["head", "gate-start"] * 2
    assert [one.label.run for one in place.slack.messages] == ["run-1", "run-1", "run-2", "run-2"]


def test_while_slack_is_away_nothing_more_is_claimed() -> None:
    async def scene(place: Place) -> None:
        poster = place.poster()
        await place.show(poster, want("head"))
        place.slack.is_down = True
        for minute in range(60):
            place.time.now = minute * 60.0
            with pytest.raises(TransientError):
                await place.show(poster, want("head", "gate-start"))

    place = played(scene)
    assert len(place.votes.rows(FLOW_RUN)) <= 2


def test_claims_that_have_lapsed_are_not_asked_for_again() -> None:
    class Counted(FakeVotes):
        asked = 0

        def first(self, flow_run: str, row: Row) -> Row:
            self.asked += 1
            return super().first(flow_run, row)

    async def scene(place: Place) -> None:
        votes = Counted()
        claims = Claims(lambda: votes, process="host/1", monotonic=place.time)
        for minute in range(60):
            place.time.now = minute * 60.0
            assert await claims.is_ours(FLOW_RUN, "head")
        assert votes.asked <= 120

    played(scene)


def test_a_post_that_was_given_up_is_not_made_again_while_it_may_still_appear() -> None:
    async def scene(place: Place) -> None:
        poster = place.poster(posted_within=0.01)
        place.slack.hangs = True
        with pytest.raises(AnswerLostError):
            await place.show(poster, want("head"))
        (late,), place.slack.messages[:] = list(place.slack.messages), []
        place.slack.hangs = False
        place.time.now = 5.0
        assert not await place.show(poster, want("head"))
        place.slack.messages.append(late)
        place.time.now = 12.0
        assert await place.show(poster, want("head"))

    assert played(scene).slack.keys == ["head"]


def test_a_post_that_never_appeared_is_made_after_a_while() -> None:
    async def scene(place: Place) -> None:
        poster = place.poster(posted_within=0.01)
        place.slack.hangs = True
        with pytest.raises(AnswerLostError):
            await place.show(poster, want("head"))
        place.slack.messages.clear()
        place.slack.hangs = False
        place.time.now = 31.0
        assert await place.show(poster, want("head"))

    assert played(scene).slack.keys == ["head"]


def test_what_another_gatekeeper_wrote_over_and_left_so_is_put_right() -> None:
    async def scene(place: Place) -> None:
        updated = ("head", "gate-start")
        poster = place.poster()
        old, new = (want("head", "gate-start", text=one, updated=updated) for one in ("old", "new"))
        other = place.poster()
        await place.show(poster, old)
        await place.show(other, old)
        await place.show(poster, new)
        late = place.slack.of("gate-start")
        await place.slack.update(
            CHANNEL,
            late.ts,
            old[1].message,
            label=msgspec.structs.replace(late.label, fingerprint=old[1].message.fingerprint),
        )
        place.time.now = 61.0
        await place.show(poster, new)

    assert played(scene).slack.of("gate-start").message.text == "gate-start new"


def test_an_edit_that_is_refused_keeps_no_news_from_being_posted() -> None:
    class Stubborn(FakeSlack):
        async def update(self, channel: str, ts: str, message: Message, *, label: Label) -> None:
            raise RefusedError("Slack answered chat.update with invalid_blocks")

    async def scene(place: Place) -> None:
        place.slack = Stubborn()
        poster = place.poster()
        await place.show(poster, want("head"))
        with pytest.raises(RefusedError, match="invalid_blocks"):
            await place.show(poster, want("head", "gate-start", text="changed"))

    assert played(scene).slack.keys == ["head", "gate-start"]
