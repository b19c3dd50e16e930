"""
A gate's message: what is asked, who may answer and until when; and afterwards who answered what.

It is offered to approve only where that can count, and only beside the very plan that is asked about.
"""

import enum
from collections.abc import Sequence
from typing import Final

from deployments.gatekeeper.messages import blocks, words
from deployments.gatekeeper.messages.blocks import Json, escape
from deployments.gatekeeper.messages.questions import Question, checks, question, title
from deployments.gatekeeper.subject import (
    APPROVE,
    DETAILS,
    LONGEST_REASON,
    REJECT,
    Subject,
    parse_subject,
)
from deployments.gatekeeper.view import RunView
from tasks.domain.approval import Gate, Tally, Verdict, Vote
from tasks.domain.errors import BadInputError
from tasks.domain.journal import Decided
from tasks.domain.policy import Policy, SlackApproval
from tasks.domain.slack import Message

_MOST_PEOPLE: Final = 20
_MOST_VOTES: Final = 10
_SHORT_REASON: Final = 150  # where there are several


class Stage(enum.Enum):
    """How far a gate is."""

    OPEN = "waits for people"
    COUNTED = "decided by its votes, which the run has not counted yet"
    DECIDED = "decided, in the journal"
    CLOSED = "left open by a run that ended or is being undone"


def stage(gate: Gate, view: RunView) -> Stage:
    """Return how far a gate is. One past its expiry takes no answer any more."""
    if view.record.decision(gate.name) is not None:
        return Stage.DECIDED
    if view.open_gate is None or view.open_gate.name != gate.name:
        return Stage.CLOSED
    if view.now >= gate.expires_at or verdict(view) is not Verdict.WAITING:
        return Stage.COUNTED
    return Stage.OPEN


def verdict(view: RunView) -> Verdict:
    """Return what the open gate's votes add up to; waiting where they could not be read."""
    return view.tally.verdict if view.tally is not None else Verdict.WAITING


def gate_message(gate: Gate, view: RunView) -> Message:
    """Return a gate's message as it should stand in the thread now."""
    plan, now = view.plan_of(gate), stage(gate, view)
    asked = question(gate.name, plan, view) if plan is not None else None
    shown = [blocks.header(title(gate.name))]
    if asked is not None and plan is not None:
        shown.append(blocks.section(asked.what))
        if asked.details:
            shown.append(blocks.section(asked.details))
        shown.append(blocks.section(f"*Checks*: {checks(gate.name, plan, view.record)}."))
    elif now is Stage.OPEN:
        shown.append(blocks.section(_no_plan(gate, view)))
    shown += _waiting(gate, asked, view) if now is Stage.OPEN else [_answered(gate, now, view)]
    shown.append(blocks.context(_small_print(gate, view)))
    return blocks.message(_fallback(gate, now, view), shown)


def _no_plan(gate: Gate, view: RunView) -> str:
    if view.plan is None:
        return "The plan could not be read just now, so it cannot be shown what this is about."
    return (
        f"*The recorded plan is not the one that this gate is about* "
        f"({words.short(gate.digest)}): approve nothing, and find out who changed it."
    )


# ---- while it waits


def _waiting(gate: Gate, asked: Question | None, view: RunView) -> list[Json]:
    shown = [blocks.fields(_facts(gate, asked))]
    if view.tally is not None and (remark := _so_far(gate, view.tally)):
        shown.append(blocks.section(remark))
    if buttons := _buttons(gate, view, may_approve=asked is not None):
        shown.append(blocks.actions(buttons))
    if (why := _why_no_approval(gate, view)) is not None:
        shown.append(blocks.section(why))
    return shown


def _facts(gate: Gate, asked: Question | None) -> list[tuple[str, str]]:
    told = [("On approve", asked.approve), ("On reject", asked.reject)] if asked else []
    expiry = f"{words.moment(gate.expires_at)}: then the run ends, as on reject"
    return [*told, ("Expires", expiry), ("Who decides", who_decides(gate))]


def who_decides(gate: Gate) -> str:
    """Say who may approve, how many it takes, and who may not."""
    policy = gate.policy
    people = [words.approver(one, policy) for one in policy.approvers]
    who = ", ".join(people[:_MOST_PEOPLE]) or "whoever can sign, in the terminal"
    if len(people) > _MOST_PEOPLE:
        who += f" and {len(people) - _MOST_PEOPLE} more"
    count = "one approval" if policy.quorum == 1 else f"{policy.quorum} approvals"
    told = f"{who}; {count} needed, one reject is enough"
    if not policy.requester_may_approve:
        told += f"; {words.name(gate.requester, policy)}, who asked for the run, may not approve"
    return told


def _so_far(gate: Gate, counted: Tally) -> str:
    """Return how much of the quorum there is, and what did not count."""
    told: list[str] = []
    if counted.approvals:
        people = _people(counted.approvals, gate.policy)
        told.append(f"*{len(counted.approvals)} of {gate.policy.quorum}*: {people}")
    if counted.refused:
        first = counted.refused[0]
        told.append(
            f"{words.number(len(counted.refused), 'answer')} did not count; one {escape(first.why)}"
        )
    return "\n".join(told)


def _people(votes: Sequence[Vote], policy: Policy) -> str:
    shown = ", ".join(words.mention(one.person, policy) for one in votes[:_MOST_VOTES])
    more = len(votes) - _MOST_VOTES
    return f"{shown} and {more} more" if more > 0 else shown


def _buttons(gate: Gate, view: RunView, *, may_approve: bool) -> list[Json]:
    """Return the buttons that this gate may have; none if a click could not be read back."""
    value = Subject(
        cluster=view.cluster, run=gate.run, gate=gate.name, digest=gate.digest
    ).encoded()
    if not _is_readable(value):
        return []
    made: list[Json] = []
    if may_approve and _is_approved_in_slack(gate.policy):
        made.append(_approve(gate, value))
    if gate.policy.approvers:
        made.append(blocks.button("Reject…", action=REJECT, value=value, style="danger"))
    made.append(blocks.button("Details", action=DETAILS, value=value))
    return made


def _is_readable(value: str) -> bool:
    try:
        parse_subject(value)
    except BadInputError:
        return False
    return len(value) <= blocks.LONGEST_VALUE


def _approve(gate: Gate, value: str) -> Json:
    confirm = None
    if gate.policy.slack_approve is SlackApproval.CONFIRM:
        confirm = blocks.confirmation(
            title(gate.name),
            f"You approve gate {gate.name} of run {gate.run} for plan {words.short(gate.digest)}.",
            yes="Approve",
            no="Not yet",
        )
    return blocks.button("Approve", action=APPROVE, value=value, style="primary", confirm=confirm)


def _is_approved_in_slack(policy: Policy) -> bool:
    return bool(policy.approvers) and policy.slack_approve is not SlackApproval.NEVER


def _why_no_approval(gate: Gate, view: RunView) -> str | None:
    """Say how to approve where Slack cannot be the place, None where it can."""
    how = f"approve with {words.command(view, 'approve')} in the terminal"
    if not gate.policy.terminal_votes:
        how = "nor does it take answers from the terminal, so nobody can approve this"
    if not gate.policy.approvers:
        return f"The policy names no approvers, so nobody can decide in Slack: {how}."
    if not _is_approved_in_slack(gate.policy):
        return f"The policy lets nobody approve in Slack: {how}."
    return None


def _small_print(gate: Gate, view: RunView) -> str:
    told = [f"Plan {words.short(gate.digest)}"]
    if stage(gate, view) is Stage.OPEN and gate.policy.terminal_votes:
        told.append(f"in the terminal: {words.command(view, 'approve')}")
    if link := words.flow_run_link(view, "the whole plan", first=True, tab="Artifacts"):
        told.append(link)
    return " · ".join(told)


# ---- afterwards


def _answered(gate: Gate, now: Stage, view: RunView) -> Json:
    if now is Stage.CLOSED:
        return blocks.section("*Not decided*: the run ended, or is being undone, before that.")
    answer = _answer(gate, view)
    if answer is None:
        return blocks.section(
            f"*Expired* {words.moment(gate.expires_at)}: nothing is taken any more, and what was "
            "answered before that is counted in a moment."
        )
    told = _told(answer, gate.policy)
    if now is Stage.COUNTED:
        then = "goes on" if answer.verdict == Verdict.APPROVED else "ends"
        told = f"{told}\nThe run {then} in a moment."
    return blocks.section(told)


def _answer(gate: Gate, view: RunView) -> Decided | None:
    """Return the decision, or what it is about to be; None if that is not known."""
    if (decided := view.record.decision(gate.name)) is not None:
        return decided
    counted = view.tally
    if counted is None or counted.verdict is Verdict.WAITING:
        return None
    votes = (counted.rejection,) if counted.rejection is not None else counted.approvals
    return Decided(at=gate.expires_at, gate=gate.name, verdict=counted.verdict, votes=votes)


def _told(answer: Decided, policy: Policy) -> str:
    """Return who answered what, when and why; this stays for good."""
    how, votes = escape(answer.verdict.capitalize()), answer.votes
    if answer.verdict == Verdict.EXPIRED or not votes:
        told = [f"*{how}* {words.moment(answer.at)}, without a decision"]
    else:
        told = [f"*{how}* by"]
    longest = LONGEST_REASON if len(votes) == 1 else _SHORT_REASON
    told += [_vote(one, policy, longest) for one in votes[:_MOST_VOTES]]
    if len(votes) > _MOST_VOTES:
        told.append(f"and {len(votes) - _MOST_VOTES} more")
    return "\n".join(told)


def _vote(vote: Vote, policy: Policy, longest: int) -> str:
    where = " from the terminal" if vote.via == "terminal" else ""
    told = f"• {words.mention(vote.person, policy)}{where}, {words.moment(vote.at)}"
    reason = escape(vote.reason, longest)
    return f"{told}: {reason}" if reason else told


def _fallback(gate: Gate, now: Stage, view: RunView) -> str:
    """Return the whole in a sentence without markup, for notifications and screen readers."""
    start = f"{escape(view.cluster)}, gate {escape(gate.name)}: "
    if now is Stage.OPEN:
        return (
            f"{start}{escape(title(gate.name))} Plan "
            f"{words.short(gate.digest)}, expires {words.in_utc(gate.expires_at)}"
        )
    if now is Stage.CLOSED:
        return f"{start}not decided before the run ended"
    answer = _answer(gate, view)
    if answer is None:
        return f"{start}expired {words.in_utc(gate.expires_at)}"
    return f"{start}{escape(answer.verdict)}{_by(gate, answer.votes)}"


def _by(gate: Gate, votes: Sequence[Vote]) -> str:
    names = ", ".join(words.name(one.person, gate.policy) for one in votes[:_MOST_VOTES])
    return f" by {names}" if names else ""


# ---- reminders


def reminder(gate: Gate, view: RunView) -> Message:
    """Return a call to those who may approve and have not yet."""
    policy = gate.policy
    given = view.tally.approvals if view.tally is not None else ()
    done = {policy.person(one.person) for one in given}
    if not policy.requester_may_approve:
        done.add(policy.person(gate.requester))
    called = [
        words.approver(one, policy) for one in policy.approvers if policy.person(one) not in done
    ]
    who = ", ".join(called[:_MOST_PEOPLE])
    asked = f"gate {escape(gate.name)} of {escape(view.cluster)} still waits"
    told = f"{asked}, and expires {words.moment(gate.expires_at)}."
    text = f"{who}: {told}" if who else f"{told[0].upper()}{told[1:]}"
    fallback = f"{asked[0].upper()}{asked[1:]}, and expires {words.in_utc(gate.expires_at)}"
    return blocks.message(fallback, [blocks.section(text)])
