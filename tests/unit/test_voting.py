"""What people at a terminal say to a run: signed, refused if useless, and the run woken for it."""

from typing import Final

import pytest

from tasks.domain.approval import Answer, Verdict, controls, fingerprint, tally
from tasks.domain.errors import BadInputError, RefusedError
from tasks.domain.journal import Asked, Attempted, Decided, Entry, Finished, Outcome, RunRecord
from tasks.domain.plan import canonical
from tasks.voting import asked_for, attempt, control, vote, wake
from tasks.wiring import using
from tests.builders import KEY, NOW, RUN, gate
from tests.fakes import FakeClock, FakeFlowRuns, FakeRecords, FakeVotes, services
from tests.unit.plan_cases import asked, plan

ANN: Final = "kubernetes:ann"
BOB: Final = "kubernetes:bob"
WORKED_FOR: Final = Attempted(at=NOW, flow_run="f-1", flow="upgrade", deployment="d-1")


def record(*entries: Entry) -> RunRecord:
    return RunRecord(run=RUN, entries=entries or (WORKED_FOR,))


def knowing(*flow_runs: str) -> FakeFlowRuns:
    """Build a Prefect that has these flow runs."""
    made = FakeFlowRuns()
    for one in flow_runs:
        made.add(one)
    return made


def planned(**changes: object) -> FakeRecords:
    """Build the journal of a run with a plan; the keywords are what was asked for."""
    records = FakeRecords(record())
    parameters = asked(**changes).model_dump_json()
    records.save_plan(RUN, canonical(plan(parameters=parameters)))
    return records


# ---------------------------------------------------------------- votes


def test_the_parameters_of_a_run_are_those_of_its_plan() -> None:
    with using(services(records=planned(keep_old=True))):
        assert asked_for(record()) == asked(keep_old=True)


def test_a_run_without_a_plan_has_nothing_to_vote_about() -> None:
    with (
        using(services(votes=FakeVotes())),
        pytest.raises(RefusedError, match=f"run {RUN} has no plan yet"),
    ):
        vote(record(), gate(), Answer.APPROVE, person=BOB)


def test_a_vote_is_stored_where_the_run_looks_and_counts() -> None:
    votes = FakeVotes()
    with using(services(records=planned(), votes=votes, flow_runs=knowing("f-1"))):
        vote(record(), gate(), Answer.APPROVE, person=BOB, reason="fine")

    counted = tally(gate(), votes.rows("f-1"), key=KEY, now=NOW)
    assert counted.verdict is Verdict.APPROVED
    assert [(one.person, one.reason) for one in counted.approvals] == [(BOB, "fine")]


def test_a_vote_that_would_not_count_is_refused_and_not_stored() -> None:
    votes = FakeVotes()
    late = gate(expires_at=NOW)
    with (
        using(services(records=planned(), votes=votes, flow_runs=knowing("f-1"))),
        pytest.raises(BadInputError, match="gate start would not count: it came after"),
    ):
        vote(record(), late, Answer.APPROVE, person=BOB)

    assert votes.rows("f-1") == ()


OTHERS: Final = fingerprint(b"another key, that of another machine")


@pytest.mark.parametrize(
    ("reference", "todo"),
    [
        (None, "begin runs with gates.signing_key"),
        ("secret:mesh/votes/key", "secret:mesh/votes/key has to hold the same key here"),
    ],
)
def test_a_vote_with_another_key_than_the_runs_is_refused_and_not_said_to_be_recorded(
    reference: str | None, todo: str
) -> None:
    votes = FakeVotes()
    records = planned(gates={"signing_key": reference})
    with (
        using(services(records=records, votes=votes, flow_runs=knowing("f-1"))),
        pytest.raises(BadInputError, match=f"not the one that run {RUN} verifies with.*{todo}"),
    ):
        vote(record(), gate(key=OTHERS), Answer.APPROVE, person=BOB)

    assert votes.rows("f-1") == ()


def test_a_vote_with_the_runs_key_counts() -> None:
    votes = FakeVotes()
    question = gate(key=fingerprint(KEY))
    with using(services(records=planned(), votes=votes, flow_runs=knowing("f-1"))):
        vote(record(), question, Answer.APPROVE, person=BOB)

    assert tally(question, votes.rows("f-1"), key=KEY, now=NOW).verdict is Verdict.APPROVED


@pytest.mark.parametrize("answer", [Answer.HOLD, Answer.RESUME, Answer.ABORT])
def test_what_is_said_with_another_key_than_the_runs_is_refused_too(answer: Answer) -> None:
    votes = FakeVotes()
    elsewhere = Attempted(at=NOW, flow_run="f-1", flow="upgrade", process="pod/1/a")
    of = record(elsewhere, Asked(gate=gate(key=OTHERS)))
    with (
        using(services(records=planned(), votes=votes, flow_runs=knowing("f-1"))),
        pytest.raises(BadInputError, match="worked for by process pod/1/a"),
    ):
        control(of, answer, person=BOB)

    assert votes.rows("f-1") == ()


def test_holding_a_run_is_stored_where_the_run_looks() -> None:
    votes = FakeVotes()
    with using(services(records=planned(), votes=votes, flow_runs=knowing("f-1"))):
        control(record(), Answer.HOLD, person=BOB, reason="lunch")

    found = controls(votes.rows("f-1"), run=RUN, key=KEY, policy=asked().gates.policy())
    assert [(one.person, one.answer, one.reason) for one in found] == [(BOB, Answer.HOLD, "lunch")]


def test_who_is_not_an_approver_may_not_abort_a_run() -> None:
    votes = FakeVotes()
    records = planned(gates={"approvers": [ANN]})
    with (
        using(services(records=records, votes=votes, flow_runs=knowing("f-1"))),
        pytest.raises(BadInputError, match=f"{BOB} is not an approver"),
    ):
        control(record(), Answer.ABORT, person=BOB)

    assert votes.rows("f-1") == ()


# ---------------------------------------------------------------- which flow run


def test_a_run_that_no_flow_run_has_taken_up_cannot_be_told_anything() -> None:
    with using(services()), pytest.raises(BadInputError, match="no flow run yet"):
        attempt(RunRecord(run=RUN))


def test_the_newest_flow_run_is_the_one_that_is_told() -> None:
    newest = Attempted(at=NOW, flow_run="f-2", flow="upgrade", api="https://prefect.test/api")
    with using(services(flow_runs=knowing("f-1", "f-2"))):
        assert attempt(record(WORKED_FOR, newest)) is newest


def test_a_worker_s_own_address_of_the_same_prefect_does_not_matter() -> None:
    inside = Attempted(at=NOW, flow_run="f-1", flow="upgrade", api="http://prefect:4200/api")
    with using(services(flow_runs=knowing("f-1"), api="https://prefect.test/api")):
        assert attempt(record(inside)) is inside


@pytest.mark.parametrize(
    ("theirs", "named"),
    [
        ("https://prefect.test/api", "f-1 of https://prefect.test/api"),
        ("", "own Prefect server of host/2/other"),
    ],
)
def test_a_run_of_another_prefect_is_not_told_through_this_one(theirs: str, named: str) -> None:
    elsewhere = Attempted(
        at=NOW, flow_run="f-1", flow="upgrade", api=theirs, process="host/2/other"
    )
    with (
        using(services(flow_runs=knowing("f-2"), api=theirs)),
        pytest.raises(BadInputError, match=rf"{named}.*; set PREFECT_API_URL"),
    ):
        attempt(record(elsewhere))


# ---------------------------------------------------------------- waking it


def woken(*, state: str, entries: tuple[Entry, ...] = ()) -> tuple[FakeFlowRuns, FakeClock]:
    """Wake a run whose flow run is in a state, and whose journal says more than was known."""
    flow_runs, clock = FakeFlowRuns(), FakeClock()
    flow_runs.add("f-1", state)
    records = FakeRecords(record(WORKED_FOR, *entries))
    with using(services(records=records, flow_runs=flow_runs, clock=clock)):
        wake(record(), ["start"])
    return flow_runs, clock


def test_a_suspended_run_is_resumed_at_once() -> None:
    flow_runs, clock = woken(state="PAUSED")

    assert flow_runs.state("f-1") == "SCHEDULED"
    assert not clock.waited


def test_a_run_that_suspends_a_moment_later_is_resumed_then() -> None:
    flow_runs, clock = FakeFlowRuns(), FakeClock()
    flow_runs.add("f-1")

    def suspend_after_three_seconds() -> None:
        if clock.waited.total_seconds() == 3:
            flow_runs.turn("f-1", "PAUSED")

    clock.meanwhile = suspend_after_three_seconds
    with using(services(records=FakeRecords(record()), flow_runs=flow_runs, clock=clock)):
        wake(record(), ["start"])

    assert flow_runs.state("f-1") == "SCHEDULED"
    assert clock.waited.total_seconds() == 3


@pytest.mark.parametrize(
    "noticed",
    [
        Decided(at=NOW, gate="start", verdict="approved"),
        Finished(at=NOW, outcome=Outcome.ABORTED, text="aborted"),
    ],
)
def test_a_run_that_has_noticed_is_left_alone(noticed: Decided | Finished) -> None:
    flow_runs, clock = woken(state="RUNNING", entries=(noticed,))

    assert flow_runs.resumes == 1
    assert not clock.waited


def test_a_run_that_notices_nothing_is_given_up_after_a_while() -> None:
    other = Decided(at=NOW, gate="default", verdict="approved")
    flow_runs, clock = woken(state="RUNNING", entries=(other,))

    assert flow_runs.state("f-1") == "RUNNING"
    assert clock.waited.total_seconds() == 20


def test_a_run_that_waits_in_its_own_process_needs_no_waking() -> None:
    flow_runs = knowing("f-1")
    by_hand = Attempted(at=NOW, flow_run="f-1", flow="upgrade")
    with using(services(flow_runs=flow_runs)):
        wake(record(by_hand), ["start"])

    assert flow_runs.resumes == 0
