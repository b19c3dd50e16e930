"""Policies: who may decide, by which identity, and which policies could never be satisfied."""

from datetime import timedelta
from typing import Final

import pytest

from tasks.domain.approval import Answer, Tally, Verdict, Vote, controls, tally
from tasks.domain.errors import BadInputError
from tasks.domain.parameters import Gates
from tasks.domain.policy import GateName, Person, Policy, SlackApproval, check_policy
from tests.builders import KEY, NOW, REQUESTER, RUN, after, control, gate, signed, vote

ANN, BOB, EVE = "kubernetes:ann", "kubernetes:bob", "kubernetes:eve"
ANN_IN_SLACK, BOB_IN_SLACK = "slack:T1/U1", "slack:T1/U2"
ADMINS: Final = "slack-group:T1/S1"
PEOPLE: Final = (
    Person(name="Ann", identities=(ANN, ANN_IN_SLACK)),
    Person(name="Bob", identities=(BOB, BOB_IN_SLACK)),
)
SOON = after(120)


def count(policy: Policy, *votes: Vote, requester: str = REQUESTER) -> Tally:
    return tally(gate(policy=policy, requester=requester), signed(*votes), key=KEY, now=SOON)


def whys(result: Tally) -> list[str]:
    return [refused.why for refused in result.refused]


def clicked(person: str, answer: Answer = Answer.APPROVE, *groups: str) -> Vote:
    return vote(person, answer, via="slack", groups=groups)


# ---------------------------------------------------------------- Slack


def test_a_click_counts_of_nobody_where_the_policy_names_no_approvers() -> None:
    result = count(Policy(), clicked(BOB_IN_SLACK), clicked(BOB_IN_SLACK, Answer.REJECT))
    assert result.verdict is Verdict.WAITING
    assert whys(result) == ["came from Slack, and the policy names no approvers"] * 2


def test_one_of_an_approving_group_may_approve() -> None:
    assert (
        count(Policy(approvers=(ADMINS,)), clicked(BOB_IN_SLACK, Answer.APPROVE, ADMINS)).verdict
        is Verdict.APPROVED
    )


@pytest.mark.parametrize("groups", [(), ("slack-group:T1/S2",), ("slack-group:T2/S1",)])
def test_one_of_no_approving_group_may_not(groups: tuple[str, ...]) -> None:
    result = count(Policy(approvers=(ADMINS,)), clicked(BOB_IN_SLACK, Answer.APPROVE, *groups))
    assert whys(result) == [f"is by {BOB_IN_SLACK}, who is not an approver"]


def test_a_group_does_not_vote_itself() -> None:
    result = count(Policy(approvers=(ADMINS,)), clicked(ADMINS))
    assert whys(result) == [f"is by {ADMINS}, who is not an approver"]


def test_where_nobody_may_approve_in_slack_a_click_still_rejects() -> None:
    policy = Policy(approvers=(BOB_IN_SLACK,), slack_approve=SlackApproval.NEVER)
    assert whys(count(policy, clicked(BOB_IN_SLACK))) == [
        "came from Slack, where the policy lets nobody approve"
    ]
    assert count(policy, clicked(BOB_IN_SLACK, Answer.REJECT)).verdict is Verdict.REJECTED


def test_a_person_approves_once_in_slack_and_in_the_terminal() -> None:
    policy = Policy(approvers=("Ann", "Bob"), people=PEOPLE, quorum=2)
    assert count(policy, clicked(BOB_IN_SLACK), vote(BOB)).verdict is Verdict.WAITING
    assert count(policy, clicked(BOB_IN_SLACK), vote(ANN)).verdict is Verdict.APPROVED


@pytest.mark.parametrize(
    ("said", "policy", "is_heard"),
    [
        pytest.param(control(person=BOB_IN_SLACK, via="slack"), Policy(), False, id="no approvers"),
        pytest.param(
            control(person=BOB_IN_SLACK, via="slack"),
            Policy(approvers=(BOB_IN_SLACK,)),
            True,
            id="by name",
        ),
        pytest.param(
            control(person=BOB_IN_SLACK, via="slack", groups=(ADMINS,)),
            Policy(approvers=(ADMINS,)),
            True,
            id="by group",
        ),
        pytest.param(
            control(person=BOB_IN_SLACK, via="slack"),
            Policy(approvers=(ADMINS,)),
            False,
            id="of no group",
        ),
    ],
)
def test_who_may_hold_a_run_in_slack(said: Vote, policy: Policy, is_heard: bool) -> None:
    assert bool(controls(signed(said), run=RUN, key=KEY, policy=policy)) is is_heard


# ---------------------------------------------------------------- the requester


def test_a_requester_who_could_be_the_one_who_clicked_is_not_told_apart_by_hope() -> None:
    policy = Policy(approvers=(ADMINS,), requester_may_approve=False)
    result = count(policy, clicked(BOB_IN_SLACK, Answer.APPROVE, ADMINS), requester=EVE)
    assert whys(result) == [
        f"is by {BOB_IN_SLACK}, who may be {EVE}, who asked for the run: the people table does not say"
    ]


@pytest.mark.parametrize(
    ("requester", "voter"),
    [
        pytest.param(ANN, "slack:T1/U9", id="the requester's identity in Slack is known"),
        pytest.param("slack:T1/U9", BOB, id="the voter's identity in Slack is known"),
        pytest.param("slack:T1/U9", "slack:T1/U8", id="both are in Slack"),
        pytest.param("prefect", BOB_IN_SLACK, id="nobody asked: a schedule did"),
    ],
)
def test_a_requester_who_is_somebody_else_hides_behind_nobody(requester: str, voter: str) -> None:
    assert not Policy(people=PEOPLE).hides(requester, voter)


def test_a_policy_that_could_not_tell_the_requester_apart_is_refused_before_the_run() -> None:
    policy = Policy(approvers=(ADMINS,), requester_may_approve=False)
    check_policy(policy)
    check_policy(policy, requester="prefect")
    with pytest.raises(
        BadInputError, match=r"name the slack: identity of kubernetes:eve in gates\.people"
    ):
        check_policy(policy, requester=EVE)


# ---------------------------------------------------------------- time


def test_an_approval_that_lay_uncounted_too_long_has_to_be_given_again() -> None:
    asked = gate(policy=Policy(approval_valid_seconds=3600), expires_at=after(100_000))
    rows = signed(vote(BOB, at=NOW), vote(EVE, at=after(3000)))

    early = tally(asked, rows, key=KEY, now=after(3600))
    late = tally(asked, rows, key=KEY, now=after(3601))

    assert {one.person for one in early.approvals} == {BOB, EVE}
    assert {one.person for one in late.approvals} == {EVE}
    assert whys(late) == [
        f"was given more than {timedelta(hours=1)} ago, and what it approved may look different now"
    ]


def test_a_reject_never_goes_stale() -> None:
    asked = gate(policy=Policy(approval_valid_seconds=60), expires_at=after(100_000))
    rows = signed(vote(BOB, Answer.REJECT, at=NOW))
    assert tally(asked, rows, key=KEY, now=after(90_000)).verdict is Verdict.REJECTED


# ---------------------------------------------------------------- one gate's own


def test_a_gate_may_be_decided_otherwise_than_the_others() -> None:
    gates = Gates.model_validate(
        {
            "approvers": [BOB, EVE],
            "each": {
                "uninstall": {"quorum": 2, "expiry_seconds": 60},
                "wave": {"slack_approve": "allow"},
            },
        }
    )

    assert gates.policy("start") == gates.policy()
    assert gates.policy("uninstall").quorum == 2
    assert gates.policy("uninstall").approvers == (BOB, EVE)
    assert gates.deciding("uninstall").expiry_seconds == 60
    assert gates.policy("wave-3").slack_approve is SlackApproval.ALLOW
    assert gates.policy("wave-3").quorum == 1


def test_approvers_that_a_form_left_empty_are_those_of_the_other_gates() -> None:
    gates = Gates.model_validate(
        {"approvers": [BOB], "each": {"uninstall": {"approvers": []}, "wave": {"approvers": [EVE]}}}
    )
    assert gates.policy("uninstall").approvers == (BOB,)
    assert gates.policy("wave-2").approvers == (EVE,)


# ---------------------------------------------------------------- one person, two workspaces


def test_a_person_of_two_workspaces_counts_once() -> None:
    policy = Policy(approvers=(ADMINS, "slack-group:T2/S2"), quorum=2)
    here = clicked("slack:T1/U7", Answer.APPROVE, ADMINS)
    there = clicked("slack:T2/U7", Answer.APPROVE, "slack-group:T2/S2")
    assert count(policy, here, there).verdict is Verdict.WAITING


@pytest.mark.parametrize("requester", [ANN, ANN_IN_SLACK])
def test_who_asked_for_the_run_may_not_approve_it_from_another_workspace(requester: str) -> None:
    policy = Policy(approvers=("slack-group:T2/S2",), people=PEOPLE, requester_may_approve=False)
    there = clicked("slack:T2/U1", Answer.APPROVE, "slack-group:T2/S2")
    assert whys(count(policy, there, requester=requester)) == [
        "is by slack:T2/U1, who asked for the run"
    ]


def test_who_is_in_the_table_is_found_by_their_id_in_another_workspace() -> None:
    assert Policy(people=PEOPLE).counted_as("slack:T2/U2") == "Bob"


def test_another_workspace_makes_nobody_an_approver() -> None:
    policy = Policy(approvers=("Ann",), people=PEOPLE)
    assert whys(count(policy, clicked("slack:T2/U1"))) == [
        "is by slack:T2/U1, who is not an approver"
    ]


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(Policy(), id="the default"),
        pytest.param(Policy(quorum=5), id="any five who can sign"),
        pytest.param(Policy(quorum=2, approvers=("Ann", "Bob"), people=PEOPLE), id="both"),
        pytest.param(Policy(approvers=(EVE,), people=PEOPLE), id="an identity in no table"),
        pytest.param(
            Policy(quorum=2, approvers=(ADMINS, BOB), people=PEOPLE), id="two kinds, told apart"
        ),
        pytest.param(
            Policy(quorum=2, approvers=(ADMINS, EVE), terminal_votes=False),
            id="two kinds, of which one has no vote",
        ),
        pytest.param(
            Policy(approvers=("Ann", "Bob"), people=PEOPLE, requester_may_approve=False),
            id="one other than the requester",
        ),
    ],
)
def test_a_policy_that_can_be_satisfied_is_taken(policy: Policy) -> None:
    check_policy(policy)
    check_policy(policy, requester=REQUESTER)


@pytest.mark.parametrize(
    ("policy", "text"),
    [
        pytest.param(Policy(quorum=0), "a quorum is at least 1, not 0", id="nobody decides"),
        pytest.param(
            Policy(quorum=2, approvers=(BOB,)),
            "a quorum of 2 cannot be reached: 1 people",
            id="too few approvers",
        ),
        pytest.param(
            Policy(quorum=2, approvers=(BOB, BOB)),
            "a quorum of 2 cannot be reached",
            id="the same approver twice",
        ),
        pytest.param(
            Policy(quorum=2, approvers=("Bob", BOB_IN_SLACK), people=PEOPLE),
            "a quorum of 2 cannot be reached",
            id="one person under two names",
        ),
        pytest.param(
            Policy(quorum=2, approvers=(ADMINS, EVE), people=PEOPLE),
            "may be one of those who vote by kubernetes: too",
            id="perhaps one person in Slack and in the terminal",
        ),
        pytest.param(
            Policy(approvers=("Bop",), people=PEOPLE),
            "'Bop' is neither in the people table nor an identity",
            id="an approver who does not exist",
        ),
        pytest.param(
            Policy(people=(Person(name="Bob", identities=("bob",)),)),
            "'bob' of Bob must start with kubernetes: or slack:",
            id="an identity of no kind",
        ),
        pytest.param(
            Policy(people=(*PEOPLE, Person(name="Eve", identities=(BOB,)))),
            "kubernetes:bob belongs to both Bob and Eve",
            id="one identity of two people",
        ),
        pytest.param(
            Policy(people=(Person(name=ANN, identities=(EVE,)),)),
            "'kubernetes:ann' is named like an identity",
            id="a person who poses as another's identity",
        ),
        pytest.param(
            Policy(people=(Person(name=ADMINS, identities=(EVE,)),)),
            "is named like an identity",
            id="a person who poses as a group",
        ),
        pytest.param(
            Policy(people=(Person(name="Bob", identities=()),)),
            "'Bob' has no identity",
            id="a person without identities",
        ),
    ],
)
def test_a_policy_is_refused(policy: Policy, text: str) -> None:
    with pytest.raises(BadInputError, match=text):
        check_policy(policy)


def test_a_policy_whose_only_approver_is_an_excluded_requester_is_refused() -> None:
    policy = Policy(approvers=("Ann",), people=PEOPLE, requester_may_approve=False)
    check_policy(policy)
    check_policy(policy, requester=BOB)
    with pytest.raises(BadInputError, match="0 people may approve"):
        check_policy(policy, requester="slack:T1/U1")


def test_gates_are_named_as_the_command_line_names_them() -> None:
    assert [str(name) for name in GateName] == ["start", "wave", "default", "uninstall"]
