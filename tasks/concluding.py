"""Bringing a run to its end: what happened becomes an outcome, in the journal and in Prefect."""

from collections.abc import Callable

from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Completed, Failed

from tasks import reporting, wiring
from tasks.domain import report
from tasks.domain.ending import RunEndedError, outcome_of
from tasks.domain.errors import LeaseLostError, StopRequested, UpgradeError
from tasks.domain.journal import Finished, Installed, Outcome, RunRecord
from tasks.domain.left import left_todo
from tasks.journaling import log, note, now, record

# These leave the run unfinished: the same command goes on with it.
_UNFINISHED = frozenset({Outcome.INTERRUPTED, Outcome.CRASHED})
_GOOD = frozenset({Outcome.DONE, Outcome.NOTHING_TO_DO})


def conclude(work: Callable[[], str]) -> State[None]:
    """
    Do the work of a run, and return Prefect's last state for what came of it.

    The state's name is the outcome. However the work ends, the Lease is left in order: released
    when the run is over, else parked for the next process.
    """
    services = wiring.services()
    try:
        outcome, text, todo = _outcome(work)
        if outcome not in _UNFINISHED:
            todo = (*todo, *_left_behind())
            finish(outcome, text, todo)
    except (LeaseLostError, StopRequested) as error:
        # What came of the work could not be written down, so the run is not over.
        outcome, text, todo = outcome_of(error, has_changed_something=False), str(error), ()
    finally:
        services.keeper.park()  # nothing, after a release
    return state_of(outcome, "\n".join([text, *(f"- {one}" for one in todo)]))


def _outcome(work: Callable[[], str]) -> tuple[Outcome, str, tuple[str, ...]]:
    try:
        return Outcome.DONE, work(), ()
    except RunEndedError as error:
        return error.outcome, str(error), error.todo
    except UpgradeError as error:
        return _stopped(error)


def _left_behind() -> tuple[str, ...]:
    return left_todo(record()) if wiring.is_working() else ()


def _stopped(error: UpgradeError) -> tuple[Outcome, str, tuple[str, ...]]:
    outcome = outcome_of(error, has_changed_something=False)
    # An unfinished run is that whatever it has changed, and its journal may not be readable.
    if outcome in _UNFINISHED or not wiring.is_working() or not record().of(Installed):
        return outcome, str(error), ()
    outcome = outcome_of(error, has_changed_something=True)
    return outcome, str(error), report.next_steps(record())


def ended_before(over: RunRecord) -> RunEndedError:
    """Return the end of a run that is over: a flow run that comes back to it begins no other."""
    finished = over.finished
    if finished is None:
        raise AssertionError(f"run {over.run} is not over")
    return RunEndedError(finished.outcome, finished.text, finished.todo)


def finish(outcome: Outcome, text: str, todo: tuple[str, ...] = ()) -> None:
    """Write the end of the run into the journal, publish the report, and free the cluster."""
    log(f"{outcome}: {text}")
    if not wiring.is_working():
        return
    note(Finished(at=now(), outcome=outcome, text=text, todo=todo))
    reporting.show_decisions()
    reporting.show_end()
    wiring.services().keeper.release()


def state_of(outcome: Outcome, text: str) -> State[None]:
    """Return Prefect's last state for an outcome, which names it."""
    if outcome in _GOOD:
        return Completed(name=str(outcome), message=text)
    if outcome is Outcome.INTERRUPTED:
        return Cancelled(name=str(outcome), message=text)
    return Failed(name=str(outcome), message=text)
