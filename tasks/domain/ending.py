"""How a run ends, as an exception and as what the command line makes of one."""

from tasks.domain.errors import (
    BadInputError,
    RefusedError,
    StopRequested,
    UnhealthyError,
    UpgradeError,
)
from tasks.domain.journal import Outcome


class RunEndedError(UpgradeError):
    """The run is over in an orderly way that is not success."""

    def __init__(self, outcome: Outcome, text: str, todo: tuple[str, ...] = ()) -> None:
        """Keep the outcome, the sentence for people and what they have to do."""
        super().__init__(text)
        self.outcome = outcome
        self.todo = todo


def outcome_of(error: UpgradeError, *, has_changed_something: bool) -> Outcome:
    """Return the outcome that an error stands for."""
    if isinstance(error, RunEndedError):
        return error.outcome
    if isinstance(error, StopRequested):
        return Outcome.INTERRUPTED
    if isinstance(error, BadInputError) and not has_changed_something:
        return Outcome.BAD_INPUT
    if isinstance(error, RefusedError | BadInputError | UnhealthyError):
        return Outcome.STOPPED if has_changed_something else Outcome.BLOCKED
    return Outcome.CRASHED
