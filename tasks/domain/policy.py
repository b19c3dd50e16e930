"""Who decides at a gate, and how: the policy, and who is who in it."""

import enum
from collections.abc import Collection, Sequence
from typing import Final

import msgspec

from tasks.domain.errors import BadInputError

# What an identity begins with; nobody's name in a `people` table may look like one.
_SCHEMES: Final = ("kubernetes:", "slack:")
# A Slack user group among the approvers: `slack-group:TEAM/GROUP`.
GROUP: Final = "slack-group:"


class GateName(enum.StrEnum):
    """The points at which a run can wait for people."""

    START = "start"
    WAVE = "wave"  # before every wave but the first; in a run: wave-2, wave-3, ...
    DEFAULT = "default"
    UNINSTALL = "uninstall"


class SlackApproval(enum.StrEnum):
    """What a click on Approve is worth."""

    ALLOW = "allow"
    CONFIRM = "confirm"  # Slack asks once more before the click counts
    NEVER = "never"  # people approve in the terminal; a reject always counts


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody with one or several identities: `kubernetes:USER` or `slack:TEAM/USER`."""

    name: str
    identities: tuple[str, ...]


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """How a gate is decided."""

    # Names of people, identities, or Slack user groups; empty: whoever can sign.
    approvers: tuple[str, ...] = ()
    quorum: int = 1
    requester_may_approve: bool = True
    terminal_votes: bool = True
    people: tuple[Person, ...] = ()
    slack_approve: SlackApproval = SlackApproval.CONFIRM
    remind_after_seconds: float = 3600.0  # then after twice as long, and so on
    approval_valid_seconds: float = 4 * 3600.0  # from a vote until the run has counted it

    def person(self, identity: str) -> str:
        """Return who an identity belongs to; one that is in no table is a person of its own."""
        for person in self.people:
            if identity in person.identities:
                return person.name
        return identity

    def counted_as(self, identity: str) -> str:
        """Return who an identity counts as: one of Slack's ids is one person in every workspace."""
        known, (scheme, _, user) = self.person(identity), identity.rpartition("/")
        if known != identity or not scheme.startswith("slack:"):
            return known
        for person in self.people:
            if any(
                one.startswith("slack:") and one.endswith(f"/{user}") for one in person.identities
            ):
                return person.name
        return f"slack:{user}"

    def may_vote(self, identity: str, groups: Collection[str] = ()) -> bool:
        """Whether an identity is among the approvers, by itself or as one of a Slack group."""
        if not self.approvers:
            return True
        # A name where an identity belongs is nobody, though the table has a person of that name.
        if not identity.startswith(_SCHEMES):
            return False
        return not {identity, self.person(identity), *groups}.isdisjoint(self.approvers)

    @property
    def groups(self) -> tuple[str, ...]:
        """The Slack user groups among the approvers."""
        return tuple(one for one in self.approvers if one.startswith(GROUP))

    def hides(self, requester: str, voter: str) -> bool:
        """
        Whether nobody can tell that a voter is not the requester.

        They are known by identities of two kinds, and no table says which belong together.
        """
        asked_in, votes_in = _scheme(requester), _scheme(voter)
        if not requester.startswith(_SCHEMES) or asked_in == votes_in:
            return False
        return not (self._is_known(requester, votes_in) or self._is_known(voter, asked_in))

    def _is_known(self, identity: str, scheme: str) -> bool:
        """Whether the table says who somebody is by identities of another kind."""
        return any(
            identity in person.identities
            and any(_scheme(one) == scheme for one in person.identities)
            for person in self.people
        )


def _scheme(identity: str) -> str:
    return identity.partition(":")[0]


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
        if approver not in names and not approver.startswith((*_SCHEMES, GROUP)):
            raise BadInputError(
                f"approver {approver!r} is neither in the people table nor an identity such as "
                "kubernetes:USER, slack:TEAM/USER or slack-group:TEAM/GROUP"
            )
    if requester is not None and not policy.requester_may_approve:
        _check_requester_is_known(policy, requester)
    if policy.quorum > 1:
        _check_nobody_counts_twice(policy)
    _check_quorum(policy, requester)


def _check_people(people: Sequence[Person]) -> None:
    owners: dict[str, str] = {}
    for person in people:
        if person.name.startswith((*_SCHEMES, GROUP)):
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


def _check_requester_is_known(policy: Policy, requester: str) -> None:
    for approver in policy.approvers:
        hidden = next(
            (one for one in _voters(policy, approver) if policy.hides(requester, one)), None
        )
        if hidden is not None:
            raise BadInputError(
                f"{requester} may not approve, and {approver} may be the same person: name the "
                f"{_scheme(hidden)}: identity of {requester} in gates.people"
            )


def _check_nobody_counts_twice(policy: Policy) -> None:
    """Refuse approvers of two kinds who may be one person, for they would count as two."""
    voters = [one for approver in policy.approvers for one in _voters(policy, approver)]
    has_two_ways = policy.terminal_votes and policy.slack_approve is not SlackApproval.NEVER
    for one in voters if has_two_ways else ():
        other = next((other for other in voters if policy.hides(one, other)), None)
        if other is not None:
            raise BadInputError(
                f"a quorum of {policy.quorum} takes different people, and {one} may be one of "
                f"those who vote by {_scheme(other)}: too; name the identities of both kinds in "
                "gates.people"
            )


def _voters(policy: Policy, approver: str) -> tuple[str, ...]:
    """Return the identities by which an approver votes."""
    if approver.startswith(GROUP):
        return ("slack:",)  # whoever is in it
    named = next((one.identities for one in policy.people if one.name == approver), None)
    return (approver,) if named is None else named


def _check_quorum(policy: Policy, requester: str | None) -> None:
    if not policy.approvers or policy.groups:  # there may always be one more
        return
    able = {policy.person(approver) for approver in policy.approvers}
    if requester is not None and not policy.requester_may_approve:
        able.discard(policy.person(requester))
    if len(able) < policy.quorum:
        raise BadInputError(
            f"a quorum of {policy.quorum} cannot be reached: {len(able)} people may approve"
        )
