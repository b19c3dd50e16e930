"""Following a deployment's flow run: which one, until when, and what is done if nobody works for it."""

from typing import Final

import pytest

from flows.cli_follow import Follower
from flows.cli_run import ask_to_stop, flow_run_for, follow_deployment
from tasks.domain.approval import Answer, controls
from tasks.domain.documents import RunReport
from tasks.domain.errors import TransientError
from tasks.domain.journal import Attempted, Planned, RunRecord, Started
from tasks.domain.plan import canonical
from tasks.domain.runs import FlowRunInfo
from tasks.wiring import using
from tests.builders import KEY, NEW, NOW, OLD, RUN, after
from tests.fakes import FakeClock, FakeFlowRuns, FakeLeases, FakeRecords, FakeVotes, services
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


# ---------------------------------------------------------------- following it


class Worker:
    """A deployment's flow run whose process renews its Lease, by a clock of its own."""

    def __init__(self, *, skew: float = 0) -> None:
        self.clock = FakeClock()
        self.leases = FakeLeases(FakeClock(after(skew)))
        self.flow_runs = Prefect(self.clock)
        self.flow_runs.add("f-1", deployment="d-1")
        self.lives_until, self.ends_at = 3600.0, 600.0
        self.clock.meanwhile = self.work
        self.leases.write(RUN, "pod/1/a")

    def work(self) -> None:
        waited = self.clock.waited.total_seconds()
        if waited % 5 == 0 and waited < self.lives_until:
            self.leases.write(RUN, "pod/1/a")
        if waited >= self.ends_at:
            self.flow_runs.turn("f-1", "COMPLETED")

    def followed(self) -> RunReport:
        following = Follower(is_ours=lambda _: True, person=ANN)
        chosen = services(
            records=FakeRecords(RECORD),
            flow_runs=self.flow_runs,
            leases=self.leases,
            clock=self.clock,
        )
        with using(chosen):
            return follow_deployment("f-1", following)


class Prefect(FakeFlowRuns):
    """A Prefect that is away for a while, and counts who was put back in line, and when."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self.clock = clock
        self.away = (0, 0)
        self.put_back: list[float] = []

    def flow_run(self, flow_run: str) -> FlowRunInfo:
        if self.away[0] < self.clock.waited.total_seconds() < self.away[1]:
            raise TransientError("Prefect at prefect.example did not answer")
        return super().flow_run(flow_run)

    def reschedule(self, flow_run: str) -> None:
        self.put_back.append(self.clock.waited.total_seconds())
        super().reschedule(flow_run)


@pytest.mark.parametrize("skew", [-3600, -26, 0, 3600])
def test_a_living_process_is_left_alone_whatever_its_clock_says(skew: float) -> None:
    worker = Worker(skew=skew)

    worker.followed()

    assert worker.flow_runs.put_back == []


@pytest.mark.parametrize("skew", [-3600, 0, 3600])
def test_a_run_whose_process_is_gone_is_put_back_in_line_after_its_leases_duration(
    skew: float,
) -> None:
    worker = Worker(skew=skew)
    worker.lives_until = 100

    worker.followed()

    [at] = worker.flow_runs.put_back
    assert 95 + 30 <= at <= 95 + 32


def test_following_outlasts_a_prefect_that_is_away_and_says_so_once(
    capsys: pytest.CaptureFixture[str],
) -> None:
    worker = Worker()
    worker.flow_runs.away = (50, 500)

    ended = worker.followed()

    assert ended.flow_runs == ("f-1",)
    assert capsys.readouterr().err.count("trying again: Prefect at prefect.example") == 1


def test_an_outage_in_which_nobody_looked_is_no_lapse() -> None:
    worker = Worker()
    worker.lives_until = 100
    worker.flow_runs.away = (110, 500)

    worker.followed()

    [at] = worker.flow_runs.put_back
    assert 500 + 30 <= at <= 500 + 32
