"""Waiting for people: whom the run hears, what it tells, and what it does not die of."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import pytest

from tasks.approvals import await_decision, count, obey_controls
from tasks.domain.approval import Answer, Row, Verdict, Vote, fingerprint
from tasks.domain.ending import RunEndedError
from tasks.domain.errors import TransientError
from tasks.domain.journal import Asked, Attempted, Decided, Entry, RunRecord, Step
from tests.builders import KEY, NOW, RUN, after, control, gate, signed, vote
from tests.fakes import FakeClock, FakeRecords, FakeVotes, services, working
from tests.unit.plan_cases import asked

ASKED: Final = Asked(gate=gate(expires_at=after(86400)))
THEIRS: Final = Asked(gate=gate(key=fingerprint(b"the key of another machine")))
OURS: Final = Asked(gate=gate(key=fingerprint(KEY)))
APPROVED: Final = Decided(at=NOW, gate="start", verdict="approved", votes=(vote(),))
REJECTED: Final = Decided(at=NOW, gate="start", verdict="rejected", votes=(vote(),))


def attempted(flow_run: str = "f-1", api: str = "") -> Attempted:
    return Attempted(at=NOW, flow_run=flow_run, flow="upgrade", api=api)


def journal(*entries: Entry) -> FakeRecords:
    return FakeRecords(RunRecord(run=RUN, entries=entries))


def at(clock: FakeClock, seconds: float, then: Callable[[], object]) -> None:
    """Let something happen after so many seconds of waiting."""

    def meanwhile() -> None:
        if clock.waited.total_seconds() == seconds:
            then()

    clock.meanwhile = meanwhile


def steps(records: FakeRecords) -> list[str]:
    return [one.text for one in records.run(RUN).of(Step)]


# ---------------------------------------------------------------- a gate


def test_votes_are_found_whatever_address_their_flow_run_had_for_prefect() -> None:
    votes = FakeVotes()
    votes.cast("f-1", *signed(vote()))
    records = journal(attempted("f-1", "http://prefect:4200/api"), attempted("f-2"), ASKED)
    with working(services(records=records, votes=votes, api="https://prefect.test/api")):
        assert count(gate(), asked()).verdict is Verdict.APPROVED


def test_a_gate_that_waits_outlasts_an_api_server_that_is_away_for_an_hour() -> None:
    clock = FakeClock()
    records = journal(attempted(), ASKED)
    at(clock, 4000, lambda: records.append(RUN, APPROVED))
    records.is_away = lambda: 60 < clock.waited.total_seconds() < 3660

    def key(_reference: str | None) -> bytes:
        if records.is_away():
            raise TransientError("the API server does not answer")
        return KEY

    chosen = services(records=records, votes=FakeVotes(), clock=clock)
    chosen = replace(chosen, signing_key=key)
    with working(chosen):
        await_decision("start", asked())

    assert clock.waited.total_seconds() >= 4000
    assert steps(records) == ["gate start was approved by kubernetes:bob"]


def test_a_rejected_gate_ends_the_run() -> None:
    records = journal(attempted(), ASKED, REJECTED)
    with (
        working(services(records=records, votes=FakeVotes())),
        pytest.raises(RunEndedError, match="gate start was rejected by kubernetes:bob"),
    ):
        await_decision("start", asked())


def test_each_row_that_does_not_count_is_told_once_however_long_the_gate_waits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, votes = FakeClock(), FakeVotes()
    records = journal(attempted(), ASKED)
    votes.cast("f-1", Row(key="vote-start-1", value="junk"))

    def meanwhile() -> None:
        if clock.waited.total_seconds() == 30:
            votes.cast("f-1", Row(key="vote-start-2", value="junk"))
        if clock.waited.total_seconds() == 60:
            records.append(RUN, APPROVED)

    clock.meanwhile = meanwhile
    with (
        caplog.at_level(logging.INFO),
        working(services(records=records, votes=votes, clock=clock)),
    ):
        await_decision("start", asked())

    told = [one for one in caplog.messages if "does not count" in one]
    assert told == [
        f"gate start: the row vote-start-{n} does not count: it is not a signed vote"
        for n in (1, 2)
    ]


@pytest.mark.parametrize(
    ("entries", "times"),
    [
        pytest.param((attempted(), THEIRS), 1, id="the gate is open"),
        pytest.param((attempted(), THEIRS, APPROVED), 0, id="it was decided before"),
        pytest.param((attempted(), OURS), 0, id="the key is the same"),
        pytest.param((attempted(), ASKED), 0, id="the key is not known"),
    ],
)
def test_people_are_told_once_when_another_machine_verifies_with_another_key(
    entries: tuple[Entry, ...], times: int
) -> None:
    clock, records = FakeClock(), journal(*entries)
    at(clock, 30, lambda: records.append(RUN, APPROVED))
    with working(services(records=records, votes=FakeVotes(), clock=clock)):
        await_decision("start", asked())

    assert sum("gates.signing_key" in one for one in steps(records)) == times


# ---------------------------------------------------------------- holding


def said(*controls: Vote) -> FakeVotes:
    votes = FakeVotes()
    for one in signed(*controls):
        votes.cast("f-1", one)
    return votes


def test_a_run_that_is_held_waits_until_somebody_lets_it_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, votes = FakeClock(), said(control(Answer.HOLD))
    resume = signed(control(Answer.RESUME, at=after(600)))
    at(clock, 600, lambda: votes.cast("f-1", *resume))
    with (
        caplog.at_level(logging.INFO),
        working(services(records=journal(attempted()), votes=votes, clock=clock)),
    ):
        obey_controls(asked())

    assert clock.waited.total_seconds() == 600
    assert sum("is held" in one for one in caplog.messages) == 1


def test_a_run_that_is_held_can_be_aborted() -> None:
    votes = said(control(Answer.HOLD), control(Answer.ABORT, at=after(61), reason="no"))
    with (
        working(services(records=journal(attempted()), votes=votes)),
        pytest.raises(RunEndedError, match="aborted by kubernetes:bob: no"),
    ):
        obey_controls(asked())
