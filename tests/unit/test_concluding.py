"""How a run ends: the outcome is the state's name, and the Lease is left in order."""

from collections.abc import Callable

import pytest
from prefect.client.schemas.objects import StateType

from tasks.concluding import conclude, ended_before
from tasks.domain.ending import RunEndedError
from tasks.domain.errors import (
    BadInputError,
    LeaseLostError,
    RefusedError,
    StopRequested,
    TransientError,
    UnhealthyError,
    UpgradeError,
)
from tasks.domain.journal import Attempted, Finished, Installed, Outcome, RunRecord
from tasks.wiring import using
from tests.builders import NEW, NOW, RUN
from tests.fakes import FakeClock, FakeLeases, FakeRecords, services, working


def failing(error: Exception) -> Callable[[], str]:
    def work() -> str:
        raise error

    return work


# ---------------------------------------------------------------- before a run is taken up


def test_work_that_is_done_completes_with_what_it_says() -> None:
    with using(services()):
        state = conclude(lambda: "all moved")

    assert (state.type, state.name, state.message) == (StateType.COMPLETED, "Done", "all moved")


@pytest.mark.parametrize(
    ("error", "kind", "name"),
    [
        (RunEndedError(Outcome.NOTHING_TO_DO, "why"), StateType.COMPLETED, "NothingToDo"),
        (RunEndedError(Outcome.REJECTED, "why"), StateType.FAILED, "Rejected"),
        (RunEndedError(Outcome.ROLLED_BACK, "why"), StateType.FAILED, "RolledBack"),
        (BadInputError("why"), StateType.FAILED, "BadInput"),
        (RefusedError("why"), StateType.FAILED, "Blocked"),
        (UnhealthyError("why"), StateType.FAILED, "Blocked"),
        (StopRequested("why"), StateType.CANCELLED, "Interrupted"),
        (LeaseLostError("why"), StateType.FAILED, "Failed"),
        (TransientError("why"), StateType.FAILED, "Failed"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_the_state_is_named_by_the_outcome(error: UpgradeError, kind: StateType, name: str) -> None:
    with using(services()):
        state = conclude(failing(error))

    assert (state.type, state.name, state.message) == (kind, name, "why")


def test_the_state_lists_what_people_have_to_do() -> None:
    ended = RunEndedError(Outcome.STOPPED, "it stays", ("restart a", "restart b"))
    with using(services()):
        state = conclude(failing(ended))

    assert state.message == "it stays\n- restart a\n- restart b"


def test_before_a_run_is_taken_up_nothing_is_written_to_any_journal() -> None:
    records = FakeRecords()
    with using(services(records=records)):
        conclude(failing(RefusedError("why")))

    assert records.runs() == ()


def test_a_bug_is_no_outcome() -> None:
    with using(services()), pytest.raises(ZeroDivisionError):
        conclude(failing(ZeroDivisionError()))


# ---------------------------------------------------------------- a run that is to go on


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (StopRequested("why"), "Interrupted"),
        (TransientError("why"), "Failed"),
        (LeaseLostError("why"), "Failed"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_an_unfinished_run_is_parked_for_the_next_process_and_not_finished(
    error: UpgradeError, name: str
) -> None:
    clock = FakeClock()
    leases = FakeLeases(clock)
    before = RunRecord(run=RUN, entries=(Installed(at=NOW, revision=NEW, done=True),))
    records = FakeRecords(before)
    with working(services(records=records, leases=leases, clock=clock)) as chosen:
        state = conclude(failing(error))
        assert not chosen.keeper.is_held

    assert state.name == name
    assert records.run(RUN) == before
    assert leases.held is not None
    assert (leases.held.run, leases.held.process) == (RUN, "")


def test_a_bug_leaves_the_run_parked_too() -> None:
    with working(services()) as chosen:
        with pytest.raises(ZeroDivisionError):
            conclude(failing(ZeroDivisionError()))
        assert not chosen.keeper.is_held


# ---------------------------------------------------------------- a run that is over


def test_a_stop_while_the_end_cannot_be_written_leaves_the_run_unfinished() -> None:
    clock = FakeClock()
    records = FakeRecords(RunRecord(run=RUN))
    records.is_away = lambda: clock.waited.total_seconds() < 3600
    with working(services(records=records, clock=clock)) as chosen:
        clock.meanwhile = chosen.keeper.request_stop
        state = conclude(failing(RefusedError("why")))

    records.is_away = lambda: False
    assert (state.type, state.name) == (StateType.CANCELLED, "Interrupted")
    assert records.run(RUN).finished is None


def test_a_run_that_is_over_ends_again_as_it_did() -> None:
    over = Finished(at=NOW, outcome=Outcome.EXPIRED, text="nobody came", todo=("come",))

    again = ended_before(RunRecord(run=RUN, entries=(over,)))

    assert (again.outcome, str(again), again.todo) == (Outcome.EXPIRED, "nobody came", ("come",))


def test_a_run_that_somebody_works_on_again_has_no_end_to_repeat() -> None:
    over = Finished(at=NOW, outcome=Outcome.EXPIRED, text="nobody came")
    again = Attempted(at=NOW, flow_run="f-2", flow="rollback")

    with pytest.raises(AssertionError, match="is not over"):
        ended_before(RunRecord(run=RUN, entries=(over, again)))
