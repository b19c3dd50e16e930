"""What the gatekeeper does in Prefect for a run that does not act by itself."""

from datetime import timedelta

import msgspec
import pytest

from deployments.gatekeeper.duties import UNTIL_TAKEN, Duty, RunWatch
from tasks.domain.approval import Answer
from tasks.domain.journal import (
    Asked,
    Attempted,
    Controlled,
    Decided,
    Finished,
    Outcome,
    RunRecord,
    Step,
    Waited,
)
from tasks.domain.plan import canonical
from tests.builders import NOW, RUN, after
from tests.fakes import FakeRecords
from tests.unit.gatekeeper_scene import BOB, FLOW_RUN, MALLORY, Scene

TICK = timedelta(seconds=2)


def duty(scene: Scene, watch: RunWatch | None = None, *, after: timedelta = TICK) -> Duty:
    (seen,) = scene.cluster.look(scene.leases.holding())
    return (watch or RunWatch()).duty(seen, after=after)


def waiting_for_people(scene: Scene) -> Scene:
    scene.note(
        Decided(at=NOW, gate="start", verdict="approved"),
        Attempted(at=NOW, flow_run=FLOW_RUN, flow="upgrade", deployment="d-1"),
    )
    return scene


# ---------------------------------------------------------------- suspended runs


def test_a_suspended_run_is_left_alone_while_people_think() -> None:
    assert duty(Scene()) is Duty.NOTHING


@pytest.mark.parametrize("answer", [Answer.APPROVE, Answer.REJECT])
def test_a_suspended_run_whose_gate_is_decided_is_resumed_for_as_long_as_it_is_suspended(
    answer: Answer,
) -> None:
    scene, watch = Scene(), RunWatch()
    scene.cast(scene.vote(BOB, answer))
    assert [duty(scene, watch) for _ in range(3)] == [Duty.RESUME] * 3

    scene.flow_runs.resume(FLOW_RUN)
    assert duty(scene, watch) is Duty.NOTHING


def test_a_vote_of_somebody_who_may_not_decide_wakes_nobody() -> None:
    scene = Scene()
    scene.cast(scene.vote(MALLORY))
    assert duty(scene) is Duty.NOTHING


def test_a_gate_that_has_expired_wakes_its_run_to_say_so() -> None:
    scene = Scene()
    scene.clock.time = scene.gate().expires_at
    assert duty(scene) is Duty.RESUME


def test_a_run_that_is_held_is_resumed_once_somebody_lets_it_go_on() -> None:
    scene = waiting_for_people(Scene())
    scene.cast(scene.vote(BOB, Answer.HOLD, gate=""))
    scene.note(Waited(at=NOW, gate="hold"))
    assert duty(scene) is Duty.NOTHING

    scene.cast(scene.vote(BOB, Answer.RESUME, gate="", at=after(100)))
    assert duty(scene) is Duty.RESUME


def test_an_abort_wakes_a_run_that_waits_for_people() -> None:
    scene = Scene()
    scene.cast(scene.vote(BOB, Answer.ABORT, gate=""))
    assert duty(scene) is Duty.RESUME


def test_a_gate_whose_votes_we_cannot_verify_expires_all_the_same() -> None:
    scene = Scene()
    scene.records = FakeRecords(with_another_key(scene))
    scene.records.save_plan(RUN, canonical(scene.plan))
    scene.cluster = scene.watched()
    assert duty(scene) is Duty.NOTHING

    scene.clock.time = scene.gate().expires_at
    assert duty(scene) is Duty.RESUME


def with_another_key(scene: Scene) -> RunRecord:
    asked = Asked(gate=scene.gate(key="another"))
    entries = [asked if isinstance(one, Asked) else one for one in scene.entries()]
    return RunRecord(run=RUN, entries=tuple(entries))


def test_a_hold_that_only_the_run_could_verify_is_not_undone() -> None:
    scene = waiting_for_people(Scene())
    scene.note(Controlled(vote=scene.vote(BOB, Answer.HOLD, gate="")), Waited(at=NOW, gate="hold"))
    assert duty(scene) is Duty.NOTHING


def test_a_rollback_that_somebody_suspended_in_prefect_is_not_woken_by_the_abort_before_it() -> (
    None
):
    scene = Scene()
    scene.cast(scene.vote(BOB, Answer.ABORT, gate=""))
    scene.note(Attempted(at=NOW, flow_run=FLOW_RUN, flow="rollback", deployment="d-1"))
    assert duty(scene) is Duty.NOTHING


def test_a_run_that_somebody_suspended_in_prefect_stays_suspended() -> None:
    scene = waiting_for_people(Scene())
    scene.note(Step(at=NOW, text="shop: moved"))
    assert duty(scene) is Duty.NOTHING

    scene.note(Controlled(vote=scene.vote(BOB, Answer.RESUME, gate="")))
    assert duty(scene) is Duty.NOTHING


def test_a_run_without_a_deployment_waits_in_its_own_process() -> None:
    scene = Scene()
    scene.flow_runs.add(FLOW_RUN, "PAUSED", deployment=None)
    scene.cast(scene.vote(BOB))
    assert duty(scene) is Duty.NOTHING


def test_a_run_of_another_prefect_is_none_of_our_business() -> None:
    scene = Scene()
    scene.flow_runs.known.clear()
    assert duty(scene) is Duty.NOTHING


def test_a_run_that_is_over_is_never_woken() -> None:
    scene = Scene()
    scene.cast(scene.vote(BOB))
    scene.note(Finished(at=NOW, outcome=Outcome.ABORTED, text="aborted"))
    assert duty(scene) is Duty.NOTHING


# ---------------------------------------------------------------- lost runs


def lost(scene: Scene) -> Scene:
    scene.flow_runs.turn(FLOW_RUN, "RUNNING")
    scene.leases.write(RUN, "host/1/gone")
    return scene


def test_a_running_flow_run_whose_process_has_not_renewed_its_lease_is_put_back_in_line() -> None:
    scene, watch = lost(Scene()), RunWatch()
    found = [duty(scene, watch) for _ in range(int(UNTIL_TAKEN / TICK))]
    assert found[:-1] == [Duty.NOTHING] * (len(found) - 1)
    assert found[-1] is Duty.RESCHEDULE


def test_a_process_that_renews_is_left_alone_however_long_it_works() -> None:
    scene, watch = lost(Scene()), RunWatch()
    for _ in range(100):
        scene.leases.renew(run=RUN, process="host/1/gone")
        assert duty(scene, watch) is Duty.NOTHING


def test_a_run_that_was_just_put_back_has_time_to_see_the_lease_lapse_itself() -> None:
    scene, watch = lost(Scene()), RunWatch()
    for _ in range(100):
        duty(scene, watch)
    known = scene.flow_runs.known
    known[FLOW_RUN] = msgspec.structs.replace(known[FLOW_RUN], state_id="another")

    found = [duty(scene, watch) for _ in range(int(UNTIL_TAKEN / TICK) - 1)]
    assert set(found) == {Duty.NOTHING}


def test_a_parked_lease_says_that_nobody_was_to_renew_it() -> None:
    scene, watch = lost(Scene()), RunWatch()
    scene.leases.write(RUN, "")
    assert {duty(scene, watch) for _ in range(100)} == {Duty.NOTHING}
