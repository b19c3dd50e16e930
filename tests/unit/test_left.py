"""What a run has left as it was: each with what people have to do, until a way back begins anew."""

from tasks.domain.journal import (
    Entry,
    Finished,
    LeftAlone,
    LeftBehind,
    Outcome,
    RollingBack,
    RunRecord,
)
from tasks.domain.left import left_alone, left_todo
from tests.builders import NOW, REQUESTER, RUN, ref

DISABLED = {"istio-injection": "disabled"}


def journal(*entries: Entry) -> RunRecord:
    return RunRecord(run=RUN, entries=entries)


def left(name: str = "shop", *, is_moved: bool = False) -> LeftAlone:
    return LeftAlone(at=NOW, namespace=name, labels=DISABLED, is_moved=is_moved)


def test_a_workload_that_was_left_behind_is_to_be_repaired() -> None:
    behind = LeftBehind(at=NOW, workload=ref(), why="0 of 1 ready", wave=1)

    assert left_todo(journal(behind)) == (
        (
            "shop/Deployment/cart was not healthy before and was left behind (0 of 1 ready): "
            "repair it, then restart it"
        ),
    )


def test_a_namespace_that_was_left_alone_is_for_those_who_changed_its_labels() -> None:
    assert left_todo(journal(left("shop"), left("bank", is_moved=True))) == (
        (
            "somebody changed the labels of namespace shop to istio-injection=disabled since the "
            "plan, so it was not moved: if that is meant, restart its workloads; else put its "
            "labels back and run the same command again"
        ),
        (
            "somebody changed the labels of namespace bank to istio-injection=disabled after it "
            "had moved, so they stay: look whether that is meant"
        ),
    )


def test_a_namespace_is_left_for_what_was_seen_first() -> None:
    assert left_alone(journal(left(), left(is_moved=True))) == {"shop": left()}


def test_a_way_back_and_an_end_leave_nothing() -> None:
    back = RollingBack(at=NOW, requester=REQUESTER)
    end = Finished(at=NOW, outcome=Outcome.STOPPED, text="in between")

    assert left_todo(journal(left(), back)) == ()
    assert left_todo(journal(left(), end)) == ()
