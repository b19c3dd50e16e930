"""A run's thread in Slack: which messages it has, what its head says, and when people are reminded."""

from datetime import datetime
from typing import Final

import msgspec
import pytest

from deployments.gatekeeper.thread import Links, RunView, reminders_due, wanted
from tasks.domain.approval import Answer, Verdict
from tasks.domain.inventory import Kind
from tasks.domain.journal import (
    Asked,
    Attempted,
    Controlled,
    Entry,
    Finished,
    Installed,
    LeftBehind,
    Moved,
    Outcome,
    Repointed,
    RollingBack,
    Settled,
    Step,
    Uninstalling,
    WaveFailed,
    WaveRolledBack,
)
from tests.builders import NEW, OLD, REQUESTER, after, control, ref
from tests.unit.slack_cases import (
    AT_WAVE_2,
    BEGUN,
    POLICY,
    ask,
    counted,
    decided,
    lease,
    said,
    shop_plan,
    shown,
    view,
    yes,
)

ASKED: Final = (*BEGUN, Asked(gate=ask()))
INSTALLED: Final = Installed(at=after(1), revision=NEW, done=True)
WHOLE: Final[tuple[Entry, ...]] = (
    *AT_WAVE_2,
    decided("wave-2", yes(gate="wave-2")),
    Controlled(vote=control(Answer.HOLD, reason="lunch")),
    Controlled(vote=control(Answer.RESUME)),
    Moved(at=after(200), wave=2),
    Asked(gate=ask("default")),
    decided("default", yes(gate="default")),
    Repointed(at=after(300), tags=("default", "prod")),
    Controlled(vote=control(Answer.HOLD)),
    Step(at=after(310), text="tags default, prod point to 1-29-1"),
    Settled(at=after(320), namespace="shop"),
    Asked(gate=ask("uninstall")),
    decided("uninstall", yes(gate="uninstall")),
    Uninstalling(at=after(400), revision=OLD, done=False),
    Uninstalling(at=after(410), revision=OLD, done=True),
    Finished(at=after(420), outcome=Outcome.DONE, text="1.29.1 serves the mesh"),
)


def keys(of: RunView) -> list[str]:
    return [one.key for one in wanted(of)]


# ---------------------------------------------------------------- the thread


def test_a_whole_upgrade_is_a_thread_of_one_message_a_milestone() -> None:
    assert [(one.key, one.message.text) for one in wanted(view(*WHOLE))[2:]] == [
        ("gate-start", "prod, gate start: approved by Bob, eve"),
        ("canary-installed", "Canary installed: revision 1-29-1 is there, beside the old one"),
        ("wave-1-moved", "Wave 1 moved: its proxies are on 1-29-1, verified"),
        ("gate-wave-2", "prod, gate wave-2: approved by Bob"),
        ("held", "Held: the run does not begin its next step; asked for by Bob: lunch"),
        ("resumed", "Resumed: the run goes on; asked for by Bob"),
        ("wave-2-moved", "Wave 2 moved: its proxies are on 1-29-1, verified"),
        ("gate-default", "prod, gate default: approved by Bob"),
        ("held-2", "Held: the run does not begin its next step; asked for by Bob"),
        ("tags-moved", "Tags moved: default, prod now on 1-29-1"),
        ("gate-uninstall", "prod, gate uninstall: approved by Bob"),
        ("uninstalling", "Uninstalling: revision 1-28-3 goes; there is no way back after this"),
        ("uninstalled", "Uninstalled: revision 1-28-3 is gone"),
        ("end", "Done on prod after 12 min: 1.29.1 serves the mesh"),
    ]


def test_only_the_head_and_the_gates_are_updated() -> None:
    updated = [one.key for one in wanted(view(*WHOLE)) if one.is_updated]
    assert updated == ["head", "gate-start", "gate-wave-2", "gate-default", "gate-uninstall"]


@pytest.mark.parametrize("length", range(len(BEGUN), len(WHOLE)))
def test_a_message_keeps_its_key_and_its_place_as_the_journal_grows(length: int) -> None:
    early = keys(view(*WHOLE[:length]))
    assert keys(view(*WHOLE))[: len(early)] == early


@pytest.mark.parametrize("length", range(len(BEGUN), len(WHOLE)))
def test_what_is_not_updated_never_says_anything_else(length: int) -> None:
    late = {one.key: one.message for one in wanted(view(*WHOLE))}
    for one in wanted(view(*WHOLE[:length])):
        if not one.is_updated:
            assert late[one.key] == one.message


def test_there_are_no_findings_where_nothing_weighs() -> None:
    assert keys(view(plan=shop_plan(findings=()))) == ["head"]
    assert keys(view(plan=None)) == ["head"]


def test_a_wave_that_fails_twice_is_told_twice() -> None:
    failed = WaveFailed(at=after(10), wave=1, why="shop/Deployment/cart did not come up")
    back = WaveRolledBack(at=after(20), wave=1, why="shop/Deployment/cart did not come up")
    again = Attempted(at=after(30), flow_run="f-2", flow="upgrade")
    thread = wanted(view(*BEGUN, INSTALLED, failed, back, again, failed, back))

    assert [one.key for one in thread[3:]] == [
        "wave-1-failed",
        "wave-1-rolled-back",
        "wave-1-failed-2",
        "wave-1-rolled-back-2",
    ]
    assert thread[3].message.text == (
        "Wave 1 failed: it is being rolled back to 1-28-3: shop/Deployment/cart did not come up"
    )
    assert thread[4].message.text == "Wave 1 rolled back: it is on 1-28-3 again"


def test_what_another_process_says_again_is_told_once() -> None:
    going = Uninstalling(at=after(2), revision=OLD, done=False)
    thread = keys(view(*BEGUN, INSTALLED, INSTALLED, going, going, Asked(gate=ask()), *ASKED))
    assert thread[2:] == ["canary-installed", "uninstalling", "gate-start"]


def test_tags_are_told_of_when_they_have_moved_and_not_if_they_never_did() -> None:
    about = Repointed(at=after(1), tags=("default",))
    undone = RollingBack(at=after(2), requester=REQUESTER)
    assert "tags-moved" not in keys(view(*BEGUN, about))
    assert "tags-moved" not in keys(view(*BEGUN, about, undone, Step(at=after(3), text="back")))
    nothing = Repointed(at=after(1), tags=())
    assert "tags-moved" not in keys(view(*BEGUN, nothing, Asked(gate=ask("uninstall"))))


def test_a_rollback_that_follows_the_end_is_told_and_ends_again() -> None:
    over = Finished(at=after(10), outcome=Outcome.STOPPED, text="stopped")
    undoing = (
        Attempted(at=after(20), flow_run="f-2", flow="rollback"),
        RollingBack(at=after(21), requester="slack:T1/U2"),
    )
    back = Finished(at=after(600), outcome=Outcome.ROLLED_BACK, text="all is as before")
    thread = wanted(view(*BEGUN, over, *undoing, back))

    assert [one.key for one in thread[2:]] == ["end", "rolling-back", "end-2"]
    assert shown(thread[3].message) == (
        "*Rolling back*: everything is to go back to 1-28-3, asked for by <@U2>"
    )


def test_the_end_says_what_is_left_to_do_and_how_long_it_took() -> None:
    todo = ("repair shop/Deployment/cart", "run the same command again")
    over = Finished(at=after(3600), outcome=Outcome.STOPPED, text="wave 1 failed", todo=todo)

    assert (
        shown(said(view(*BEGUN, over), "end"))
        == """\
# Stopped
wave 1 failed
*To do*
• repair shop/Deployment/cart
• run the same command again
> after 1 h 05 min · </runs/flow-run/f-1?tab=Artifacts|the report>"""
    )


def test_an_abort_is_told_with_its_reason() -> None:
    stop = Controlled(vote=control(Answer.ABORT, reason="wrong cluster"))
    assert said(view(*BEGUN, stop), "aborted").text == (
        "Abort: the run stops at the next safe point; asked for by bob: wrong cluster"
    )


# ---------------------------------------------------------------- the head


def test_the_head_says_where_a_run_is() -> None:
    step = Step(at=after(20), text="shop: 2 workloads restarted", wave=1, namespace="shop")
    message = said(view(*BEGUN, INSTALLED, step), "head")

    assert message.text == "Istio 1.28.3 → 1.29.1 on prod: Running, wave 1 of 2"
    assert (
        shown(message)
        == """\
# Istio 1.28.3 → 1.29.1
*Cluster* prod
*Run* `run-1`
*State* Running, wave 1 of 2
*Asked for by* ann
*Waves moved* 0 of 2
*Namespaces moved* 0 of 3
*Pods, as of the last verified wave* 0 of 7 on `1-29-1`, 7 on `1-28-3`
*Begun* (2026-03-02 11:55 UTC)
*Elapsed* 6 min
Last: shop: 2 workloads restarted
> </runs/flow-run/f-1|Flow run on the dashboard> · </runs/flow-run/f-1?tab=Artifacts|its artifacts>"""
    )


def test_the_head_of_a_run_that_waits_names_the_gate_and_the_people_it_knows() -> None:
    text = shown(said(view(*AT_WAVE_2), "head"))
    assert "*State* Waiting at gate wave-2\n*Asked for by* <@U1>" in text
    assert "*Waves moved* 1 of 2" in text
    assert "4 of 7 on `1-29-1`, 3 on `1-28-3`" in text
    assert "*Waits since* (2026-03-02 12:00 UTC)" in text


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        pytest.param((), "Running", id="before the canary"),
        pytest.param(
            (INSTALLED, Moved(at=after(2), wave=1), Moved(at=after(3), wave=2)),
            "Running, all 2 waves moved",
            id="after the last wave",
        ),
        pytest.param(
            (
                Attempted(at=after(20), flow_run="f-2", flow="rollback"),
                RollingBack(at=after(21), requester=REQUESTER),
            ),
            "Running, rolling back",
            id="on the way back",
        ),
        pytest.param(
            (Finished(at=after(3), outcome=Outcome.BLOCKED, text="blocked"),),
            "Finished, Blocked",
            id="over",
        ),
    ],
)
def test_the_heads_state(entries: tuple[Entry, ...], expected: str) -> None:
    message = said(view(*BEGUN, *entries), "head")
    assert message.text == f"Istio 1.28.3 → 1.29.1 on prod: {expected}"


def test_the_head_says_what_failed() -> None:
    failed = WaveFailed(at=after(10), wave=1, why="cart did not come up")
    assert "*Wave 1 failed*: cart did not come up" in shown(said(view(*BEGUN, failed), "head"))
    over = Finished(at=after(30), outcome=Outcome.STOPPED, text="so did its way back")
    text = shown(said(view(*BEGUN, failed, over), "head"))
    assert "*Stopped*: so did its way back" in text
    assert "*Took* 5 min" in text


def test_what_was_rolled_back_does_not_count_as_moved() -> None:
    undoing = (
        Moved(at=after(10), wave=1),
        Attempted(at=after(20), flow_run="f-2", flow="rollback"),
        RollingBack(at=after(21), requester=REQUESTER),
    )
    assert "*Moved* everything is to go back to `1-28-3`" in shown(
        said(view(*BEGUN, *undoing), "head")
    )
    over = Finished(at=after(600), outcome=Outcome.ROLLED_BACK, text="all is as before")
    assert "*Waves moved* 0 of 2" in shown(said(view(*BEGUN, *undoing, over), "head"))


def test_what_could_not_be_read_is_said_and_a_lease_that_was_not_read_has_not_lapsed() -> None:
    unread = view(holding=None, is_fresh=False)
    text = shown(said(unread, "head"))
    assert "*State* Unknown" in text
    assert "could not be read just now: this is what was last seen" in text
    assert "*State* Lapsed" in shown(said(view(holding=None), "head"))
    assert "*Moved* the plan could not be read" in shown(said(view(plan=None), "head"))


@pytest.mark.parametrize(
    "dashboard",
    [
        pytest.param(None, id="none"),
        pytest.param("javascript:alert(1)", id="a script"),
        pytest.param("http://x|y>", id="markup"),
    ],
)
def test_without_a_dashboard_nothing_is_linked_to(dashboard: str | None) -> None:
    assert "runs/flow-run" not in shown(said(view(links=Links(dashboard=dashboard)), "head"))


def prints(of: RunView, *moments: datetime) -> set[str]:
    return {wanted(msgspec.structs.replace(of, now=now))[0].message.fingerprint for now in moments}


def test_while_work_goes_on_the_head_changes_once_a_minute() -> None:
    working = view(*BEGUN, INSTALLED)
    assert len(prints(working, *(after(second) for second in range(60, 120)))) == 1
    assert len(prints(working, after(60), after(120))) == 2


@pytest.mark.parametrize(
    "still",
    [
        pytest.param(view(*AT_WAVE_2), id="at a gate"),
        pytest.param(view(*BEGUN, INSTALLED, holding=lease(process="")), id="parked"),
        pytest.param(view(*BEGUN, Controlled(vote=control(Answer.HOLD))), id="held"),
        pytest.param(view(*WHOLE), id="over"),
    ],
)
def test_where_nothing_moves_the_head_does_not_tick(still: RunView) -> None:
    assert len(prints(still, *(after(minute * 60) for minute in range(50)))) == 1


def test_what_was_left_behind_before_a_gate_is_among_what_the_checks_say() -> None:
    left = LeftBehind(
        at=after(-20), workload=ref("old", "shop", Kind.STATEFUL_SET), why="sick", wave=1
    )
    failed = WaveFailed(at=after(-40), wave=2, why="slow")
    before = (*AT_WAVE_2[:-1], failed, left, AT_WAVE_2[-1])
    text = shown(said(view(*before, Moved(at=after(500), wave=2)), "gate-wave-2"))
    assert "verified since: wave 1; failed in between: wave 2; 1 workload left behind." in text


# ---------------------------------------------------------------- reminders


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(-1, 0), (599, 0), (600, 1), (1799, 1), (1800, 2), (3599, 2), (3600, 0), (9999, 0)],
)
def test_reminders_come_after_a_while_and_then_after_twice_as_long_again(
    seconds: float, expected: int
) -> None:
    hasty = msgspec.structs.replace(POLICY, remind_after_seconds=600.0)
    assert reminders_due(ask(policy=hasty), after(seconds)) == expected


@pytest.mark.parametrize("pause", [0.0, -1.0, float("nan"), float("inf")])
def test_a_policy_without_a_pause_reminds_nobody(pause: float) -> None:
    odd = msgspec.structs.replace(POLICY, remind_after_seconds=pause)
    assert reminders_due(ask(policy=odd), after(600)) == 0


def test_a_hair_of_a_pause_does_not_go_on_for_ever() -> None:
    odd = msgspec.structs.replace(POLICY, remind_after_seconds=1e-300)
    assert reminders_due(ask(policy=odd), after(600)) == 60


HASTY: Final = msgspec.structs.replace(POLICY, remind_after_seconds=60.0)


def test_only_the_newest_reminder_is_wanted_and_calls_those_who_have_not_answered() -> None:
    asked = Asked(gate=ask(policy=HASTY))
    seen = view(*BEGUN, asked, now=after(200), tally=counted(yes()))
    last = wanted(seen)[-1]

    assert (last.key, last.is_updated) == ("gate-start-reminder-2", False)
    assert shown(last.message) == (
        "<!subteam^S12>, eve: gate start of prod still waits, and expires (2026-03-02 13:00 UTC)."
    )
    assert last.message.text == "Gate start of prod still waits, and expires 2026-03-02 13:00 UTC"


def test_a_reminder_that_can_call_nobody_still_says_that_a_gate_waits() -> None:
    nobody = msgspec.structs.replace(HASTY, approvers=())
    last = wanted(view(*BEGUN, Asked(gate=ask(policy=nobody)), now=after(70)))[-1]
    assert shown(last.message).startswith("Gate start of prod still waits")


def test_the_requester_who_may_not_approve_is_not_called() -> None:
    both = msgspec.structs.replace(HASTY, approvers=("Ann", "Bob"), quorum=1)
    last = wanted(view(*BEGUN, Asked(gate=ask(policy=both)), now=after(70)))[-1]
    assert shown(last.message).startswith("<@U2>: gate start")


def test_nobody_is_reminded_of_what_is_decided() -> None:
    asked = Asked(gate=ask(policy=HASTY))
    late = {"now": after(200)}
    both = counted(yes(), yes("kubernetes:eve"), verdict=Verdict.APPROVED)
    for seen in (
        view(*BEGUN, asked, decided("start", yes()), **late),
        view(*BEGUN, asked, tally=both, **late),
        view(*BEGUN, asked, now=after(3600)),
        view(*BEGUN, asked, Finished(at=after(9), outcome=Outcome.ABORTED, text="x"), **late),
    ):
        assert not [key for key in keys(seen) if "reminder" in key]
