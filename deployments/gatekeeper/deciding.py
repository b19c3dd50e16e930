"""
What a person's word is worth at a gate, before it is stored, and how they are told. Pure.

The run itself counts again by the same rules; this is for people to know at once.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from deployments.gatekeeper.messages.blocks import escape
from deployments.gatekeeper.messages.words import mention
from deployments.gatekeeper.subject import Subject
from tasks.domain.approval import Answer, Gate, Row, Tally, Verdict, Vote, sign, tally
from tasks.domain.journal import Decided, RunRecord
from tasks.domain.slack import Person

# A click that took longer to come here may be a replay, or from before a quarrel.
LATEST: Final = timedelta(minutes=5)


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why something does not count: a word for the metrics, and a sentence for the person."""

    kind: str
    why: str


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of one person."""

    person: Person
    groups: tuple[str, ...]  # approving ones that the person is in
    answer: Answer
    at: datetime
    reason: str = ""


def gate_to_decide(record: RunRecord, subject: Subject) -> Gate | Refusal:
    """Return the open gate that a button is about, or why there is none."""
    if record.finished is not None:
        return Refusal(
            kind="run-over", why=f"Run {record.run} is over: {escape(record.finished.text)}."
        )
    gate = record.gate(subject.gate)
    if gate is None or record.attempt_is_rollback:
        return Refusal(kind="no-gate", why=f"Run {record.run} does not ask at {subject.gate} now.")
    if gate.digest != subject.digest:
        return Refusal(
            kind="other-plan",
            why=f"This message is about plan {subject.digest[:12]}, and the run asks about plan "
            f"{gate.digest[:12]}: use the newest message.",
        )
    if (decided := record.decision(gate.name)) is not None:
        return Refusal(kind="decided", why=_decided(decided))
    return gate


def _decided(decided: Decided) -> str:
    by = _people([one.person for one in decided.votes])
    return (
        f"Gate {decided.gate} was {decided.verdict}{by} at "
        f"{decided.at.astimezone(UTC):%H:%M:%S} UTC; nothing was changed by this click."
    )


def _people(identities: Sequence[str]) -> str:
    return f" by {', '.join(map(mention, identities))}" if identities else ""


def signed_vote(gate: Gate, said: Said, *, key: bytes, now: datetime) -> Row | Refusal:
    """Return the row that records an answer, or why it would not count."""
    if abs(now - said.at) > LATEST:
        return Refusal(kind="late", why="That click came too late to be trusted: press again.")
    vote = Vote(
        run=gate.run,
        gate=gate.name,
        digest=gate.digest,
        person=said.person.identity,
        answer=said.answer,
        at=said.at,
        via="slack",
        reason=said.reason,
        groups=said.groups,
    )
    row = sign(vote, key=key)
    refused = tally(gate, [row], key=key, now=now).refused
    if refused:
        return Refusal(
            kind="not-allowed",
            why=f"Your {said.answer} does not count: it {escape(refused[0].why)}.",
        )
    return row


def already(gate: Gate, counted: Tally, said: Said) -> Refusal | None:
    """Return why an answer changes nothing: the gate is decided, or the person has said so before."""
    if counted.verdict is Verdict.REJECTED and counted.rejection is not None:
        by = _people([counted.rejection.person])
        return Refusal(kind="decided", why=f"Gate {gate.name} was rejected{by} already.")
    if said.answer is Answer.REJECT:
        return None  # a veto counts until the run has gone on
    if counted.verdict is not Verdict.WAITING:
        by = _people([one.person for one in counted.approvals])
        return Refusal(kind="decided", why=f"Gate {gate.name} is {counted.verdict}{by} already.")
    person = gate.policy.counted_as(said.person.identity)
    if any(gate.policy.counted_as(one.person) == person for one in counted.approvals):
        return Refusal(
            kind="repeated",
            why=f"Your approval is recorded already; {_missing(gate, counted)}.",
        )
    return None


def _missing(gate: Gate, counted: Tally) -> str:
    return f"{len(counted.approvals)} of {gate.policy.quorum} have approved"


def recorded(gate: Gate, counted: Tally, said: Said) -> str:
    """Say that an answer is stored, and what that makes of the gate."""
    what = f"Recorded: you {_DID[said.answer]} gate {gate.name} of run {gate.run}"
    if counted.verdict is Verdict.REJECTED and said.answer is Answer.APPROVE:
        by = _people([counted.rejection.person]) if counted.rejection else ""
        return f"{what}; but it was rejected{by}."
    if counted.verdict is Verdict.WAITING:
        return f"{what}; {_missing(gate, counted)}."
    return f"{what}; the run {'goes on' if counted.verdict is Verdict.APPROVED else 'ends there'}."


_DID: Final = {Answer.APPROVE: "approved", Answer.REJECT: "rejected"}


def not_recorded(run: str, answer: Answer) -> str:
    """Say that nobody can tell whether an answer was stored."""
    return f"Not recorded: press again, or run `istio-canary {answer} {run}` in a terminal."
