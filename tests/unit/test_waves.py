"""How a wave begins and ends: what counts as the reason, and what is said of the rest."""

from typing import Any, Final, cast

import pytest
from prefect.futures import PrefectFuture

from tasks.domain.ending import RunEndedError
from tasks.domain.errors import HaltedError, LeaseLostError, UnhealthyError
from tasks.domain.journal import (
    Outcome,
    RunRecord,
    Started,
    WaveFailed,
    WaveRolledBack,
)
from tasks.domain.plan import Wave
from tasks.waves import Attempt, finish_wave
from tests.builders import NEW, NOW, OLD, REQUESTER, RUN
from tests.fakes import FakeRecords, services, working
from tests.unit.plan_cases import asked, plan

STARTED: Final = Started(
    at=NOW,
    parameters="0",
    target="1.29.1",
    revision=NEW,
    old=OLD,
    requester=REQUESTER,
    predecessor="an-earlier-run",
)
WAVE: Final = Wave(number=1, batches=())
ATTEMPT: Final = Attempt(wave=WAVE, plan=plan(waves=(WAVE,)), parameters=asked())
WENT_BACK: Final = (
    WaveFailed(at=NOW, wave=1, why="cart is ill"),
    WaveRolledBack(at=NOW, wave=1, why="cart is ill"),
)


# ---------------------------------------------------------------- what counts as the reason


class Future:
    """A task run that has ended."""

    def __init__(self, outcome: object) -> None:
        self._outcome = outcome

    def result(self, *, raise_on_failure: bool) -> object:
        return self._outcome


def future(outcome: object) -> PrefectFuture[Any]:
    return cast("PrefectFuture[Any]", Future(outcome))


ABORTED: Final = RunEndedError(Outcome.ABORTED, "aborted by ann")


@pytest.mark.parametrize("error", [ABORTED, LeaseLostError("gone")])
def test_an_abort_or_a_lost_lease_leaves_the_wave_as_it_is_whatever_else_failed(
    error: Exception,
) -> None:
    records = FakeRecords(RunRecord(run=RUN, entries=(STARTED,)))
    failures = [future(one) for one in (UnhealthyError("ill"), HaltedError("halted"), error)]
    with working(services(records=records)), pytest.raises(type(error)):
        finish_wave(ATTEMPT, failures, future(None))

    assert records.run(RUN).of(WaveFailed) == ()


def test_a_wave_whose_batches_and_proxies_have_arrived_is_moved() -> None:
    records = FakeRecords(RunRecord(run=RUN, entries=(STARTED,)))
    with working(services(records=records)):
        finish_wave(ATTEMPT, [future([])], future(None))

    assert records.run(RUN).moved_waves == {1}
