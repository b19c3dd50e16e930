"""How a wave begins and ends: what counts as the reason, and what is said of the rest."""

from typing import Any, Final, cast

import pytest
from prefect.futures import PrefectFuture

from tasks.domain.ending import RunEndedError
from tasks.domain.errors import HaltedError, LeaseLostError, UnhealthyError
from tasks.domain.inventory import Inventory
from tasks.domain.journal import (
    Entry,
    Labelled,
    LeftBehind,
    Moved,
    Outcome,
    RunRecord,
    Settled,
    Started,
    WaveFailed,
    WaveRolledBack,
)
from tasks.domain.plan import Wave
from tasks.waves import Attempt, begin_wave, finish_wave
from tests.builders import NEW, NOW, OLD, REQUESTER, RUN, inventory, namespace, ref
from tests.fakes import FakeCluster, FakeRecords, services, working
from tests.unit.plan_cases import ENABLED, REV_NEW, asked, plan

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


def ended(mesh: Inventory, *entries: Entry) -> RunEndedError:
    """Return how a run goes on whose first wave has failed and is back."""
    records = FakeRecords(RunRecord(run=RUN, entries=(STARTED, *entries, *WENT_BACK)))
    with (
        working(services(cluster=FakeCluster(mesh), records=records)),
        pytest.raises(RunEndedError) as raised,
    ):
        begin_wave(ATTEMPT)
    return raised.value


# ---------------------------------------------------------------- what is said of the rest

CARRIED: Final = Labelled(at=NOW, namespace="shop", previous=ENABLED, carried=True)


def test_a_wave_that_fails_again_after_a_repair_leaves_everything_on_the_old_revision() -> None:
    gone_back = inventory(namespaces=(namespace("shop"),))

    found = ended(gone_back, CARRIED)

    assert found.outcome is Outcome.ROLLED_BACK
    assert str(found) == f"wave 1 was rolled back, everything is on {OLD}: cart is ill"


@pytest.mark.parametrize(
    ("mesh", "entries"),
    [
        pytest.param(
            inventory(namespaces=(namespace("shop", labels=REV_NEW),)),
            (CARRIED,),
            id="a namespace that an earlier run relabelled",
        ),
        pytest.param(
            inventory(namespaces=(namespace("shop"),)),
            (CARRIED, Settled(at=NOW, namespace="shop")),
            id="a namespace that an earlier run moved and that says again what it said",
        ),
        pytest.param(inventory(), (Moved(at=NOW, wave=2),), id="another wave of this run"),
    ],
)
def test_what_moved_before_the_wave_stays_moved(
    mesh: Inventory, entries: tuple[Entry, ...]
) -> None:
    found = ended(mesh, *entries)

    assert found.outcome is Outcome.STOPPED
    assert "what moved before it stays moved" in str(found)


def test_a_wave_that_left_something_behind_on_its_way_back_is_not_all_back() -> None:
    left = LeftBehind(at=NOW, workload=ref(), why="0 of 1 ready", wave=1)
    records = FakeRecords(RunRecord(run=RUN, entries=(STARTED, WENT_BACK[0], left, WENT_BACK[1])))
    with (
        working(services(cluster=FakeCluster(inventory()), records=records)),
        pytest.raises(RunEndedError, match=r"some of it was left behind$") as raised,
    ):
        begin_wave(ATTEMPT)

    assert raised.value.outcome is Outcome.STOPPED


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
