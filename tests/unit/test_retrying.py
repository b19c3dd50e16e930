"""Insisting: an outage is waited for, and only what forbids to go on ends it."""

from collections.abc import Callable

import pytest

from tasks.domain.errors import LeaseLostError, RefusedError, StopRequested, TransientError
from tasks.retrying import insist
from tests.fakes import FakeClock


class Asked:
    """An answer that comes after so many failures."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def __call__(self) -> str:
        if self.failures:
            self.failures -= 1
            raise TransientError("connection refused")
        return "yes"


def fine() -> None:
    return None


def doubtful() -> None:
    raise TransientError("this process could not renew the cluster's Lease for a while")


@pytest.mark.parametrize("check", [fine, doubtful])
def test_an_answer_is_waited_for_however_long_it_takes(check: Callable[[], None]) -> None:
    clock = FakeClock()

    assert insist(Asked(1200), clock=clock, check=check) == "yes"
    assert clock.waited.total_seconds() == 3600


@pytest.mark.parametrize("error", [LeaseLostError("somebody else has it"), StopRequested("enough")])
def test_without_an_answer_it_ends_with_the_permission_to_work(error: Exception) -> None:
    clock = FakeClock()

    def check() -> None:
        if clock.waited.total_seconds() >= 6:
            raise error

    with pytest.raises(type(error)):
        insist(Asked(1200), clock=clock, check=check)
    assert clock.waited.total_seconds() == 6


def test_an_answer_that_is_there_needs_no_permission() -> None:
    def check() -> None:
        raise LeaseLostError("somebody else has it")

    assert insist(Asked(0), clock=FakeClock(), check=check) == "yes"


def test_a_refusal_is_an_answer() -> None:
    def ask() -> str:
        raise RefusedError("forbidden")

    with pytest.raises(RefusedError):
        insist(ask, clock=FakeClock(), check=fine)
