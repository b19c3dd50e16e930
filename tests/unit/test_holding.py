"""The Lease as a permission: who gets it, who follows whom, and when it is believed no more."""

import threading
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import msgspec
import pytest

from tasks.adapters.holding import LeaseKeeper
from tasks.domain.errors import LeaseLostError, RefusedError, StopRequested, TransientError
from tasks.domain.journal import Holding
from tests.builders import after
from tests.fakes import ME, FakeClock, FakeLeases

OTHER: Final = "host/2/other"
# A holder's own time, which nobody can make go faster: it renews after 5 s, and believes for 20 s.
QUICKLY: Final = timedelta(seconds=0.5)  # a tenth of the time that it takes in earnest
FIRST_RENEWAL: Final = 2.0
DOUBT: Final = 4.0


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def leases(clock: FakeClock) -> FakeLeases:
    return FakeLeases(clock)


@pytest.fixture
def keeper(leases: FakeLeases, clock: FakeClock) -> Iterator[LeaseKeeper]:
    made = LeaseKeeper(leases, process=ME, clock=clock, renew_every=QUICKLY)
    yield made
    made.park()


def anybody(holding: Holding) -> bool:
    return True


def nobody(holding: Holding) -> bool:
    return False


def nobody_but_theirs(holding: Holding) -> bool:
    return holding.run == "theirs"


def held(run: str = "theirs", process: str = OTHER, **changes: object) -> Holding:
    """Build the Lease of another process that renewed it a minute ago."""
    made = Holding(
        run=run, process=process, renewed_at=after(-60), duration_seconds=30, version="7"
    )
    return msgspec.structs.replace(made, **changes)


def holder(leases: FakeLeases) -> tuple[str, str]:
    assert leases.held is not None
    return leases.held.run, leases.held.process


def wait_until_not_held(keeper: LeaseKeeper, seconds: float) -> None:
    """Wait in real time, which the keeper goes by."""
    end = time.monotonic() + seconds
    while keeper.is_held:
        assert time.monotonic() < end, f"still held after {seconds:g} s"
        threading.Event().wait(0.05)


# ---------------------------------------------------------------- taking it


def test_who_has_never_held_the_lease_may_not_change_anything(keeper: LeaseKeeper) -> None:
    assert not keeper.is_held
    with pytest.raises(LeaseLostError, match="does not hold"):
        keeper.check()


def test_a_lease_that_is_not_there_is_taken_at_once(
    keeper: LeaseKeeper, leases: FakeLeases, clock: FakeClock
) -> None:
    keeper.hold("mine", may_take=nobody)

    keeper.check()
    assert holder(leases) == ("mine", ME)
    assert not clock.waited


def test_a_lease_that_nobody_holds_is_taken_at_once(
    keeper: LeaseKeeper, leases: FakeLeases, clock: FakeClock
) -> None:
    leases.held = held(run="", process="")

    keeper.hold("mine", may_take=nobody)

    keeper.check()
    assert holder(leases) == ("mine", ME)
    assert not clock.waited


def test_holding_for_the_same_run_again_writes_nothing(
    keeper: LeaseKeeper, leases: FakeLeases
) -> None:
    keeper.hold("mine", may_take=nobody)
    before = leases.held

    keeper.hold("mine", may_take=nobody)

    assert leases.held is before


# ---------------------------------------------------------------- following somebody


def test_a_living_holder_is_left_alone_though_its_run_could_be_followed(
    keeper: LeaseKeeper, leases: FakeLeases, clock: FakeClock
) -> None:
    leases.held = held()

    def renew_every_five_seconds() -> None:
        if clock.waited.total_seconds() % 5 == 0:
            leases.write("theirs", OTHER)

    clock.meanwhile = renew_every_five_seconds

    with pytest.raises(RefusedError, match=f"run theirs, process {OTHER}"):
        keeper.hold("mine", may_take=anybody)

    assert holder(leases) == ("theirs", OTHER)
    with pytest.raises(LeaseLostError):
        keeper.check()


def test_a_run_that_may_not_be_followed_is_refused_without_waiting(
    keeper: LeaseKeeper, leases: FakeLeases, clock: FakeClock
) -> None:
    leases.held = held()

    with pytest.raises(RefusedError, match="istio-canary rollback theirs"):
        keeper.hold("mine", may_take=nobody)

    assert holder(leases) == ("theirs", OTHER)
    assert not clock.waited


def test_a_parked_run_that_may_not_be_followed_is_refused_and_said_to_wait_for_people(
    keeper: LeaseKeeper, leases: FakeLeases
) -> None:
    leases.held = held(process="")

    with pytest.raises(RefusedError, match="run theirs, which waits for people"):
        keeper.hold("mine", may_take=nobody)

    assert holder(leases) == ("theirs", "")


def test_a_parked_lease_is_taken_over_at_once_by_who_may(
    keeper: LeaseKeeper, leases: FakeLeases, clock: FakeClock
) -> None:
    leases.held = held(process="")

    keeper.hold("mine", may_take=nobody_but_theirs)

    assert holder(leases) == ("mine", ME)
    assert not clock.waited


@pytest.mark.parametrize("renewed_at", [after(-3600), after(-60), after(0), after(3600), None])
def test_a_lease_is_watched_for_its_whole_duration_whatever_another_machines_clock_says(
    keeper: LeaseKeeper, leases: FakeLeases, clock: FakeClock, renewed_at: datetime | None
) -> None:
    leases.held = held(renewed_at=renewed_at)

    keeper.hold("mine", may_take=anybody)

    keeper.check()
    assert holder(leases) == ("mine", ME)
    assert clock.waited.total_seconds() == 30


def test_a_lease_that_says_so_is_watched_for_longer_and_none_for_less(
    keeper: LeaseKeeper, leases: FakeLeases, clock: FakeClock
) -> None:
    leases.held = held(duration_seconds=60)
    keeper.hold("mine", may_take=anybody)
    assert clock.waited.total_seconds() == 60

    leases.held = held(duration_seconds=0)
    keeper.hold("another", may_take=anybody)
    assert clock.waited.total_seconds() == 60 + 30


def test_a_holder_that_believes_for_20_seconds_and_lives_is_not_followed_after_11(
    keeper: LeaseKeeper, leases: FakeLeases, clock: FakeClock
) -> None:
    # Its clock is behind by 26 s, so that the Lease looks as if it had lapsed already.
    leases.held = held(renewed_at=after(-31))

    def renew_late() -> None:
        if clock.waited.total_seconds() == 19:
            leases.write("theirs", OTHER)

    clock.meanwhile = renew_late

    with pytest.raises(RefusedError, match=f"run theirs, process {OTHER}"):
        keeper.hold("mine", may_take=anybody)


def test_an_api_server_that_is_away_for_an_hour_only_delays_taking_the_lease(
    keeper: LeaseKeeper, leases: FakeLeases, clock: FakeClock
) -> None:
    def may_take_when_readable(_holding: Holding) -> bool:
        if clock.waited.total_seconds() < 3600:
            raise TransientError("connection refused")
        return True

    leases.held = held(process="")

    keeper.hold("mine", may_take=may_take_when_readable)

    keeper.check()
    assert clock.waited.total_seconds() == 3600


def test_who_is_to_stop_does_not_wait_for_an_api_server_that_is_away(
    keeper: LeaseKeeper, leases: FakeLeases, clock: FakeClock
) -> None:
    def unreadable(_holding: Holding) -> bool:
        raise TransientError("connection refused")

    leases.held = held(process="")
    clock.meanwhile = keeper.request_stop

    with pytest.raises(StopRequested):
        keeper.hold("mine", may_take=unreadable)


def test_a_lease_that_is_ours_though_the_answer_was_lost_is_taken_at_once(
    keeper: LeaseKeeper, leases: FakeLeases, clock: FakeClock
) -> None:
    leases.held = held(run="mine", process=ME)

    keeper.hold("mine", may_take=anybody)

    assert not clock.waited


def test_a_lease_that_is_parked_while_it_is_watched_is_taken_at_once(
    keeper: LeaseKeeper, leases: FakeLeases, clock: FakeClock
) -> None:
    leases.held = held(renewed_at=after(0))
    clock.meanwhile = lambda: leases.write("theirs", "")

    keeper.hold("mine", may_take=nobody_but_theirs)

    # What was read first is not what lies there now, so it is read and asked about again.
    assert holder(leases) == ("mine", ME)
    assert clock.waited.total_seconds() == 1


def test_who_is_slower_asks_again_about_the_one_who_was_faster(
    keeper: LeaseKeeper, leases: FakeLeases
) -> None:
    leases.faster = held(run="faster")

    with pytest.raises(RefusedError, match="run faster"):
        keeper.hold("mine", may_take=nobody_but_theirs)

    assert holder(leases) == ("faster", OTHER)


def test_who_is_to_stop_does_not_take_the_lease(keeper: LeaseKeeper, leases: FakeLeases) -> None:
    keeper.request_stop()

    with pytest.raises(StopRequested):
        keeper.hold("mine", may_take=anybody)

    assert leases.held is None


def test_who_is_to_stop_does_not_watch_to_the_end(
    keeper: LeaseKeeper, leases: FakeLeases, clock: FakeClock
) -> None:
    leases.held = held()
    clock.meanwhile = keeper.request_stop

    with pytest.raises(StopRequested):
        keeper.hold("mine", may_take=anybody)

    assert holder(leases) == ("theirs", OTHER)
    assert clock.waited.total_seconds() == 1


# ---------------------------------------------------------------- keeping it


def test_who_is_to_stop_may_change_nothing_more_though_it_has_the_lease(
    keeper: LeaseKeeper, leases: FakeLeases
) -> None:
    keeper.hold("mine", may_take=nobody)

    keeper.request_stop()

    with pytest.raises(StopRequested, match="the same command goes on"):
        keeper.check()
    assert keeper.is_held


def test_a_lease_that_somebody_else_has_is_noticed_by_the_next_renewal_and_left_to_them(
    keeper: LeaseKeeper, leases: FakeLeases
) -> None:
    keeper.hold("mine", may_take=nobody)
    leases.write("theirs", OTHER)

    wait_until_not_held(keeper, FIRST_RENEWAL)

    with pytest.raises(LeaseLostError, match="does not hold"):
        keeper.check()
    keeper.release()
    assert holder(leases) == ("theirs", OTHER)


def test_renewals_that_fail_are_forgiven_for_a_while_and_then_nobody_knows(
    keeper: LeaseKeeper, leases: FakeLeases, clock: FakeClock
) -> None:
    ours = FakeLeases(clock)
    healthy = LeaseKeeper(ours, process=ME, clock=clock, renew_every=QUICKLY)
    healthy.hold("mine", may_take=nobody)
    keeper.hold("mine", may_take=nobody)
    began = time.monotonic()
    leases.is_out_of_reach = True

    wait_until_not_held(keeper, DOUBT)

    # Well before the Lease is over (a tenth of 30 s), and not at the first renewal that failed.
    assert 1.9 < time.monotonic() - began < 2.7
    assert leases.renewals >= 3
    with pytest.raises(TransientError, match="could not renew"):
        keeper.check()
    healthy.check()
    healthy.park()
    assert ours.renewals >= 3


# ---------------------------------------------------------------- leaving it


def test_a_parked_lease_stays_the_runs_but_no_process_has_it(
    keeper: LeaseKeeper, leases: FakeLeases
) -> None:
    keeper.hold("mine", may_take=nobody)

    keeper.park()

    assert holder(leases) == ("mine", "")
    with pytest.raises(LeaseLostError):
        keeper.check()


def test_a_released_lease_is_anybodys(keeper: LeaseKeeper, leases: FakeLeases) -> None:
    keeper.hold("mine", may_take=nobody)

    keeper.release()

    assert holder(leases) == ("", "")
    with pytest.raises(LeaseLostError):
        keeper.check()


def test_parking_after_a_release_changes_nothing(keeper: LeaseKeeper, leases: FakeLeases) -> None:
    keeper.hold("mine", may_take=nobody)
    keeper.release()

    keeper.park()

    assert holder(leases) == ("", "")


def test_a_lease_that_cannot_be_given_back_is_left_to_lapse(
    keeper: LeaseKeeper, leases: FakeLeases
) -> None:
    keeper.hold("mine", may_take=nobody)
    leases.is_out_of_reach = True

    keeper.release()

    assert holder(leases) == ("mine", ME)
    with pytest.raises(LeaseLostError):
        keeper.check()


def test_a_parked_lease_can_be_held_again(keeper: LeaseKeeper, leases: FakeLeases) -> None:
    keeper.hold("mine", may_take=nobody)
    keeper.park()

    keeper.hold("mine", may_take=anybody)

    keeper.check()
    assert holder(leases) == ("mine", ME)
