"""The end of a real flow run: its state, its journal and its report say the same."""

from typing import Any

import pytest
from prefect import flow
from prefect.client.schemas.objects import State, StateType

from tasks.concluding import conclude
from tasks.domain.errors import RefusedError, UnhealthyError, UpgradeError
from tasks.domain.journal import Attempted, Entry, Installed, Outcome, RunRecord, Started
from tests.builders import NEW, NOW, OLD, REQUESTER, RUN
from tests.fakes import FakeRecords, services, working

pytestmark = pytest.mark.usefixtures("prefect_server")

STARTED = Started(
    at=NOW, parameters="p", target="1.29.1", revision=NEW, old=OLD, requester=REQUESTER
)
ATTEMPTED = Attempted(at=NOW, flow_run="f-1", flow="upgrade")
INSTALLED = Installed(at=NOW, revision=NEW, done=False)


def ended(error: UpgradeError, *entries: Entry) -> tuple[State[Any], RunRecord]:
    """End a run with these entries in its journal by an error."""
    records = FakeRecords(RunRecord(run=RUN, entries=(STARTED, *entries)))

    def work() -> str:
        raise error

    @flow
    def ending() -> State[None]:
        return conclude(work)

    with working(services(records=records)):
        state: State[Any] = ending(return_state=True)
    return state, records.run(RUN)


@pytest.mark.parametrize("error", [UnhealthyError("istiod is not ready"), RefusedError("no quota")])
def test_people_are_told_what_to_do_about_a_run_that_stopped_in_between(
    error: UpgradeError,
) -> None:
    state, record = ended(error, ATTEMPTED, INSTALLED)

    assert (state.type, state.name) == (StateType.FAILED, "Stopped")
    assert record.finished is not None
    assert record.finished.outcome is Outcome.STOPPED
    assert record.finished.todo[-1] == (f"or take everything back: `istio-canary rollback {RUN}`")
    assert state.message == "\n- ".join([str(error), *record.finished.todo])


def test_a_run_that_has_changed_nothing_leaves_nothing_to_do() -> None:
    state, record = ended(RefusedError("no quota"), ATTEMPTED)

    assert (state.name, state.message) == ("Blocked", "no quota")
    assert record.finished is not None
    assert record.finished.todo == ()
