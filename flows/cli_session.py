"""What every command does around its work: connect, and tell how it ended."""

from collections.abc import Generator
from contextlib import contextmanager

import typer

from flows import cli_output as out
from flows.cli_output import Format
from tasks import wiring
from tasks.domain.documents import RunReport
from tasks.domain.ending import RunEndedError, outcome_of
from tasks.domain.errors import BadInputError, TransientError, UpgradeError
from tasks.domain.journal import Outcome
from tasks.domain.parameters import ClusterAccess
from tasks.settings import Settings


@contextmanager
def told(output: Format) -> Generator[None]:
    """Turn errors into a sentence and an exit code."""
    try:
        yield
    except RunEndedError as error:
        ended(_report(error.outcome, error, error.todo), output)
    except UpgradeError as error:
        ended(_report(outcome_of(error, has_changed_something=False), error), output)


def _report(outcome: Outcome, error: UpgradeError, todo: tuple[str, ...] = ()) -> RunReport:
    return RunReport(outcome=outcome, exit_code=outcome.exit_code, text=str(error), todo=todo)


def ended(result: RunReport, output: Format) -> None:
    """Print how it ended, and exit with its code."""
    out.ended(result, output)
    raise typer.Exit(result.exit_code)


@contextmanager
def cluster(access: ClusterAccess, settings: Settings) -> Generator[str]:
    """Connect to a cluster for a block, and say who we are to it."""
    with wiring.using(wiring.connect(access, settings)) as services:
        try:
            person = services.access.whoami()
        except TransientError as error:
            raise BadInputError(f"the cluster cannot be reached: {error}") from error
        yield f"kubernetes:{person}"
