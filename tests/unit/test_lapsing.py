"""A Lease has lapsed when somebody saw it stand still for all of its duration, and not before."""

from datetime import timedelta

import msgspec
import pytest

from tasks.domain.journal import Holding
from tasks.domain.lapsing import LeaseWatch
from tests.builders import NOW, RUN

TICK = timedelta(seconds=10)
HELD = Holding(run=RUN, process="host/1", renewed_at=NOW, duration_seconds=30, version="1")


def test_a_lease_that_stands_still_lapses_after_its_duration() -> None:
    watch = LeaseWatch()
    assert [watch.has_lapsed(HELD, RUN, after=TICK) for _ in range(4)] == [False] * 3 + [True]


def test_a_lease_that_is_renewed_never_lapses() -> None:
    watch = LeaseWatch()
    renewals = [msgspec.structs.replace(HELD, version=str(number)) for number in range(20)]
    assert not any(watch.has_lapsed(one, RUN, after=TICK) for one in renewals)


@pytest.mark.parametrize(
    "holding",
    [
        pytest.param(None, id="there is none"),
        pytest.param(msgspec.structs.replace(HELD, run="run-2"), id="another run has it"),
        pytest.param(msgspec.structs.replace(HELD, process=""), id="it is parked"),
    ],
)
def test_what_nobody_has_to_renew_does_not_lapse(holding: Holding | None) -> None:
    watch = LeaseWatch()
    assert not any(watch.has_lapsed(holding, RUN, after=TICK) for _ in range(10))


def test_who_did_not_look_for_a_while_begins_anew() -> None:
    watch = LeaseWatch()
    for _ in range(3):
        watch.has_lapsed(HELD, RUN, after=TICK)
    watch.begin_anew()
    assert not watch.has_lapsed(HELD, RUN, after=TICK)
