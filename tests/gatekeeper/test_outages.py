"""Slack away, slow, silent or forgetful: the thread is complete in the end, and nothing stands in it twice."""

import threading
from itertools import pairwise
from typing import Final

from tasks.domain.approval import Verdict
from tasks.domain.journal import Decided, Finished, Installed, Moved, Outcome
from tests.builders import NEW
from tests.gatekeeper.keeping import gatekeeper, gatekeepers
from tests.gatekeeper.world import World, until, world
from tests.unit.gatekeeper_scene import BOB, CAROL

POST: Final = "chat.postMessage"
UPDATE: Final = "chat.update"


def approve_and_move(place: World) -> None:
    """Let the run go on by an approval in the terminal, and move its first wave."""
    place.scene.cast(place.scene.vote(BOB, via="slack", at=place.clock.now()))
    until(lambda: place.decisions, what="the run is resumed")
    place.scene.note(
        Installed(at=place.clock.now(), revision=NEW, done=False),
        Installed(at=place.clock.now(), revision=NEW, done=True),
        Moved(at=place.clock.now(), wave=1),
    )


def test_slack_down_for_a_whole_wave_then_back_the_thread_is_complete_and_nothing_twice() -> None:
    with world() as place, place.worker(), gatekeepers(place, 2):
        place.ts()
        place.slack.go_down()
        approve_and_move(place)
        place.scene.note(
            Finished(at=place.clock.now(), outcome=Outcome.DONE, text="all is on 1.29.1")
        )
        threading.Event().wait(3)
        place.slack.heal()
        until(lambda: place.message("end"), what="the thread catches up", seconds=60)
        until(lambda: "Approved" in str(place.message("gate-start")), what="the gate is shown so")
        asked = place.votes.asked
        keys = place.keys()
    assert len(keys) == len(set(keys))
    assert keys[0] == "head"
    assert keys[-1] == "end"
    assert {"gate-start", "canary-installed", "wave-1-moved"} < set(keys)
    assert asked < 60  # an outage does not fill Prefect with claims


def test_a_gatekeeper_that_starts_while_slack_is_away_resumes_runs_and_talks_when_it_is_back() -> (
    None
):
    with world() as place, place.worker():
        place.slack.go_down()
        with gatekeeper(place):
            place.scene.cast(place.scene.vote(BOB, at=place.clock.now()))
            until(lambda: place.decisions, what="the run is resumed")
            place.slack.heal()
            until(place.slack.connections, what="it hears Slack", seconds=60)
            until(lambda: place.message("gate-start"), what="it says so", seconds=60)


def test_a_slack_that_takes_ten_seconds_holds_up_no_run() -> None:
    with world() as place, place.worker(), gatekeeper(place):
        place.ts()
        place.slack.fail("delay", UPDATE, seconds=8)
        place.scene.cast(place.scene.vote(BOB, at=place.clock.now()))
        until(lambda: place.decisions, what="the run is resumed", seconds=6)


def test_a_message_whose_answer_is_lost_after_the_effect_stands_there_once() -> None:
    with world() as place:
        place.slack.fail("lose-answer", POST, times=2)
        with gatekeepers(place, 2):
            place.ts()
            keys = place.keys()
    assert keys == ["head", "gate-start"]


def test_retry_after_is_obeyed_and_a_message_a_second_is_enough() -> None:
    with world(rates=1.0) as place:
        place.slack.fail("ratelimited", POST, times=1, seconds=2)
        with gatekeeper(place):
            place.ts()
            calls = place.slack.calls(POST)
    refused = next(one for one in calls if one.error == "ratelimited")
    later = [one.at for one in calls if one.at > refused.at]
    assert min(later) - refused.at >= 2
    posted = [one.at for one in calls if not one.error]
    assert all(after - before >= 0.9 for before, after in pairwise(posted))


def test_what_changes_while_slack_is_away_is_one_update_when_it_is_back() -> None:
    with world() as place, gatekeeper(place):
        place.ts()
        place.slack.fail("refuse", UPDATE)
        before = len([one for one in place.slack.calls(UPDATE) if not one.error])
        for wave in range(1, 6):
            place.scene.note(Moved(at=place.clock.now(), wave=wave))
        place.scene.note(
            Decided(at=place.clock.now(), gate="start", verdict=str(Verdict.APPROVED), votes=())
        )
        until(
            lambda: any(one.error for one in place.slack.calls(UPDATE)), what="an update that fails"
        )
        place.slack.heal()
        until(lambda: "pproved" in str(place.message("gate-start")), what="it is shown")
        done = [one for one in place.slack.calls(UPDATE) if not one.error][before:]
    assert len({one.arguments["ts"] for one in done}) <= 2
    assert len(done) <= 4


def test_envelopes_that_come_twice_and_in_another_order_count_once() -> None:
    gates = {"approvers": [BOB.identity, CAROL.identity], "quorum": 2}
    with world(gates) as place, place.worker(), gatekeepers(place, 2):
        button = place.button()
        until(lambda: place.slack.connections() == 2, what="both hear Slack")
        place.slack.duplicate(4)
        place.slack.reorder(2)
        people = [
            threading.Thread(target=place.press_old, args=(one.user, button))
            for one in (BOB, CAROL)
        ]
        for one in people:
            one.start()
        for one in people:
            one.join()
        until(lambda: place.decisions, what="the gate is decided")
    assert len(place.decisions) == 1
    assert {vote.person for vote in place.decided_by} == {BOB.identity, CAROL.identity}


def test_a_socket_that_falls_silent_fails_healthz() -> None:
    with world() as place, gatekeeper(place) as one:
        place.ts()
        assert one.page("/healthz")[0] == 200
        place.slack.silence()
        status, text = until(
            lambda: found if (found := one.page("/healthz"))[0] == 503 else None,
            what="it says so",
            seconds=90,
        )
    assert status == 503
    assert "nothing was heard from Slack" in text
