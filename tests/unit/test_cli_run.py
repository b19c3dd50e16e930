"""Following a deployment's flow run: which one, until when, and what is done if nobody works for it."""

from typing import Final

from flows.cli_run import ask_to_stop, flow_run_for
from tasks.domain.approval import Answer, controls
from tasks.domain.journal import Attempted, Planned, RunRecord, Started
from tasks.domain.plan import canonical
from tasks.wiring import using
from tests.builders import KEY, NEW, NOW, OLD, RUN
from tests.fakes import FakeFlowRuns, FakeRecords, FakeVotes, services
from tests.unit.plan_cases import asked, plan

ANN: Final = "kubernetes:ann"
INSIDE: Final = "http://prefect.prefect.svc:4200/api"  # as a worker says it
OUTSIDE: Final = "https://prefect.example/api"  # as a laptop says it
STARTED: Final = Started(
    at=NOW,
    parameters=asked().fingerprint(),
    target="1.29.1",
    revision=NEW,
    old=OLD,
    requester=ANN,
)
WORKED_FOR: Final = Attempted(
    at=NOW, flow_run="f-1", flow="upgrade", deployment="d-1", api=INSIDE, process="pod/1/a"
)
RECORD: Final = RunRecord(run=RUN, entries=(STARTED, Planned(at=NOW, digest="d"), WORKED_FOR))


def deployed(state: str | None = "RUNNING") -> FakeFlowRuns:
    """Build a Prefect with our deployment and, unless its state is None, the flow run."""
    flow_runs = FakeFlowRuns("upgrade/istio-canary")
    if state is not None:
        flow_runs.add("f-1", state, deployment="d-1")
    return flow_runs


# ---------------------------------------------------------------- which flow run


def test_an_unfinished_run_is_followed_whatever_address_its_worker_has_for_prefect() -> None:
    flow_runs = deployed()
    with using(services(records=FakeRecords(RECORD), flow_runs=flow_runs, api=OUTSIDE)):
        assert flow_run_for(asked()) == "f-1"

    assert not flow_runs.parameters, "a second flow run was started"


def test_a_flow_run_that_this_prefect_does_not_know_gets_a_successor() -> None:
    flow_runs = deployed(state=None)
    with using(services(records=FakeRecords(RECORD), flow_runs=flow_runs, api=INSIDE)):
        assert flow_run_for(asked()) in flow_runs.parameters


def test_a_deployments_run_is_asked_to_stop_whatever_address_its_worker_has_for_prefect() -> None:
    votes, records = FakeVotes(), FakeRecords(RECORD)
    parameters = asked()
    records.save_plan(RUN, canonical(plan(parameters=parameters.model_dump_json())))
    with using(services(records=records, flow_runs=deployed(), votes=votes, api=OUTSIDE)):
        ask_to_stop(RECORD, ANN)

    found = controls(votes.rows("f-1"), run=RUN, key=KEY, policy=parameters.gates.policy())
    assert [one.answer for one in found] == [Answer.ABORT]
