"""What people are told about a run that waits for them: that it is held, and what they can do."""

from typing import Final

import pytest

from tasks.domain.approval import Answer
from tasks.domain.journal import (
    Asked,
    Attempted,
    Controlled,
    Entry,
    Finished,
    Holding,
    Outcome,
    RunRecord,
    Started,
    Uninstalling,
)
from tasks.domain.report import next_steps, run_status
from tests.builders import NEW, NOW, OLD, REQUESTER, RUN, after, control, gate

UPGRADING: Final = Attempted(at=NOW, flow_run="f-1", flow="upgrade")
HELD: Final = Controlled(vote=control(Answer.HOLD))
RESUMED: Final = Controlled(vote=control(Answer.RESUME, at=after(120)))
OVER: Final = Finished(at=after(300), outcome=Outcome.ABORTED, text="aborted")


def journal(*entries: Entry) -> RunRecord:
    started = Started(
        at=NOW, parameters="p", target="1.29.1", revision=NEW, old=OLD, requester=REQUESTER
    )
    return RunRecord(run=RUN, entries=(started, *entries))


def lease(process: str = "host/1/me", renewed: float = 0) -> Holding:
    return Holding(
        run=RUN, process=process, renewed_at=after(renewed), duration_seconds=30, version="1"
    )


@pytest.mark.parametrize(
    ("entries", "held", "expected"),
    [
        pytest.param((HELD,), lease(), "Held", id="its process waits"),
        pytest.param((HELD,), lease(process=""), "Held", id="it is suspended"),
        pytest.param((HELD, Asked(gate=gate())), lease(), "Held", id="at a gate"),
        pytest.param((HELD, RESUMED), lease(), "Running", id="not any more"),
        pytest.param((HELD,), lease(renewed=-31), "Lapsed", id="its process died"),
        pytest.param((HELD, OVER), lease(), "Finished", id="it is over"),
    ],
)
def test_a_run_that_somebody_holds_is_shown_as_held(
    entries: tuple[Entry, ...], held: Holding, expected: str
) -> None:
    assert run_status(journal(*entries), held, now=NOW).state == expected


@pytest.mark.parametrize(
    ("entries", "last"),
    [
        pytest.param(
            (UPGRADING,),
            f"or take everything back: `istio-canary rollback {RUN}`",
            id="there is a way back",
        ),
        pytest.param(
            (UPGRADING, Uninstalling(at=NOW, revision=OLD, done=False)),
            "then the same upgrade command goes on from there; there is no way back any more",
            id="the old revision is going",
        ),
        pytest.param(
            (UPGRADING, Attempted(at=NOW, flow_run="f-2", flow="rollback")),
            f"then `istio-canary rollback {RUN}` goes on from there",
            id="it was being taken back",
        ),
    ],
)
def test_what_people_can_do_about_a_run_that_stopped_in_between(
    entries: tuple[Entry, ...], last: str
) -> None:
    first, *_, told = next_steps(journal(*entries))

    assert "`istio-canary audit`" in first
    assert told == last
