"""Following a run: what is told once, and which answers are given to which gate."""

from typing import Final

import pytest

from flows.cli_follow import Follower
from tasks.domain.errors import RefusedError
from tasks.domain.journal import Asked, Attempted, Decided, Planned, RunRecord, Started, Step
from tasks.domain.plan import canonical
from tasks.wiring import Services, using
from tests.builders import NEW, NOW, OLD, RUN, gate
from tests.fakes import FakeFlowRuns, FakeRecords, FakeVotes, services
from tests.unit.plan_cases import asked, plan

ANN: Final = "kubernetes:ann"


class FakeKeyboard:
    """Lines that somebody has typed."""

    def __init__(self, *typed: str) -> None:
        self.typed = list(typed)

    def forget(self) -> None:
        self.typed.clear()

    def line(self) -> str | None:
        return self.typed.pop(0) if self.typed else None


class Votes(FakeVotes):
    """Votes of a Prefect that refuses them at first."""

    def __init__(self, *failures: Exception) -> None:
        super().__init__()
        self.failures = list(failures)

    def cast(self, flow_run: str, row: object) -> None:
        if self.failures:
            raise self.failures.pop(0)
        super().cast(flow_run, row)  # type: ignore[arg-type]


class World:
    """A run that waits at its first gate, and the one who follows it."""

    def __init__(self, *, deployment: str | None = None, state: str = "RUNNING") -> None:
        started = Started(
            at=NOW, parameters="p", target="1.29.1", revision=NEW, old=OLD, requester=ANN
        )
        attempted = Attempted(at=NOW, flow_run="f-1", flow="upgrade", deployment=deployment)
        entries = (started, Planned(at=NOW, digest="d"), attempted, Asked(gate=gate()))
        self.records = FakeRecords(RunRecord(run=RUN, entries=entries))
        self.records.save_plan(RUN, canonical(plan(parameters=asked().model_dump_json())))
        self.votes = FakeVotes()
        self.flow_runs = FakeFlowRuns()
        self.flow_runs.add("f-1", state)

    @property
    def services(self) -> Services:
        return services(records=self.records, votes=self.votes, flow_runs=self.flow_runs)

    def next_gate(self) -> None:
        self.records.append(RUN, Decided(at=NOW, gate="start", verdict="approved"))
        self.records.append(RUN, Asked(gate=gate("wave-2")))

    @property
    def answered(self) -> list[str]:
        return [row.key.rsplit("-", 1)[0] for row in self.votes.rows("f-1")]


def follower(**changes: object) -> Follower:
    made = Follower(is_ours=lambda _: True, person=ANN)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


# ---------------------------------------------------------------- answers


def test_a_y_is_an_answer_to_the_gate_that_was_announced() -> None:
    world, keyboard = World(), FakeKeyboard()
    following = follower(keyboard=keyboard)
    with using(world.services):
        following.look()
        keyboard.typed.append("y\n")
        following.look()

    assert world.answered == ["vote-start"]


def test_a_second_y_is_no_answer_to_the_next_gate() -> None:
    world, keyboard = World(), FakeKeyboard("y\n")
    following = follower(keyboard=keyboard)
    with using(world.services):
        following.look()
        keyboard.typed += ["y\n", "y\n"]
        following.look()
        world.next_gate()
        following.look()
        following.look()

    assert world.answered == ["vote-start"]


def test_the_end_of_input_is_said_once_and_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    world, keyboard = World(), FakeKeyboard()
    following = follower(keyboard=keyboard)
    with using(world.services):
        following.look()
        keyboard.typed += ["", "", ""]
        for _ in range(3):
            following.look()

    told = capsys.readouterr().err
    assert told.count("nothing can be typed here any more") == 1
    assert "y approves, n rejects" not in told
    assert world.answered == []


def test_an_answer_that_could_not_be_stored_is_stored_when_it_can(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world, keyboard = World(), FakeKeyboard()
    world.votes = Votes(RefusedError("Prefect wants another key"), RefusedError("again"))
    following = follower(keyboard=keyboard)
    with using(world.services):
        following.look()
        keyboard.typed.append("y\n")
        for _ in range(4):
            following.look()

    assert world.answered == ["vote-start"]
    assert capsys.readouterr().err.count("Prefect wants another key") == 1


def test_a_run_that_suspends_after_it_was_answered_is_woken_once() -> None:
    world, keyboard = World(deployment="d-1"), FakeKeyboard()
    following = follower(keyboard=keyboard)
    with using(world.services):
        following.look()
        keyboard.typed.append("y\n")
        following.look()
        world.flow_runs.turn("f-1", "PAUSED")
        following.look()
        assert world.flow_runs.state("f-1") == "SCHEDULED"
        # Not enough for the quorum: it suspends again, and stays so until somebody else has voted.
        world.flow_runs.turn("f-1", "PAUSED")
        following.look()

    assert world.flow_runs.state("f-1") == "PAUSED"


def test_yes_answers_gate_after_gate() -> None:
    world = World()
    following = follower(says_yes=True)
    with using(world.services):
        following.look()
        world.next_gate()
        following.look()

    assert world.answered == ["vote-start", "vote-wave-2"]


# ---------------------------------------------------------------- trouble


def test_trouble_ends_nothing_and_is_said_once_until_it_is_over(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world, following = World(), follower(says_yes=True)
    with using(world.services):
        world.records.is_away = lambda: True
        for _ in range(3):
            following.look()
        world.records.is_away = lambda: False
        following.look()
        world.records.is_away = lambda: True
        following.look()

    told = capsys.readouterr().err
    assert told.count("trying again: the API server does not answer") == 2
    assert world.answered == ["vote-start"]


def test_a_run_whose_plan_cannot_be_read_yet_is_introduced_later(
    capsys: pytest.CaptureFixture[str],
) -> None:
    world, following = World(), follower()
    looks: list[int] = []

    def away_at_first() -> bool:
        looks.append(1)
        return len(looks) == 3  # runs and the run are read before its plan

    world.records.is_away = away_at_first
    with using(world.services):
        following.look()
        following.look()

    told = capsys.readouterr().err
    assert told.count(f"run {RUN}\n") == 1
    assert "gate start waits" in told


def test_progress_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    world, following = World(), follower()
    with using(world.services):
        following.look()
        world.records.append(RUN, Step(at=NOW, text="shop has moved"))
        following.look()
        following.look()

    assert capsys.readouterr().err.count("12:00:00  shop has moved") == 1
