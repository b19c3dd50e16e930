"""The journal: what a run's entries add up to, whoever wrote them and however often."""

import typing
from datetime import timedelta
from typing import Final

import msgspec
import pytest

from tasks.domain.approval import Answer, Verdict
from tasks.domain.journal import (
    Asked,
    Attempted,
    Controlled,
    Decided,
    Entry,
    Finished,
    Holding,
    Installed,
    Labelled,
    LeftAlone,
    LeftBehind,
    Moved,
    Outcome,
    Planned,
    Repointed,
    Restarting,
    RollingBack,
    RunRecord,
    Settled,
    Snapshotted,
    Started,
    Step,
    Uninstalling,
    Waited,
    WaveFailed,
    WaveRolledBack,
)
from tasks.domain.snapshot import ObjectSnapshot
from tests.builders import DIGEST, NEW, NOW, OLD, REQUESTER, RUN, after, control, gate, ref, vote

STARTED: Final = Started(
    at=NOW, parameters="0" * 64, target="1.29.1", revision=NEW, old=OLD, requester=REQUESTER
)
SNAPSHOT: Final = ObjectSnapshot(
    kind="MutatingWebhookConfiguration",
    name="istio-revision-tag-default",
    labels={"istio.io/rev": OLD},
    payload=msgspec.Raw(b'[{"name":"rev.namespace.sidecar-injector.istio.io"}]'),
)
ENABLED: Final = {"istio-injection": "enabled"}

ENTRIES: Final[list[Entry]] = [
    STARTED,
    Attempted(at=NOW, flow_run="f1", flow="upgrade", deployment="d1", api="http://127.0.0.1:4200"),
    Planned(at=NOW, digest=DIGEST),
    Asked(gate=gate()),
    Decided(at=NOW, gate="start", verdict=Verdict.APPROVED, votes=(vote(),)),
    Waited(at=NOW, gate="start"),
    Controlled(vote=control(Answer.HOLD)),
    Installed(at=NOW, revision=NEW, done=True),
    Labelled(at=NOW, namespace="shop", previous=ENABLED, carried=True),
    Restarting(at=NOW, workload=ref(), ready=2),
    LeftBehind(at=NOW, workload=ref(), why="0 of 1 ready", wave=1),
    LeftAlone(at=NOW, namespace="shop", labels=ENABLED, is_moved=False),
    Step(at=NOW, text="shop: 2 pods on 1-29-1", wave=1, namespace="shop"),
    Moved(at=NOW, wave=1),
    WaveFailed(at=NOW, wave=2, why="cart is not ready"),
    WaveRolledBack(at=NOW, wave=2, why="cart is not ready"),
    Snapshotted(at=NOW, objects=(SNAPSHOT,)),
    Repointed(at=NOW, tags=("default", "prod")),
    Settled(at=NOW, namespace="shop"),
    Uninstalling(at=NOW, revision=OLD, done=False),
    RollingBack(at=NOW, requester=REQUESTER),
    Finished(at=NOW, outcome=Outcome.STOPPED, text="in between", todo=("restart cart",)),
]


def journal(*entries: Entry) -> RunRecord:
    return RunRecord(run=RUN, entries=(STARTED, *entries))


def attempt(flow_run: str = "f1", flow: str = "upgrade") -> Attempted:
    return Attempted(at=NOW, flow_run=flow_run, flow=flow)


def done(outcome: Outcome = Outcome.DONE) -> Finished:
    return Finished(at=NOW, outcome=outcome, text="over")


def test_every_kind_of_entry_has_an_example_here() -> None:
    assert {type(entry) for entry in ENTRIES} == set(typing.get_args(Entry))


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: type(entry).__name__)
def test_an_entry_survives_json(entry: Entry) -> None:
    again = msgspec.json.decode(msgspec.json.encode(entry), type=Entry)
    # Bytes that are kept as they are compare by identity, so the written form is compared.
    assert type(again) is type(entry)
    assert msgspec.json.encode(again) == msgspec.json.encode(entry)


def test_every_kind_of_entry_is_told_apart_by_its_tag() -> None:
    tags = {entry.__struct_config__.tag for entry in ENTRIES}
    assert len(tags) == len(ENTRIES)


def test_entries_are_found_by_kind_in_order() -> None:
    record = journal(
        Moved(at=NOW, wave=1), Settled(at=NOW, namespace="shop"), Moved(at=NOW, wave=2)
    )
    assert [entry.wave for entry in record.of(Moved)] == [1, 2]
    assert record.last(Moved) == Moved(at=NOW, wave=2)
    assert record.last(Planned) is None
    assert record.moved_waves == {1, 2}


def test_what_was_asked_for_is_the_first_entry() -> None:
    assert journal(attempt()).started == STARTED


def test_point_7_the_labels_to_go_back_to_are_those_before_the_first_touch() -> None:
    record = journal(
        Labelled(at=NOW, namespace="shop", previous=ENABLED),
        Labelled(at=NOW, namespace="bank", previous={}),
        Labelled(at=after(60), namespace="shop", previous={"istio.io/rev": NEW}),
    )
    assert record.previous_labels == {"shop": ENABLED, "bank": {}}


def test_labels_taken_over_from_a_predecessor_go_before_what_was_found() -> None:
    record = journal(
        Labelled(at=NOW, namespace="shop", previous=ENABLED, carried=True),
        Labelled(at=after(60), namespace="shop", previous={"istio.io/rev": NEW}),
    )
    assert record.previous_labels == {"shop": ENABLED}


def test_the_readiness_to_restore_is_that_before_the_first_restart() -> None:
    record = journal(
        Restarting(at=NOW, workload=ref("cart"), ready=3),
        Restarting(at=after(60), workload=ref("cart"), ready=0),
        Restarting(at=after(60), workload=ref("till"), ready=0),
    )
    assert record.ready_before == {ref("cart"): 3, ref("till"): 0}


@pytest.mark.parametrize(
    "turn",
    [
        WaveFailed(at=after(60), wave=1, why="cart is not ready"),
        RollingBack(at=after(60), requester=REQUESTER),
        Finished(at=after(60), outcome=Outcome.STOPPED, text="cart is not ready"),
    ],
    ids=lambda turn: type(turn).__name__,
)
def test_a_restart_keeps_its_first_mark_until_the_run_turns_round_or_ends(turn: Entry) -> None:
    there = journal(
        Restarting(at=NOW, workload=ref("cart"), ready=2),
        Restarting(at=after(30), workload=ref("cart"), ready=2),
        Restarting(at=after(30), workload=ref("till"), ready=2),
    )
    assert there.restarts == {ref("cart"): NOW, ref("till"): after(30)}

    back = journal(*there.entries[1:], turn, Restarting(at=after(90), workload=ref(), ready=2))
    assert back.restarts == {ref("cart"): after(90)}


def left(name: str, wave: int | None = None) -> LeftBehind:
    return LeftBehind(at=NOW, workload=ref(name), why="0 of 1 ready", wave=wave)


def test_what_was_left_behind_is_forgotten_where_a_way_back_begins_anew() -> None:
    there = journal(left("cart", 1), left("till", 2), left("till", 2))
    assert there.left_behind == {ref("cart"): left("cart", 1), ref("till"): left("till", 2)}

    failed = journal(*there.entries[1:], WaveFailed(at=NOW, wave=2, why="oven"), left("oven", 2))
    assert list(failed.left_behind) == [ref("cart"), ref("oven")]

    undone = journal(*failed.entries[1:], RollingBack(at=NOW, requester=REQUESTER), left("bank"))
    assert list(undone.left_behind) == [ref("bank")]


def test_the_snapshots_to_put_back_are_the_first_ones() -> None:
    later = msgspec.structs.replace(SNAPSHOT, labels={"istio.io/rev": NEW})
    record = journal(
        Snapshotted(at=NOW, objects=(SNAPSHOT,)), Snapshotted(at=after(60), objects=(later,))
    )
    assert record.snapshots == (SNAPSHOT,)
    assert journal().snapshots == ()


@pytest.mark.parametrize(
    ("entries", "outcome"),
    [
        pytest.param((), None, id="nothing happened yet"),
        pytest.param((attempt(), Moved(at=NOW, wave=1)), None, id="on its way"),
        pytest.param((attempt(), done()), Outcome.DONE, id="done"),
        pytest.param(
            (attempt(), done(), RollingBack(at=NOW, requester=REQUESTER)),
            None,
            id="a rollback works on it again",
        ),
        pytest.param(
            (attempt(), done(), attempt("f2", "rollback"), done(Outcome.ROLLED_BACK)),
            Outcome.ROLLED_BACK,
            id="rolled back",
        ),
        pytest.param((done(Outcome.STOPPED), attempt("f2")), None, id="taken up again"),
        pytest.param(
            (attempt(), done(), Step(at=NOW, text="a last word")),
            Outcome.DONE,
            id="a last word does not open it again",
        ),
    ],
)
def test_a_run_is_finished(entries: tuple[Entry, ...], outcome: Outcome | None) -> None:
    finished = journal(*entries).finished
    assert (finished.outcome if finished else None) == outcome


def test_flow_runs_are_listed_once_each_oldest_first() -> None:
    assert journal(attempt("f1"), attempt("f2"), attempt("f1")).flow_runs == ("f1", "f2")


@pytest.mark.parametrize(
    ("entries", "is_rollback"),
    [
        pytest.param((), False, id="nobody has taken it up"),
        pytest.param((attempt(),), False, id="an upgrade"),
        pytest.param((attempt(), attempt("f2", "rollback")), True, id="a rollback after it"),
        pytest.param((attempt("f1", "rollback"), attempt("f2")), False, id="an upgrade after that"),
    ],
)
def test_the_last_attempt_says_which_way_the_run_goes(
    entries: tuple[Entry, ...], is_rollback: bool
) -> None:
    assert journal(*entries).attempt_is_rollback is is_rollback


def test_a_gate_is_open_until_it_is_decided() -> None:
    asked = journal(Asked(gate=gate("start")))
    assert asked.gate("start") == asked.open_gate == gate("start")
    assert asked.decision("start") is None
    verdict = Decided(at=NOW, gate="start", verdict=Verdict.APPROVED)
    decided = RunRecord(run=RUN, entries=(*asked.entries, verdict))
    assert decided.decision("start") == verdict
    assert decided.open_gate is None


def test_a_run_that_is_being_undone_waits_at_no_gate() -> None:
    undone = Attempted(at=NOW, flow_run="f2", flow="rollback")
    assert journal(Asked(gate=gate("start")), undone).open_gate is None


def test_the_next_gate_is_open_while_the_first_is_decided() -> None:
    record = journal(
        Asked(gate=gate("start")),
        Decided(at=NOW, gate="start", verdict=Verdict.APPROVED),
        Asked(gate=gate("wave-2")),
    )
    assert record.open_gate == gate("wave-2")
    assert record.gate("wave-3") is None


def test_a_gate_asked_twice_is_the_one_asked_first() -> None:
    later = gate("start", asked_at=after(60), expires_at=NOW + timedelta(days=9))
    assert journal(Asked(gate=gate("start")), Asked(gate=later)).gate("start") == gate("start")


def test_the_first_decision_stands() -> None:
    first = Decided(at=NOW, gate="start", verdict=Verdict.REJECTED)
    second = Decided(at=after(60), gate="start", verdict=Verdict.APPROVED)
    assert journal(first, second).decision("start") == first


def test_there_is_no_way_back_once_the_uninstall_has_begun() -> None:
    assert not journal(Repointed(at=NOW, tags=("default",))).is_past_return
    assert journal(Uninstalling(at=NOW, revision=OLD, done=False)).is_past_return


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.DONE, 0),
        (Outcome.NOTHING_TO_DO, 0),
        (Outcome.CRASHED, 1),
        (Outcome.BAD_INPUT, 2),
        (Outcome.BLOCKED, 3),
        (Outcome.REJECTED, 4),
        (Outcome.ABORTED, 4),
        (Outcome.EXPIRED, 4),
        (Outcome.ROLLED_BACK, 5),
        (Outcome.STOPPED, 6),
        (Outcome.INTERRUPTED, 130),
    ],
)
def test_exit_codes_are_fixed(outcome: Outcome, code: int) -> None:
    assert outcome.exit_code == code


def test_every_outcome_has_an_exit_code() -> None:
    assert all(isinstance(outcome.exit_code, int) for outcome in Outcome)


def test_a_lease_that_nobody_holds_can_be_said() -> None:
    free = Holding(run="", process="", renewed_at=None, duration_seconds=30, version="1")
    assert msgspec.json.decode(msgspec.json.encode(free), type=Holding) == free
