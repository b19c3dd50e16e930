"""Runs: which of a cluster's runs a command is about."""

from typing import Final

import pytest

from tasks.domain.errors import BadInputError, RefusedError
from tasks.domain.injection import followed
from tasks.domain.journal import (
    Attempted,
    Entry,
    Finished,
    Installed,
    Labelled,
    Outcome,
    Planned,
    RollingBack,
    RunRecord,
    Settled,
    Started,
    Uninstalling,
)
from tasks.domain.parameters import UpgradeParameters, parse
from tasks.domain.runs import (
    FlowRunInfo,
    carried_labels,
    chosen,
    is_rolled_back,
    predecessor,
    settled_labels,
    to_join,
    to_roll_back,
    unfinished,
)
from tests.builders import (
    DIGEST,
    NEW,
    NOW,
    OLD,
    REQUESTER,
    inventory,
    namespace,
    plane,
)

ASKED: Final = parse({"to": "1.29.1"})
ENABLED: Final = {"istio-injection": "enabled"}
REV_NEW: Final = {"istio.io/rev": NEW}
PLANNED: Final = Planned(at=NOW, digest=DIGEST)
INSTALLED: Final = Installed(at=NOW, revision=NEW, done=True)
ROLLING_BACK: Final = RollingBack(at=NOW, requester=REQUESTER)


def run(name: str, *entries: Entry, parameters: UpgradeParameters = ASKED) -> RunRecord:
    started = Started(
        at=NOW,
        parameters=parameters.fingerprint(),
        target=parameters.to,
        revision=parameters.canary,
        old=OLD,
        requester=REQUESTER,
    )
    return RunRecord(run=name, entries=(started, *entries))


def attempt(flow: str = "upgrade") -> Attempted:
    return Attempted(at=NOW, flow_run="f1", flow=flow)


def over(outcome: Outcome = Outcome.DONE) -> Finished:
    return Finished(at=NOW, outcome=outcome, text="over")


# ---------------------------------------------------------------- flow runs


@pytest.mark.parametrize(
    ("state_type", "is_over"),
    [
        ("COMPLETED", True),
        ("FAILED", True),
        ("CANCELLED", True),
        ("CRASHED", True),
        ("RUNNING", False),
        ("PAUSED", False),
        ("SCHEDULED", False),
        ("PENDING", False),
        ("CANCELLING", False),
    ],
)
def test_a_flow_run_is_over_in_a_state_that_it_never_leaves(
    state_type: str, *, is_over: bool
) -> None:
    info = FlowRunInfo(
        id="f1",
        name="upgrade",
        state_type=state_type,
        state_name="Done",
        state_message="",
        deployment_id=None,
    )
    assert info.is_over is is_over


# ---------------------------------------------------------------- the run under way


def test_the_run_under_way_has_a_plan_and_no_end() -> None:
    done, open_run = run("a", PLANNED, over()), run("b", PLANNED)
    assert unfinished([done, open_run]) == open_run
    assert unfinished([open_run, done]) == open_run
    assert unfinished([done]) is None
    assert unfinished([]) is None


def test_a_run_that_never_had_a_plan_is_not_under_way() -> None:
    assert unfinished([run("a", attempt())]) is None


def test_of_two_open_runs_the_newest_is_under_way() -> None:
    assert unfinished([run("a", PLANNED), run("b", PLANNED)]) == run("b", PLANNED)


def test_the_run_whose_rollback_has_begun_is_under_way_again() -> None:
    again = run("a", PLANNED, over(), ROLLING_BACK)
    assert unfinished([again]) == again


# ---------------------------------------------------------------- joining


def test_the_same_command_joins_the_unfinished_run() -> None:
    open_run = run("b", attempt(), PLANNED)
    assert to_join([run("a", PLANNED, over()), open_run], ASKED) == open_run


def test_another_requester_with_the_same_wish_joins_too() -> None:
    open_run = run("a", PLANNED)
    other = parse({"to": "1.29.1", "requester": "kubernetes:bob"})
    assert to_join([open_run], other) == open_run


def test_there_is_nothing_to_join_when_every_run_is_over() -> None:
    assert to_join([run("a", PLANNED, over())], parse({"to": "1.30.0"})) is None
    assert to_join([], ASKED) is None


def test_another_wish_than_the_unfinished_runs_is_refused_with_the_way_out() -> None:
    other = parse({"to": "1.29.1", "keep_old": True})
    with pytest.raises(RefusedError) as caught:
        to_join([run("a", attempt(), PLANNED)], other)
    assert str(caught.value) == (
        f"run a to 1.29.1, asked for by {REQUESTER}, is not finished and was started with other "
        "parameters; repeat its own command, or undo it with `istio-canary rollback a`"
    )


def test_a_run_that_is_being_rolled_back_is_not_joined_by_its_upgrade() -> None:
    record = run("a", attempt(), PLANNED, over(), ROLLING_BACK, attempt("rollback"))
    with pytest.raises(RefusedError, match="run a is being rolled back; go on with `istio-canary "):
        to_join([record], ASKED)


# ---------------------------------------------------------------- following on


def test_the_last_finished_run_that_installed_the_canary_is_the_predecessor() -> None:
    first, second = run("a", INSTALLED, over()), run("b", INSTALLED, over(Outcome.STOPPED))
    later = run("c", PLANNED, over(Outcome.BLOCKED))
    assert predecessor([first, second, later], inventory(), NEW) == second


def test_a_run_that_is_not_over_is_nobodys_predecessor() -> None:
    assert predecessor([run("a", INSTALLED)], inventory(), NEW) is None


def test_a_run_that_installed_another_revision_is_no_predecessor() -> None:
    other = Installed(at=NOW, revision="1-29-0", done=True)
    assert predecessor([run("a", other, over())], inventory(), NEW) is None


def test_there_is_no_predecessor_when_its_canary_is_gone() -> None:
    mesh = inventory(control_planes=(plane(OLD),))
    assert predecessor([run("a", INSTALLED, over())], mesh, NEW) is None


def test_labels_are_carried_of_namespaces_that_still_say_what_the_run_made_of_them() -> None:
    earlier = run(
        "a",
        *(Labelled(at=NOW, namespace=one, previous=ENABLED) for one in ("shop", "bank", "gone")),
        over(),
    )
    mesh = inventory(
        namespaces=(
            namespace("shop", labels={**REV_NEW, "team": "blue"}),
            namespace("bank", labels=ENABLED),
            namespace("desk", labels=REV_NEW),
        )
    )
    assert carried_labels(earlier, mesh, NEW) == {"shop": ENABLED}


def test_a_namespace_to_which_somebody_gave_a_second_label_is_not_carried() -> None:
    both = {**REV_NEW, "istio-injection": "disabled"}
    assert followed(both, {}) is None
    earlier = run("a", Labelled(at=NOW, namespace="shop", previous=ENABLED), over())
    mesh = inventory(namespaces=(namespace("shop", labels=both),))
    assert carried_labels(earlier, mesh, NEW) == {}


def test_labels_that_an_earlier_run_has_settled_are_known_to_the_next() -> None:
    said = {"shop": ENABLED, "bank": ENABLED, "gone": ENABLED, "left": ENABLED, "mine": ENABLED}
    labelled = [Labelled(at=NOW, namespace=name, previous=one) for name, one in said.items()]
    settled = [Settled(at=NOW, namespace=name) for name in ("shop", "bank", "gone", "mine")]
    spaces = (
        namespace("shop", labels=ENABLED),
        namespace("bank", labels=ENABLED),
        namespace("left", labels=ENABLED),
        namespace("mine", labels={"istio-injection": "disabled"}),
    )

    found = settled_labels(run("a", *labelled, *settled), inventory(namespaces=spaces))

    assert found == {"shop": ENABLED, "bank": ENABLED}
    assert settled_labels(None, inventory()) == {}


def test_without_a_predecessor_no_labels_are_carried() -> None:
    mesh = inventory(namespaces=(namespace("shop", labels=REV_NEW),))
    assert carried_labels(None, mesh, NEW) == {}


# ---------------------------------------------------------------- rolling back


def test_the_newest_run_with_a_plan_is_rolled_back() -> None:
    first, second, idle = run("a", PLANNED, over()), run("b", PLANNED, over()), run("c", over())
    assert to_roll_back([first, second, idle], None) == second


OTHER: Final = parse({"to": "1.30.0"})


@pytest.mark.parametrize(
    "later",
    [
        pytest.param(run("b"), id="a later one that was blocked"),
        pytest.param(
            run("b", PLANNED, over(), parameters=OTHER), id="another canary, not installed"
        ),
        pytest.param(
            run("b", PLANNED, INSTALLED, attempt("rollback"), over(Outcome.ROLLED_BACK)),
            id="a later one that was undone itself",
        ),
    ],
)
def test_the_run_that_is_named_is_rolled_back_if_no_later_one_built_upon_it(
    later: RunRecord,
) -> None:
    first = run("a", PLANNED, over())
    assert to_roll_back([first, later], "a") == first


@pytest.mark.parametrize(
    "later",
    [
        pytest.param(run("b", PLANNED), id="it adopted the canary"),
        pytest.param(run("b", PLANNED, INSTALLED, parameters=OTHER), id="it installed another one"),
        pytest.param(
            run("b", PLANNED, Uninstalling(at=NOW, revision=OLD, done=True), over()),
            id="it uninstalled the old revision",
        ),
    ],
)
def test_a_run_that_a_later_one_went_on_from_is_not_rolled_back(later: RunRecord) -> None:
    with pytest.raises(RefusedError, match="run a was followed by run b"):
        to_roll_back([run("a", PLANNED, over()), later], "a")


def test_a_run_that_nobody_knows_is_not_rolled_back() -> None:
    with pytest.raises(BadInputError) as caught:
        to_roll_back([run("a", PLANNED), run("b", PLANNED)], "x")
    assert str(caught.value) == "there is no run x to roll back in this cluster; there are: a, b"


def test_without_any_run_there_is_nothing_to_roll_back() -> None:
    with pytest.raises(BadInputError) as caught:
        to_roll_back([], None)
    assert str(caught.value) == "there is no run to roll back in this cluster; there are: none"


def test_a_run_without_a_plan_has_changed_nothing_to_undo() -> None:
    with pytest.raises(BadInputError):
        to_roll_back([run("a", attempt())], "a")


def test_there_is_no_way_back_once_the_uninstall_has_begun() -> None:
    gone = run("b", PLANNED, Uninstalling(at=NOW, revision=OLD, done=False))
    with pytest.raises(RefusedError) as caught:
        to_roll_back([run("a", PLANNED, over()), gone], None)
    assert str(caught.value) == (
        f"run b has begun to uninstall revision {OLD}, so there is no way back; "
        "finish it with the same upgrade command"
    )


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param((attempt("rollback"), over(Outcome.ROLLED_BACK)), True, id="all of it"),
        pytest.param((attempt(), over(Outcome.ROLLED_BACK)), False, id="a wave of the upgrade"),
        pytest.param((attempt("rollback"), over(Outcome.STOPPED)), False, id="it stopped half way"),
        pytest.param((attempt("rollback"),), False, id="it is under way"),
    ],
)
def test_a_run_is_rolled_back_when_a_rollback_ended_so(
    entries: tuple[Entry, ...], *, expected: bool
) -> None:
    assert is_rolled_back(run("a", PLANNED, *entries)) is expected


# ---------------------------------------------------------------- naming


def test_a_person_who_names_no_run_means_the_unfinished_one() -> None:
    open_run = run("a", PLANNED)
    assert chosen([open_run, run("b", over())], None) == open_run


def test_a_person_who_names_no_run_means_the_newest_when_all_are_over() -> None:
    assert chosen([run("a", over()), run("b", over())], None) == run("b", over())


def test_a_person_may_name_any_run() -> None:
    assert chosen([run("a", over()), run("b", PLANNED)], "a") == run("a", over())


@pytest.mark.parametrize(
    ("names", "wanted", "complaint"),
    [
        (("a", "b"), "x", "there is no run x in this cluster; there are: a, b"),
        ((), "x", "there is no run x in this cluster; there are: none"),
        ((), None, "there is no run in this cluster; there are: none"),
    ],
)
def test_a_run_that_is_not_there_is_bad_input(
    names: tuple[str, ...], wanted: str | None, complaint: str
) -> None:
    with pytest.raises(BadInputError) as caught:
        chosen([run(name, PLANNED) for name in names], wanted)
    assert str(caught.value) == complaint
