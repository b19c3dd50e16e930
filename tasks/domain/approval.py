"""
Gates: who may decide, how signed votes are counted, and what they add up to.

A vote is a row that anybody who reaches Prefect's API can write. So nothing in a row is believed
before its signature is verified, and an invalid row can neither decide nor stand in the way of a
valid one.
"""

import enum
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Final, TypeAlias

import msgspec

from tasks.domain.errors import BadInputError
from tasks.domain.policy import Policy, SlackApproval


class Answer(enum.StrEnum):
    """What a person can say to a gate, or to the run as a whole."""

    APPROVE = "approve"
    REJECT = "reject"
    HOLD = "hold"
    RESUME = "resume"
    ABORT = "abort"


# One without a zone compares with nothing.
Moment: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]

VOTES: Final = frozenset({Answer.APPROVE, Answer.REJECT})

# Shorter ones can be guessed; an empty one would let anybody sign.
_MIN_KEY: Final = 16


class Verdict(enum.StrEnum):
    """What the votes add up to."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """A question as it was asked: what a vote has to be about."""

    run: str
    name: str
    digest: str  # of the plan
    asked_at: Moment
    expires_at: Moment
    requester: str
    policy: Policy = Policy()
    key: str = ""  # fingerprint of the one that votes are verified with; empty: not recorded


class Vote(msgspec.Struct, frozen=True, kw_only=True):
    """One person's answer. For hold, resume and abort `gate` is empty."""

    run: str
    gate: str
    digest: str
    person: str  # an identity
    answer: Answer
    at: Moment
    via: str = "terminal"
    reason: str = ""
    groups: tuple[str, ...] = ()  # approving Slack groups that the person was in, as the signer saw


class SignedVote(msgspec.Struct, frozen=True, kw_only=True):
    """A vote and its HMAC-SHA-256, hexadecimal, over the vote's canonical JSON."""

    vote: Vote
    signature: str


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One flow-run input as Prefect keeps it; the value may be anything at all."""

    key: str
    value: str


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """A row that did not count, and why."""

    key: str
    why: str


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate's rows add up to."""

    verdict: Verdict
    approvals: tuple[Vote, ...] = ()
    rejection: Vote | None = None
    refused: tuple[Refused, ...] = ()


def sign(vote: Vote, *, key: bytes) -> Row:
    """Return the row that records a vote. Raises BadInputError for a key under 16 bytes."""
    signed = SignedVote(vote=vote, signature=_signature(vote, key))
    value = msgspec.json.encode(signed, order="sorted").decode()
    prefix = f"vote-{vote.gate}" if vote.gate else f"control-{vote.answer}"
    return Row(key=f"{prefix}-{hashlib.sha256(value.encode()).hexdigest()[:24]}", value=value)


def _signature(vote: Vote, key: bytes) -> str:
    if len(key) < _MIN_KEY:
        raise BadInputError(
            f"the signing key has {len(key)} bytes, and {_MIN_KEY} are the least; make one with 32 "
            "random bytes"
        )
    return hmac.new(key, msgspec.json.encode(vote, order="sorted"), hashlib.sha256).hexdigest()


def fingerprint(key: bytes) -> str:
    """Return what tells one key from another and gives neither away."""
    return hmac.new(key, b"istio-canary signing key", hashlib.sha256).hexdigest()[:16]


def verified(row: Row, *, key: bytes) -> Vote | Refused:
    """
    Return the vote in a row if its signature holds, else why it does not count.

    Raises BadInputError for a key under 16 bytes, never for anything that a row holds.
    """
    try:
        signed = msgspec.json.decode(row.value, type=SignedVote)
    except (msgspec.DecodeError, UnicodeError, RecursionError):  # the last: brackets without end
        return Refused(key=row.key, why="is not a signed vote")
    expected = _signature(signed.vote, key)
    if not hmac.compare_digest(expected.encode(), signed.signature.encode()):
        return Refused(key=row.key, why="has a signature that does not hold")
    return signed.vote


def tally(gate: Gate, rows: Sequence[Row], *, key: bytes, now: datetime) -> Tally:
    """
    Count a gate's rows under its policy; their order does not matter.

    One person counts once, a valid reject always counts, and an answer given after the gate expired
    is none; nor is an approval that nobody has counted for so long that the mesh may be another one
    by now. Valid rows about something else of the same run are passed over in silence.
    """
    votes, refused = _sorted_out(gate, rows, key, now)
    rejections = [vote for vote in votes if vote.answer is Answer.REJECT]
    approvals: dict[str, Vote] = {}
    for vote in votes:
        if vote.answer is Answer.APPROVE:
            approvals.setdefault(gate.policy.counted_as(vote.person), vote)
    return Tally(
        verdict=_verdict(gate, approvals=len(approvals), rejections=len(rejections), now=now),
        approvals=tuple(approvals.values()),
        rejection=rejections[0] if rejections else None,
        refused=refused,
    )


def _sorted_out(
    gate: Gate, rows: Sequence[Row], key: bytes, now: datetime
) -> tuple[list[Vote], tuple[Refused, ...]]:
    """Return the votes that count, oldest first, and the rows that do not."""
    votes: list[Vote] = []
    refused: list[Refused] = []
    for row in rows:
        vote = verified(row, key=key)
        if isinstance(vote, Refused):
            refused.append(vote)
        elif vote.run == gate.run and vote.gate != gate.name:
            continue  # an earlier gate's vote, or a hold: all of a run's rows are in one list
        elif why := _objection(vote, gate) or _staleness(vote, gate, now):
            refused.append(Refused(key=row.key, why=why))
        else:
            votes.append(vote)
    return sorted(votes, key=_order), tuple(sorted(refused, key=_refusal_order))


def _order(vote: Vote) -> tuple[datetime, str, str, str, str]:
    return vote.at, vote.person, vote.answer, vote.via, vote.reason


def _refusal_order(refused: Refused) -> tuple[str, str]:
    return refused.key, refused.why


def _verdict(gate: Gate, *, approvals: int, rejections: int, now: datetime) -> Verdict:
    if rejections:
        return Verdict.REJECTED
    if approvals >= gate.policy.quorum:
        return Verdict.APPROVED
    return Verdict.EXPIRED if now >= gate.expires_at else Verdict.WAITING


def _objection(vote: Vote, gate: Gate) -> str | None:
    """Say why a correctly signed vote does not count for this gate, None if it does."""
    if vote.run != gate.run:
        return f"is for gate {vote.gate!r} of run {vote.run!r}"
    if vote.digest != gate.digest:
        return "is for another plan"
    if vote.answer not in VOTES:
        return f"says {vote.answer}, which no gate takes"
    if vote.at >= gate.expires_at:
        return "came after the gate had expired"
    if vote.via == "terminal" and not gate.policy.terminal_votes:
        return "came from a terminal, which the policy forbids"
    return _wrong_person(vote, gate)


def _staleness(vote: Vote, gate: Gate, now: datetime) -> str | None:
    age = timedelta(seconds=gate.policy.approval_valid_seconds)
    if vote.answer is Answer.APPROVE and now - vote.at > age:
        return f"was given more than {age} ago, and what it approved may look different now"
    return None


def _wrong_person(vote: Vote, gate: Gate) -> str | None:
    policy = gate.policy
    if vote.via == "slack" and not policy.approvers:
        return "came from Slack, and the policy names no approvers"
    if not policy.may_vote(vote.person, vote.groups):
        return f"is by {vote.person}, who is not an approver"
    return _not_allowed_to_approve(vote, gate) if vote.answer is Answer.APPROVE else None


def _not_allowed_to_approve(vote: Vote, gate: Gate) -> str | None:
    policy = gate.policy
    if vote.via == "slack" and policy.slack_approve is SlackApproval.NEVER:
        return "came from Slack, where the policy lets nobody approve"
    if policy.requester_may_approve:
        return None
    if policy.counted_as(vote.person) == policy.counted_as(gate.requester):
        return f"is by {vote.person}, who asked for the run"
    if policy.hides(gate.requester, vote.person):
        return (
            f"is by {vote.person}, who may be {gate.requester}, who asked for the run: the people "
            "table does not say"
        )
    return None


def controls(rows: Sequence[Row], *, run: str, key: bytes, policy: Policy) -> tuple[Vote, ...]:
    """Return the valid hold, resume and abort rows of a run, oldest first."""
    votes = [vote for row in rows if isinstance(vote := verified(row, key=key), Vote)]
    valid = [vote for vote in votes if _is_control(vote, run) and _may_control(vote, policy)]
    return tuple(sorted(valid, key=_order))


def _is_control(vote: Vote, run: str) -> bool:
    return vote.run == run and not vote.gate and vote.answer not in VOTES


def _may_control(vote: Vote, policy: Policy) -> bool:
    if vote.via == "slack" and not policy.approvers:
        return False
    return policy.may_vote(vote.person, vote.groups)


def is_held(votes: Iterable[Vote]) -> bool:
    """Whether the last word of hold and resume, by the time they were said, was hold."""
    words = [vote for vote in votes if vote.answer in {Answer.HOLD, Answer.RESUME}]
    return bool(words) and max(words, key=_order).answer is Answer.HOLD


def aborted_by(votes: Iterable[Vote]) -> Vote | None:
    """Return the first abort, None if nobody asked for one."""
    aborts = [vote for vote in votes if vote.answer is Answer.ABORT]
    return min(aborts, key=_order, default=None)
