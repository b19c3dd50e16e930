"""What the gates promise, each by its name, with whole gatekeepers and a Slack that talks back."""

import threading
from datetime import timedelta
from typing import Final

import msgspec
import pytest

from deployments.rehearsal.slack.faults import Kind
from tasks import voting, wiring
from tasks.domain.approval import Answer, tally, verified
from tasks.domain.errors import BadInputError
from tasks.domain.journal import Attempted
from tests.builders import KEY, RUN
from tests.gatekeeper.keeping import gatekeeper, gatekeepers
from tests.gatekeeper.world import World, until, world
from tests.unit.gatekeeper_scene import ADMINS, ANN, BOB, CAROL, FLOW_RUN, MALLORY, Scene

TWO: Final = {"approvers": [BOB.identity, CAROL.identity], "quorum": 2}
GROUP: Final = {"approvers": [ADMINS]}


def nothing_was_stored(place: World) -> bool:
    return not place.votes.rows(FLOW_RUN) and place.flow_runs.resumes == 0


# ---------------------------------------------------------------- durable, and resolved once


def test_durable_record_a_vote_outlives_its_gatekeeper() -> None:
    with world(TWO) as place, place.worker():
        with gatekeeper(place) as first:
            assert place.press(BOB.user)
            first.kill()
        with gatekeeper(place):
            assert place.press(CAROL.user)
            until(lambda: place.decisions, what="both votes count")
    assert {vote.person for vote in place.decided_by} == {BOB.identity, CAROL.identity}


def test_resolve_once_of_many_at_once_one_wins_and_the_others_are_told_who() -> None:
    people = (BOB, CAROL, ANN)
    with (
        world({"approvers": [one.identity for one in people]}) as place,
        place.worker(),
        gatekeepers(place, 2),
    ):
        button = place.button()
        clicks = [
            threading.Thread(target=place.press_old, args=(one.user, button)) for one in people
        ]
        for one in clicks:
            one.start()
        for one in clicks:
            one.join()
        until(lambda: place.decisions, what="the gate is decided")
        assert place.press_old(CAROL.user, button)
        told = place.hears(CAROL.user, "by <@")
    assert "approved" in told
    assert len(place.decisions) == 1
    assert len(place.flow_runs.resumed_at) == 1


# ---------------------------------------------------------------- fail closed


@pytest.mark.parametrize(
    ("kind", "status", "seconds"),
    [("status", 503, 0), ("ratelimited", 429, 90), ("error", 200, 0)],
)
def test_fail_closed_nobody_is_let_through_while_a_user_group_cannot_be_read(
    kind: Kind, status: int, seconds: float
) -> None:
    with world(GROUP) as place, place.worker(), gatekeeper(place):
        place.ts()
        group = "usergroups.users.list"
        place.slack.fail(kind, group, status=status, seconds=seconds, error="no_such_subteam")
        place.press(BOB.user)
        place.hears(BOB.user, "Not taken")
        assert nothing_was_stored(place)


def test_fail_closed_a_gate_that_nobody_asks_at_is_refused() -> None:
    with world() as place, place.worker(), gatekeeper(place):
        value = place.scene.subject(gate="wave-7").encoded()
        place.press_old(BOB.user, place.button(), value=value)
        place.hears(BOB.user, "does not ask at wave-7")
        assert nothing_was_stored(place)


def test_fail_closed_a_slack_that_takes_no_message_leaves_the_run_waiting() -> None:
    with world() as place, place.worker():
        place.slack.fail("status", "chat.postMessage", status=503)
        with gatekeeper(place) as one:
            until(lambda: one.counted("istio_canary_errors_total"), what="it has tried")
            assert nothing_was_stored(place)
            assert place.flow_runs.state(FLOW_RUN) == "PAUSED"


# ---------------------------------------------------------------- quorum, and one veto


def test_quorum_one_person_counts_once_however_often_they_click() -> None:
    with world(TWO) as place, place.worker(), gatekeeper(place):
        button = place.button()
        assert place.press_old(BOB.user, button)
        assert place.press_old(BOB.user, button)
        place.hears(BOB.user, "recorded already; 1 of 2")
        assert not place.decisions
        assert place.press_old(CAROL.user, button)
        until(lambda: place.decisions, what="two people are enough")


def test_quorum_that_nobody_could_reach_is_refused_before_the_run() -> None:
    with pytest.raises(BadInputError, match="cannot be reached"):
        Scene(gates={"approvers": [BOB.identity], "quorum": 2})


def test_quorum_one_veto_ends_it() -> None:
    with world(TWO) as place, place.worker(), gatekeeper(place):
        assert place.press(BOB.user)
        assert place.press(CAROL.user, "gate-reject")
        (view,) = until(lambda: place.slack.views(CAROL.user), what="a reason is asked for")
        (block,) = [one["block_id"] for one in view["blocks"] if one["type"] == "input"]
        outcome = place.slack.submit(CAROL.user, view["id"], {block: {"reason": "not now"}})
        assert outcome.acknowledged
        until(lambda: place.decisions, what="the gate is rejected")
    assert place.decisions[0].verdict == "rejected"
    assert place.decided_by[0].reason == "not now"


# ---------------------------------------------------------------- separation of duties


OTHERS: Final = {
    "approvers": ["Ann", BOB.identity],
    "requester_may_approve": False,
    "people": [{"name": "Ann", "identities": ["kubernetes:ann", ANN.identity]}],
}


def test_separation_of_duties_the_requester_is_refused_by_click_command_and_terminal() -> None:
    with world(OTHERS) as place, place.worker(), gatekeeper(place):
        assert place.press(ANN.user)
        place.hears(ANN.user, "who asked for the run")
        assert place.type(ANN.user, "approve")
        until(lambda: len(place.told(ANN.user)) == 2, what="she is told again")
        assert "who asked for the run" in place.told(ANN.user)[1]
        gate, record = place.scene.record.open_gate, place.scene.record
        assert gate is not None
        with (
            wiring.using(place.services("host/terminal")),
            pytest.raises(BadInputError, match="who asked for the run"),
        ):
            voting.vote(record, gate, Answer.APPROVE, person="kubernetes:ann")
        assert nothing_was_stored(place)


# ---------------------------------------------------------------- two clocks


def test_two_clocks_an_approval_too_old_has_to_be_given_again() -> None:
    gates = TWO | {"approval_valid_seconds": 3600}
    with world(gates) as place, place.worker(), gatekeeper(place):
        assert place.press(BOB.user)
        until(lambda: place.votes.rows(FLOW_RUN), what="it is stored")
        place.clock.jump(timedelta(seconds=3601))
        assert place.press(CAROL.user)
        place.hears(CAROL.user, "1 of 2 have approved")
        assert not place.decisions
        assert place.press(BOB.user)
        until(lambda: place.decisions, what="he has given it again")


def test_two_clocks_a_gate_that_expires_is_over_and_wakes_its_run() -> None:
    with world() as place, place.worker(), gatekeeper(place):
        button = place.button()
        place.clock.jump(timedelta(hours=25))
        until(lambda: place.decisions, what="the run hears of it")
        place.press_old(BOB.user, button)
        place.hears(BOB.user, "expired")
    assert place.decisions[0].verdict == "expired"
    assert place.decided_by == []


# ---------------------------------------------------------------- reminders


def test_reminders_come_by_the_clock_and_not_again_after_a_restart() -> None:
    gates = {"approvers": [BOB.identity], "remind_after_seconds": 60}
    with world(gates) as place:
        with gatekeeper(place):
            place.ts()
            assert not place.message("gate-start-reminder-1")
            place.clock.jump(timedelta(seconds=61))
            place.ts("gate-start-reminder-1")
        with gatekeepers(place, 2):
            until(lambda: place.slack.connections() >= 2, what="both are up again")
            place.clock.jump(timedelta(seconds=121))
            place.ts("gate-start-reminder-2")
            threading.Event().wait(2)
            keys = place.keys()
    assert sorted(one for one in keys if "reminder" in one) == [
        "gate-start-reminder-1",
        "gate-start-reminder-2",
    ]


# ---------------------------------------------------------------- audit


def test_audit_is_idempotent_a_replay_yields_the_same_row_once() -> None:
    with world(TWO) as place, gatekeepers(place, 2):
        button = place.button()
        at = place.slack.slack.stamps.next()
        for _ in range(4):
            place.press_old(BOB.user, button, action_ts=at)
        (row,) = place.votes.rows(FLOW_RUN)
        place.votes.cast(FLOW_RUN, row)
        assert place.votes.rows(FLOW_RUN) == (row,)


def test_audit_decisions_carry_votes_whose_signatures_can_be_verified() -> None:
    with world() as place, place.worker(), gatekeeper(place):
        assert place.press(BOB.user)
        until(lambda: place.decisions, what="the gate is decided")
    (vote,) = place.decided_by
    (row,) = place.votes.rows(FLOW_RUN)
    assert verified(row, key=KEY) == vote
    assert verified(row, key=KEY[::-1]) != vote


def test_audit_rows_of_two_runs_are_not_interchangeable() -> None:
    mine, other = Scene(), Scene(run="run-2")
    mine.cast(mine.vote(BOB))
    rows = mine.votes.rows(FLOW_RUN)
    at = mine.clock.now() + timedelta(minutes=2)
    assert tally(mine.gate(), rows, key=KEY, now=at).approvals
    counted = tally(other.gate(), rows, key=KEY, now=at)
    assert counted.approvals == ()
    assert f"of run '{RUN}'" in counted.refused[0].why


def test_audit_is_append_only_no_row_takes_another_s_place() -> None:
    scene = Scene()
    scene.cast(scene.vote(BOB))
    (row,) = scene.votes.rows(FLOW_RUN)
    forged = msgspec.structs.replace(row, value="{}")
    assert scene.votes.first(FLOW_RUN, forged) == row


# ---------------------------------------------------------------- digest binding


def test_digest_binding_a_plan_that_changes_after_an_approval_makes_it_void() -> None:
    scene = Scene(gates=TWO)
    votes = (scene.vote(BOB), scene.vote(CAROL))
    scene.cast(*votes)
    rows, at = scene.votes.rows(FLOW_RUN), scene.clock.now() + timedelta(minutes=2)
    assert tally(scene.gate(), rows, key=KEY, now=at).verdict == "approved"
    changed = tally(scene.gate(digest="e" * 64), rows, key=KEY, now=at)
    assert changed.verdict == "waiting"
    assert {one.why for one in changed.refused} == {"is for another plan"}


def test_digest_binding_a_button_of_another_plan_is_refused() -> None:
    with world() as place, place.worker(), gatekeeper(place):
        value = place.scene.subject(digest="e" * 64).encoded()
        place.press_old(BOB.user, place.button(), value=value)
        place.hears(BOB.user, "This message is about plan eeeeeeeeeeee")
        assert nothing_was_stored(place)


# ---------------------------------------------------------------- emergency


def test_emergency_a_rollback_asks_nobody_and_needs_no_slack() -> None:
    with world() as place, place.worker():
        place.slack.go_down()
        with gatekeeper(place):
            at = place.clock.now()
            place.scene.note(Attempted(at=at, flow_run="f-2", flow="rollback", deployment="d-2"))
            assert place.scene.record.open_gate is None
            place.slack.heal()
            until(lambda: place.message("gate-start"), what="Slack is back", seconds=60)
            until(
                lambda: "gate-approve" not in str(place.message("gate-start")),
                what="nobody is asked any more",
            )
    assert place.decisions == ()


def test_emergency_a_rollback_begins_by_a_command_while_a_gate_is_open() -> None:
    with world() as place, gatekeeper(place, starters=(BOB.identity,)):
        place.ts()
        assert place.type(BOB.user, "rollback")
        (view,) = until(lambda: place.slack.views(BOB.user), what="he is asked once more")
        assert place.slack.submit(BOB.user, view["id"], {}).acknowledged
        place.hears(BOB.user, "is scheduled")
        (parameters,) = place.flow_runs.parameters.values()
    assert "gates" not in str(parameters)


def test_who_is_no_approver_is_told_so_and_nothing_is_stored() -> None:
    with world() as place, place.worker(), gatekeeper(place):
        assert place.press(MALLORY.user)
        place.hears(MALLORY.user, "who is not an approver")
        assert nothing_was_stored(place)
