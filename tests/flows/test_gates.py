"""Gates in a real flow run: what people say while one is open counts once it is decided."""

from collections.abc import Callable
from typing import Any

import pytest
from prefect import flow
from prefect.runtime import flow_run

from flows.upgrade import gate
from tasks.domain.approval import Answer, Gate, Vote, fingerprint
from tasks.domain.journal import Asked, Attempted, Decided, RunRecord
from tasks.journaling import note
from tests.builders import KEY, NOW, RUN, after, control, signed, vote
from tests.fakes import FakeClock, FakeRecords, FakeVotes, services, working
from tests.unit.plan_cases import asked, plan

pytestmark = pytest.mark.usefixtures("prefect_server")


class People:
    """Say things to a run after so many seconds."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.votes = FakeVotes()
        self.flow_run = ""
        self.plans: dict[float, Callable[[], Vote]] = {}
        clock.meanwhile = self.meanwhile

    def meanwhile(self) -> None:
        say = self.plans.pop(self.clock.waited.total_seconds(), None)
        if say is not None:
            for row in signed(say()):
                self.votes.cast(self.flow_run, row)


def opened(records: FakeRecords) -> Gate:
    found = records.run(RUN).open_gate
    assert found is not None
    return found


@pytest.mark.parametrize("name", ["start", "uninstall"])
def test_a_hold_given_while_a_gate_is_open_is_obeyed_after_it_is_approved(name: str) -> None:
    clock = FakeClock()
    records, people = FakeRecords(RunRecord(run=RUN)), People(clock)
    people.plans = {
        10: lambda: control(Answer.HOLD, at=after(10)),
        20: lambda: vote(gate=name, digest=opened(records).digest, at=after(20)),
        100: lambda: control(Answer.RESUME, at=after(100)),
    }

    @flow
    def passing() -> list[Any]:
        people.flow_run = str(flow_run.id)
        note(Attempted(at=NOW, flow_run=people.flow_run, flow="upgrade"))
        return list(gate(name, plan(gates=(name,)), asked(), after=[]))

    with working(services(records=records, votes=people.votes, clock=clock)):
        passing()

    assert [one.gate for one in records.run(RUN).of(Decided)] == [name]
    assert [one.gate.key for one in records.run(RUN).of(Asked)] == [fingerprint(KEY)]
    assert clock.waited.total_seconds() == 100


def test_a_hold_is_obeyed_before_the_canary_though_nobody_is_asked_there() -> None:
    clock = FakeClock()
    records, people = FakeRecords(RunRecord(run=RUN)), People(clock)
    people.plans = {100: lambda: control(Answer.RESUME, at=after(100))}

    with working(services(records=records, votes=people.votes, clock=clock)):
        note(Attempted(at=NOW, flow_run=people.flow_run, flow="upgrade"))
        for row in signed(control(Answer.HOLD)):
            people.votes.cast(people.flow_run, row)
        gate("start", plan(gates=()), asked(), after=[])

    assert clock.waited.total_seconds() == 100
