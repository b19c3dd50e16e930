"""What was left behind is in the end's report, also when everything else went well."""

import pytest
from prefect import flow
from prefect.client.schemas.objects import State

from tasks.concluding import conclude
from tasks.domain.journal import LeftBehind, RunRecord, Started
from tests.builders import NEW, NOW, OLD, REQUESTER, RUN, ref
from tests.fakes import FakeRecords, services, working

TODO = (
    "shop/Deployment/cart was not healthy before and was left behind (0 of 1 ready): "
    "repair it, then restart it"
)


@flow
def ending() -> State[None]:
    """End a run whose work went well."""
    return conclude(lambda: "all moved")


@pytest.mark.usefixtures("prefect_server")
def test_the_end_of_a_run_names_what_was_left_behind() -> None:
    started = Started(
        at=NOW, parameters="0", target="1.29.1", revision=NEW, old=OLD, requester=REQUESTER
    )
    left = LeftBehind(at=NOW, workload=ref(), why="0 of 1 ready", wave=1)
    records = FakeRecords(RunRecord(run=RUN, entries=(started, left)))
    with working(services(records=records)):
        state = ending(return_state=True)

    finished = records.run(RUN).finished
    assert finished is not None
    assert finished.todo == (TODO,)
    assert state.message == f"all moved\n- {TODO}"
