"""How a run ends: every error on purpose has one outcome, and so one exit code."""

import pytest

from tasks.domain.ending import RunEndedError, outcome_of
from tasks.domain.errors import (
    BadInputError,
    HaltedError,
    LeaseLostError,
    RefusedError,
    StopRequested,
    TransientError,
    UnhealthyError,
    UpgradeError,
)
from tasks.domain.journal import Outcome


@pytest.mark.parametrize(
    ("error", "before", "after"),
    [
        pytest.param(
            RunEndedError(Outcome.EXPIRED, "nobody voted"),
            Outcome.EXPIRED,
            Outcome.EXPIRED,
            id="an orderly end keeps its own outcome",
        ),
        pytest.param(
            StopRequested("stopped"),
            Outcome.INTERRUPTED,
            Outcome.INTERRUPTED,
            id="somebody stopped the process",
        ),
        pytest.param(
            BadInputError("no such namespace"),
            Outcome.BAD_INPUT,
            Outcome.STOPPED,
            id="bad input is harmless only before the first change",
        ),
        pytest.param(
            RefusedError("forbidden"), Outcome.BLOCKED, Outcome.STOPPED, id="people have to act"
        ),
        pytest.param(
            UnhealthyError("not ready"), Outcome.BLOCKED, Outcome.STOPPED, id="it is not healthy"
        ),
        pytest.param(
            HaltedError("another batch failed"),
            Outcome.BLOCKED,
            Outcome.STOPPED,
            id="another batch failed",
        ),
        pytest.param(
            TransientError("no answer"), Outcome.CRASHED, Outcome.CRASHED, id="retries ran out"
        ),
        pytest.param(
            LeaseLostError("not ours"), Outcome.CRASHED, Outcome.CRASHED, id="the Lease was lost"
        ),
    ],
)
def test_an_error_ends_the_run(error: UpgradeError, before: Outcome, after: Outcome) -> None:
    assert outcome_of(error, has_changed_something=False) is before
    assert outcome_of(error, has_changed_something=True) is after


def test_an_orderly_end_says_what_happened_and_what_is_left_to_do() -> None:
    error = RunEndedError(Outcome.STOPPED, "revision 1-28-3 is still in use", ("restart cart",))
    assert str(error) == "revision 1-28-3 is still in use"
    assert error.todo == ("restart cart",)
    assert RunEndedError(Outcome.NOTHING_TO_DO, "all is well").todo == ()
