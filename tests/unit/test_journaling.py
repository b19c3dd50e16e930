"""The journal as tasks use it: an API server that is away is waited for."""

import pytest

from tasks.domain.errors import LeaseLostError, RefusedError, StopRequested, TransientError
from tasks.domain.journal import RunRecord, WaveFailed
from tasks.domain.plan import canonical
from tasks.journaling import note, patiently, plan, record
from tasks.wiring import using
from tests.builders import NOW, RUN
from tests.fakes import FakeClock, FakeLeases, FakeRecords, services, working
from tests.unit import plan_cases

FAILED = WaveFailed(at=NOW, wave=1, why="cart does not come up")


def away_for_an_hour(clock: FakeClock) -> FakeRecords:
    records = FakeRecords(RunRecord(run=RUN))
    records.save_plan(RUN, canonical(plan_cases.plan()))
    records.is_away = lambda: clock.waited.total_seconds() < 3600
    return records


def test_an_entry_is_written_though_the_api_server_is_away_for_an_hour() -> None:
    clock = FakeClock()
    records = away_for_an_hour(clock)
    with working(services(records=records, clock=clock)):
        note(FAILED)

    assert records.run(RUN).entries == (FAILED,)
    assert clock.waited.total_seconds() == 3600


def test_what_is_written_is_read_though_the_api_server_is_away_for_an_hour() -> None:
    clock = FakeClock()
    with working(services(records=away_for_an_hour(clock), clock=clock)):
        assert record() == RunRecord(run=RUN)
        assert plan() == plan_cases.plan()


def test_who_is_to_stop_does_not_wait_for_the_journal() -> None:
    clock = FakeClock()
    with working(services(records=away_for_an_hour(clock), clock=clock)) as chosen:
        clock.meanwhile = chosen.keeper.request_stop
        with pytest.raises(StopRequested):
            note(FAILED)


def test_who_has_lost_the_lease_does_not_wait_for_the_journal() -> None:
    clock = FakeClock()
    leases = FakeLeases(clock)
    with working(services(records=away_for_an_hour(clock), clock=clock, leases=leases)) as chosen:
        chosen.keeper.park()
        with pytest.raises(LeaseLostError):
            note(FAILED)


def test_before_a_run_is_taken_up_there_is_no_lease_that_could_be_lost() -> None:
    clock = FakeClock()
    records = away_for_an_hour(clock)
    with using(services(records=records, clock=clock)):
        assert patiently(records.runs) == (RunRecord(run=RUN),)


def test_a_journal_without_a_plan_is_refused_at_once() -> None:
    with working(services(records=FakeRecords(RunRecord(run=RUN)))), pytest.raises(RefusedError):
        plan()


def test_a_doubt_about_the_lease_is_outlasted_too() -> None:
    clock = FakeClock()

    def check() -> None:
        if clock.waited.total_seconds() < 3600:
            raise TransientError("this process could not renew the cluster's Lease for a while")

    with working(services(clock=clock)):
        patiently(check)
    assert clock.waited.total_seconds() == 3600
