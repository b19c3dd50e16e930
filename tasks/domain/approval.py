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
from datetime import datetime
from typing import Annotated, Final

import msgspec

from tasks.domain.errors import BadInputError


class GateName(enum.StrEnum):
    """The points at which a run can wait for people."""

    START = "start"
    WAVE = "wave"  # before every wave but the first; in a run: wave-2, wave-3, ...
    DEFAULT = "default"
    UNINSTALL = "uninstall"


class Answer(enum.StrEnum):
    """What a person can say to a gate, or to the run as a whole."""

    APPROVE = "approve"
    REJECT = "reject"
    HOLD = "hold"
    RESUME = "resume"
    ABORT = "abort"


VOTES: Final = frozenset({Answer.APPROVE, Answer.REJECT})

# What an identity begins with; nobody's name in a `people` table may look like one.
_SCHEMES: Final = ("kubernetes:", "slack:")

# Shorter ones can be guessed; an empty one would let anybody sign.
_MIN_KEY: Final = 16


class Verdict(enum.StrEnum):
    """What the votes add up to."""

    WAITING = "waiting"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with one or several identities: `kubernetes:USER` or `slack:TEAM/USER`."""

    name: str
    identities: tuple[str, ...]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How a gate is decided."""

    approvers: tuple[str, ...] = ()  # names of people, or identities; empty: whoever can sign
    quorum: int = 1
    requester_may_approve: bool = True
    terminal_votes: bool = True
    people: tuple[Person, ...] = ()

    def person(self, identity: str) -> str:
        """Return who an identity belongs to; one that is in no table is a person of its own."""
        for person in self.people:
            if identity in person.identities:
                return person.name
        return identity

    def may_vote(self, identity: str) -> bool:
        """Whether an identity is among the approvers."""
        if not self.approvers:
            return True
        # A name where an identity belongs is nobody, though the table has a person of that name.
        is_identity = identity.startswith(_SCHEMES)
        return is_identity and not {identity, self.person(identity)}.isdisjoint(self.approvers)


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """A question as it was asked: what a vote has to be about."""

    run: str
    name: str
    digest: str  # of the plan
    asked_at: datetime
    expires_at: datetime
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
    at: Annotated[datetime, msgspec.Meta(tz=True)]  # one without a zone compares with nothing
    via: str = "terminal"
    reason: str = ""


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
    is none. Valid rows about something else of the same run are passed over in silence.
    """
    votes, refused = _sorted_out(gate, rows, key)
    rejections = [vote for vote in votes if vote.answer is Answer.REJECT]
    approvals: dict[str, Vote] = {}
    for vote in votes:
        if vote.answer is Answer.APPROVE:
            approvals.setdefault(gate.policy.person(vote.person), vote)
    return Tally(
        verdict=_verdict(gate, approvals=len(approvals), rejections=len(rejections), now=now),
        approvals=tuple(approvals.values()),
        rejection=rejections[0] if rejections else None,
        refused=refused,
    )


def _sorted_out(
    gate: Gate, rows: Sequence[Row], key: bytes
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
        elif why := _objection(vote, gate):
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


def _wrong_person(vote: Vote, gate: Gate) -> str | None:
    policy = gate.policy
    if not policy.may_vote(vote.person):
        return f"is by {vote.person}, who is not an approver"
    is_requester = policy.person(vote.person) == policy.person(gate.requester)
    if is_requester and not policy.requester_may_approve and vote.answer is Answer.APPROVE:
        return f"is by {vote.person}, who asked for the run"
    return None


def controls(rows: Sequence[Row], *, run: str, key: bytes, policy: Policy) -> tuple[Vote, ...]:
    """Return the valid hold, resume and abort rows of a run, oldest first."""
    votes = [vote for row in rows if isinstance(vote := verified(row, key=key), Vote)]
    valid = [vote for vote in votes if _is_control(vote, run) and policy.may_vote(vote.person)]
    return tuple(sorted(valid, key=_order))


def _is_control(vote: Vote, run: str) -> bool:
    return vote.run == run and not vote.gate and vote.answer not in VOTES


def is_held(votes: Iterable[Vote]) -> bool:
    """Whether the last word of hold and resume, by the time they were said, was hold."""
    words = [vote for vote in votes if vote.answer in {Answer.HOLD, Answer.RESUME}]
    return bool(words) and max(words, key=_order).answer is Answer.HOLD


def aborted_by(votes: Iterable[Vote]) -> Vote | None:
    """Return the first abort, None if nobody asked for one."""
    aborts = [vote for vote in votes if vote.answer is Answer.ABORT]
    return min(aborts, key=_order, default=None)


def check_policy(policy: Policy, *, requester: str | None = None) -> None:
    """
    Refuse a policy that could never be satisfied, or that does not say who is who.

    With `requester`, the person behind that identity does not count where the policy leaves them
    out. Raises BadInputError.
    """
    if policy.quorum < 1:
        raise BadInputError(f"a quorum is at least 1, not {policy.quorum}")
    _check_people(policy.people)
    names = {person.name for person in policy.people}
    for approver in policy.approvers:
        if approver not in names and not approver.startswith(_SCHEMES):
            raise BadInputError(
                f"approver {approver!r} is neither in the people table nor an identity such as "
                "kubernetes:USER or slack:TEAM/USER"
            )
    _check_quorum(policy, requester)


def _check_people(people: Sequence[Person]) -> None:
    owners: dict[str, str] = {}
    for person in people:
        if person.name.startswith(_SCHEMES):
            raise BadInputError(f"the person {person.name!r} is named like an identity; use a name")
        if not person.identities:
            raise BadInputError(f"{person.name!r} has no identity, so nobody could vote as them")
        for identity in person.identities:
            if not identity.startswith(_SCHEMES):
                raise BadInputError(
                    f"{identity!r} of {person.name} must start with kubernetes: or slack:"
                )
            if identity in owners:
                raise BadInputError(
                    f"{identity} belongs to both {owners[identity]} and {person.name}"
                )
            owners[identity] = person.name


def _check_quorum(policy: Policy, requester: str | None) -> None:
    if not policy.approvers:  # whoever can sign: there may always be one more
        return
    able = {policy.person(approver) for approver in policy.approvers}
    if requester is not None and not policy.requester_may_approve:
        able.discard(policy.person(requester))
    if len(able) < policy.quorum:
        raise BadInputError(
            f"a quorum of {policy.quorum} cannot be reached: {len(able)} people may approve"
        )
