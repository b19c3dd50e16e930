"""What people read in Slack about a gate, word for word, and what they can press."""

from typing import Final

import msgspec
import pytest

from deployments.gatekeeper.messages.blocks import Json
from deployments.gatekeeper.messages.modals import details_modal, parse_private, reject_modal
from deployments.gatekeeper.subject import (
    APPROVE,
    DETAILS,
    REASON,
    REASON_MODAL,
    REJECT,
    Subject,
    parse_subject,
)
from deployments.gatekeeper.thread import Links
from tasks.domain.approval import Answer, Refused, Verdict
from tasks.domain.errors import BadInputError
from tasks.domain.journal import Asked, Attempted, Entry, Finished, Outcome, RollingBack
from tasks.domain.plan import Install, LeftToPeople, digest
from tasks.domain.policy import Policy, SlackApproval
from tasks.domain.rendering import InstallRequest, Overlay
from tests.builders import DIGEST, NEW, REQUESTER, RUN, after
from tests.unit.slack_cases import (
    AT_WAVE_2,
    BEGUN,
    PLAN,
    POLICY,
    ask,
    buttons,
    counted,
    decided,
    move,
    said,
    shop_plan,
    shown,
    view,
    wave,
    yes,
)

SHORT: Final = digest(PLAN)[:12]
SUBJECT: Final = Subject(cluster="prod", run=RUN, gate="start", digest=DIGEST)
ASKED: Final = (*BEGUN, Asked(gate=ask()))


# ---------------------------------------------------------------- while a gate waits


def test_the_first_gate_shows_the_whole_upgrade() -> None:
    message = said(view(*ASKED), "gate-start")

    assert message.text == (
        f"prod, gate start: May the upgrade begin? Plan {SHORT}, expires 2026-03-02 13:00 UTC"
    )
    assert (
        shown(message)
        == f"""\
# May the upgrade begin?
Install `1-29-1`, move 3 namespaces, 3 workloads and 7 pods to it in 2 waves, \
point tags `default`, `prod` to `1-29-1`, and in the end uninstall `1-28-3`.
• wave 1: `shop` (1 namespace, 2 workloads and 4 pods)
• wave 2: `pay`, `web` (2 namespaces, 1 workload and 3 pods)
*Checks*: the preflight found 1 BLOCKS, 1 WARNS, 1 INFORMS, 1 of them overridden.
*On approve* `1-29-1` is installed beside `1-28-3`, and wave 1 moves
*On reject* the run ends, and nothing is changed
*Expires* (2026-03-02 13:00 UTC): then the run ends, as on reject
*Who decides* <@U2>, <!subteam^S12>, eve; 2 approvals needed, one reject is enough; \
Ann, who asked for the run, may not approve
[Approve] [Reject…] [Details]
> Plan {SHORT} · in the terminal: `istio-canary approve run-1` · \
</runs/flow-run/f-1?tab=Artifacts|the whole plan>"""
    )


def test_a_waves_gate_shows_its_namespaces_and_what_was_verified_before() -> None:
    message = said(view(*AT_WAVE_2, links=Links()), "gate-wave-2")

    assert (
        shown(message)
        == f"""\
# May wave 2 begin?
Move 2 namespaces, 1 workload and 3 pods to `1-29-1`: their pods restart.
• `pay`: 1 workload, 3 pods
• `web`: nothing to restart
*Checks*: the preflight found 1 BLOCKS, 1 WARNS, 1 INFORMS, 1 of them overridden; \
verified since: wave 1.
*On approve* the wave moves; if it fails its checks, it goes back by itself
*On reject* the run ends, and what has moved stays on `1-29-1`; \
`istio-canary rollback run-1` takes everything back
*Expires* (2026-03-02 13:00 UTC): then the run ends, as on reject
*Who decides* <@U2>, <!subteam^S12>, eve; 2 approvals needed, one reject is enough; \
Ann, who asked for the run, may not approve
[Approve] [Reject…] [Details]
> Plan {SHORT} · in the terminal: `istio-canary approve run-1`"""
    )


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        pytest.param(
            "default",
            [
                "# May the default revision move?",
                (
                    "Point tags `default`, `prod` to `1-29-1`. Nothing restarts. New pods that "
                    "follow them get `1-29-1`, and namespaces get the labels back that they had, "
                    "where these now mean the same."
                ),
                "• tag `default`: from `1-28-3` to `1-29-1`",
                "• tag `prod`: from `1-28-3` to `1-29-1`",
            ],
            id="default",
        ),
        pytest.param(
            "uninstall",
            [
                "# May the old revision be uninstalled?",
                (
                    "Uninstall revision `1-28-3` (Istio 1.28.3): its istiod and its webhooks go, "
                    "and what they were installed with. Nothing uses it any more."
                ),
            ],
            id="uninstall",
        ),
    ],
)
def test_the_last_gates_show_what_moves_and_what_goes(gate: str, expected: list[str]) -> None:
    message = said(view(*BEGUN, Asked(gate=ask(gate))), f"gate-{gate}")
    assert shown(message).splitlines()[: len(expected)] == expected


def test_the_uninstalls_gate_says_that_there_is_no_way_back() -> None:
    message = said(view(*BEGUN, Asked(gate=ask("uninstall"))), "gate-uninstall")
    assert "*On approve* `1-28-3` is uninstalled, and *there is no way back" in shown(message)


def test_five_hundred_namespaces_are_shown_in_part_with_a_link_to_the_rest() -> None:
    big = shop_plan(waves=(wave(1), wave(2, *(move(f"team-{n}", "api") for n in range(500)))))
    asked = ask("wave-2", digest=digest(big))
    lines = shown(said(view(*BEGUN, Asked(gate=asked), plan=big), "gate-wave-2")).splitlines()

    assert lines[1].startswith("Move 500 namespaces, 500 workloads and 1,000 pods")
    assert lines[2] == "• `team-0`: 1 workload, 2 pods"
    assert lines[22] == (
        "and 480 more; all of them are in </runs/flow-run/f-1?tab=Artifacts|the artifact “plan”>"
    )


def test_an_incomplete_quorum_says_who_has_approved_and_what_did_not_count() -> None:
    strangers = (Refused(key="1", why="is by kubernetes:mallory, who is not an approver"),)
    seen = view(*ASKED, tally=counted(yes(), refused=strangers))
    text = shown(said(seen, "gate-start"))

    assert "*1 of 2*: <@U2>\n" in text
    assert "1 answer did not count; one is by kubernetes:mallory, who is not an approver" in text
    assert "[Approve]" in text


# ---------------------------------------------------------------- buttons


def test_a_button_says_what_it_is_about() -> None:
    pressed = buttons(said(view(*ASKED), "gate-start"))

    assert [one["action_id"] for one in pressed.values()] == [APPROVE, REJECT, DETAILS]
    for one in pressed.values():
        assert parse_subject(one["value"]) == Subject(
            cluster="prod", run=RUN, gate="start", digest=digest(PLAN)
        )


def test_slack_asks_once_more_where_the_policy_wants_it() -> None:
    pressed = buttons(said(view(*ASKED), "gate-start"))
    assert pressed["Approve"]["confirm"]["text"]["text"] == (
        f"You approve gate start of run run-1 for plan {SHORT}."
    )
    assert "confirm" not in pressed["Reject…"]


def offered(**policy: object) -> tuple[list[str], str]:
    asked = ask(policy=msgspec.structs.replace(POLICY, **policy))
    message = said(view(*BEGUN, Asked(gate=asked)), "gate-start")
    return list(buttons(message)), shown(message)


def test_one_click_is_enough_where_the_policy_says_so() -> None:
    asked = ask(policy=msgspec.structs.replace(POLICY, slack_approve=SlackApproval.ALLOW))
    pressed = buttons(said(view(*BEGUN, Asked(gate=asked)), "gate-start"))
    assert "confirm" not in pressed["Approve"]


def test_where_slack_may_not_approve_people_are_shown_the_terminals_way_and_may_reject() -> None:
    pressed, text = offered(slack_approve=SlackApproval.NEVER)
    assert pressed == ["Reject…", "Details"]
    assert (
        "The policy lets nobody approve in Slack: approve with `istio-canary approve run-1` in the terminal."
    ) in text


def test_without_approvers_slack_only_shows() -> None:
    pressed, text = offered(approvers=(), quorum=1)
    assert pressed == ["Details"]
    assert "*Who decides* whoever can sign, in the terminal; one approval needed" in text
    assert "approve with `istio-canary approve run-1` in the terminal" in text


def test_the_terminal_is_not_named_where_it_may_not_vote() -> None:
    _, text = offered(terminal_votes=False)
    assert "istio-canary approve" not in text
    _, text = offered(terminal_votes=False, slack_approve=SlackApproval.NEVER)
    assert "so nobody can approve this" in text


def test_nothing_can_be_approved_beside_another_plan_than_the_one_that_was_asked_about() -> None:
    changed = shop_plan(new_version="1.29.0")
    for plan, why in ((changed, "is not the one that this gate is about"), (None, "read just now")):
        message = said(view(*ASKED, plan=plan), "gate-start")
        assert list(buttons(message)) == ["Reject…", "Details"]
        assert why in shown(message)
        assert "Install" not in shown(message)


def test_a_name_that_no_button_can_carry_back_gets_none() -> None:
    message = said(view(*ASKED, cluster="Prod Cluster"), "gate-start")
    assert not buttons(message)
    assert "in the terminal: `istio-canary approve run-1`" in shown(message)


# ---------------------------------------------------------------- afterwards


def test_after_the_decision_who_when_and_why_stay_and_the_buttons_go() -> None:
    votes = (yes(reason="looks *good*"), yes("kubernetes:eve", "terminal"))
    message = said(view(*ASKED, decided("start", *votes)), "gate-start")

    assert message.text == "prod, gate start: approved by Bob, eve"
    assert shown(message).splitlines()[5:] == [
        "*Approved* by",
        "• <@U2>, (2026-03-02 12:01 UTC): looks ∗good∗",  # noqa: RUF001 - what stands for a star
        "• eve from the terminal, (2026-03-02 12:01 UTC)",
        f"> Plan {SHORT} · </runs/flow-run/f-1?tab=Artifacts|the whole plan>",
    ]


def test_a_rejection_shows_its_reason() -> None:
    no = yes("kubernetes:eve", "terminal", answer=Answer.REJECT, reason="not on a\nFriday")
    message = said(view(*ASKED, decided("start", no, verdict="rejected")), "gate-start")

    assert message.text == "prod, gate start: rejected by eve"
    assert "*Rejected* by\n• eve from the terminal, (2026-03-02 12:01 UTC): not on a Friday" in (
        shown(message)
    )


def test_votes_that_decide_end_the_question_before_the_run_has_counted_them() -> None:
    both = (yes(), yes("kubernetes:eve", "terminal"))
    seen = view(*ASKED, tally=counted(*both, verdict=Verdict.APPROVED))
    message = said(seen, "gate-start")
    assert not buttons(message)
    assert "*Approved* by\n• <@U2>," in shown(message)
    assert "The run goes on in a moment." in shown(message)

    no = yes(answer=Answer.REJECT, reason="no")
    seen = view(*ASKED, tally=counted(yes(), verdict=Verdict.REJECTED, rejection=no))
    message = said(seen, "gate-start")
    assert message.text == "prod, gate start: rejected by Bob"
    assert "The run ends in a moment." in shown(message)


def test_an_expired_gate_takes_no_click_any_more() -> None:
    late = {"now": after(3600)}
    unread = said(view(*ASKED, **late), "gate-start")
    assert not buttons(unread)
    assert "*Expired* (2026-03-02 13:00 UTC): nothing is taken any more" in shown(unread)
    assert unread.text == "prod, gate start: expired 2026-03-02 13:00 UTC"

    read = said(view(*ASKED, tally=counted(verdict=Verdict.EXPIRED), **late), "gate-start")
    assert "*Expired* (2026-03-02 13:00 UTC), without a decision" in shown(read)
    assert read.text == "prod, gate start: expired"


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param(
            (Finished(at=after(30), outcome=Outcome.ABORTED, text="aborted"),), id="it ended"
        ),
        pytest.param(
            (
                Attempted(at=after(30), flow_run="f-2", flow="rollback"),
                RollingBack(at=after(31), requester=REQUESTER),
            ),
            id="it is being undone",
        ),
    ],
)
def test_a_gate_that_nobody_can_decide_any_more_has_no_buttons(
    entries: tuple[Entry, ...],
) -> None:
    message = said(view(*ASKED, *entries), "gate-start")
    assert not buttons(message)
    assert "*Not decided*" in shown(message)
    assert message.text == "prod, gate start: not decided before the run ended"


# ---------------------------------------------------------------- modals


def test_a_reject_asks_for_a_reason_and_remembers_what_it_is_about() -> None:
    modal = reject_modal(SUBJECT, "C0123", "1700000000.000100")

    assert modal["callback_id"] == REASON_MODAL
    box = modal["blocks"][1]
    assert box["element"]["action_id"] == REASON
    assert box["optional"] is False
    assert parse_private(modal["private_metadata"]) == (SUBJECT, "C0123", "1700000000.000100")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("{}", id="empty"),
        pytest.param("[" * 100_000, id="brackets without end"),
        pytest.param(reject_modal(SUBJECT, "X1", "1700000000.000100"), id="no channel"),
        pytest.param(reject_modal(SUBJECT, "C0123", "now"), id="no ts"),
        pytest.param(reject_modal(SUBJECT, "C0123\n", "1700000000.000100"), id="a line more"),
        pytest.param(
            reject_modal(
                msgspec.structs.replace(SUBJECT, digest="d"), "C0123", "1700000000.000100"
            ),
            id="no digest",
        ),
    ],
)
def test_a_form_that_is_not_ours_is_bad_input(text: str | Json) -> None:
    with pytest.raises(BadInputError, match="is not one of istio-canary's"):
        parse_private(text if isinstance(text, str) else text["private_metadata"])


def rows(modal: Json) -> str:
    return "\n".join(block["text"]["text"] for block in modal["blocks"] if "text" in block)


def test_the_details_name_what_is_set_and_keep_its_value() -> None:
    request = InstallRequest(
        revision=NEW,
        overlays=(Overlay(name="prod.yaml", content="password: hunter2"),),
        sets=("values.global.token=hunter2", "profile=minimal"),
    )
    plan = shop_plan(
        install=Install(request=request, istioctl="1.29.1", manifest_sha256="a" * 64),
        left_to_people=(LeftToPeople(subject="pod/bare", why="nobody owns it", todo="restart it"),),
        settle_only=(move("old-team"),),
    )
    asked = ask(digest=digest(plan))
    text = rows(details_modal(view(*BEGUN, Asked(gate=asked), plan=plan), asked))

    assert (
        text
        == f"""\
Gate `start`, plan `{digest(plan)[:12]}`: Istio 1.28.3 (revision `1-28-3`) to 1.29.1 (revision `1-29-1`)
*Install*
• revision `1-29-1` in `istio-system`
• by istioctl 1.29.1
• manifest SHA-256 `aaaaaaaaaaaa`
• overlays: `prod.yaml`
• values set: `values.global.token`, `profile`
• tags to move: `default`, `prod`
• gates: `start`, `wave-2`, `default`, `uninstall`
*Left to people*
• `pod/bare`: nobody owns it; restart it
*Findings*: 1 BLOCKS, 1 WARNS, 1 INFORMS, 1 of them overridden
*BLOCKS* (overridden) `unknown-revision:namespace/legacy`
It names revision 1-20, which is not there.
To do: Correct its label.
*WARNS* `paused-deployment:shop/Deployment/cart`
It is paused, so its pods would not become new ones.
To do: Resume it before the upgrade.
*Wave 1*: 1 namespace
`shop`
• `Deployment/cart`: restart, 2 pods
• `Deployment/till`: restart, 2 pods
*Wave 2*: 2 namespaces
`pay`
• `Deployment/card`: restart, 3 pods
`web`: nothing to restart
*Moved by an earlier run*
`old-team`"""
    )


def test_the_details_of_a_huge_plan_end_with_where_the_rest_is() -> None:
    big = shop_plan(waves=(wave(1, *(move(f"team-{n}", "api") for n in range(500))),))
    asked = ask(digest=digest(big))
    blocks = details_modal(view(*BEGUN, Asked(gate=asked), plan=big), asked)["blocks"]

    assert len(blocks) == 100
    assert blocks[-1]["elements"][0]["text"].startswith("and more; all of them are in <")


def test_details_of_another_plan_than_the_gates_are_not_shown() -> None:
    asked = ask(digest=DIGEST, policy=Policy())
    assert rows(details_modal(view(*BEGUN, Asked(gate=asked)), asked)) == (
        "The plan of this gate could not be read just now."
    )
