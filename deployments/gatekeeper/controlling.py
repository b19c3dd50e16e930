"""Hold, resume and abort from Slack, and who may begin or undo a run there."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from deployments.gatekeeper.decisions import Decisions
from deployments.gatekeeper.looking import WatchedCluster
from deployments.gatekeeper.members import Members
from tasks.domain.approval import Answer, Vote, controls, sign
from tasks.domain.errors import BadInputError, RefusedError
from tasks.domain.journal import Asked, RunRecord
from tasks.domain.policy import GROUP
from tasks.domain.slack import Person

_DONE: Final = {
    Answer.HOLD: "waits before its next step; `resume` lets it go on",
    Answer.RESUME: "goes on",
    Answer.ABORT: "stops after its current batch; `rollback` undoes what it did",
}


class Controls:
    """What people say to a run as a whole."""

    def __init__(
        self,
        *,
        starters: Sequence[str],
        members: Members,
        decisions: Decisions,
        now: Callable[[], datetime],
        said: Callable[[str, str], None],
    ) -> None:
        """`said` is told the cluster and the answer, once it is stored."""
        self._starters = starters
        self._members = members
        self._decisions = decisions
        self._now = now
        self._said = said

    async def say(
        self,
        cluster: WatchedCluster,
        record: RunRecord,
        answer: Answer,
        person: Person,
        *,
        reason: str,
    ) -> str:
        """Store a hold, resume or abort, and return what its person is told."""
        if record.finished is not None:
            raise BadInputError(f"run {record.run} is over: {record.finished.text}")
        policy = await asyncio.to_thread(cluster.policy, record)
        if policy is None:
            raise RefusedError(f"the plan of run {record.run} cannot be read, so nobody is known")
        await asyncio.to_thread(self._check_key, cluster, record)
        vote = Vote(
            run=record.run,
            gate="",
            digest="",
            person=person.identity,
            answer=answer,
            at=self._now(),
            via="slack",
            reason=reason,
            groups=await self._members.groups_for(person, policy),
        )
        key = await asyncio.to_thread(cluster.key)
        row = sign(vote, key=key)
        if not controls([row], run=record.run, key=key, policy=policy):
            raise RefusedError(f"you are not an approver of run {record.run}")
        if not await self._decisions.stored(cluster, record, row):
            return (
                f"Not recorded: say it again, or run `istio-canary {answer} {record.run}` in a "
                "terminal."
            )
        self._said(cluster.name, answer)
        return f"Recorded: run {record.run} {_DONE[answer]}."

    @staticmethod
    def _check_key(cluster: WatchedCluster, record: RunRecord) -> None:
        last = record.last(Asked)
        if last is not None and not cluster.has_key_of(last.gate):
            raise RefusedError(
                f"this gatekeeper's signing key is not the one that run {record.run} verifies with"
            )

    async def check_starter(self, person: Person) -> None:
        """Refuse whoever may not begin an upgrade from Slack. Raises RefusedError."""
        if not await self._is_starter(person):
            raise RefusedError("you are none of those who may begin upgrades from Slack (starters)")

    async def check_may_undo(
        self, cluster: WatchedCluster, record: RunRecord, person: Person
    ) -> None:
        """Refuse whoever may neither begin runs nor decide about this one. Raises RefusedError."""
        policy = await asyncio.to_thread(cluster.policy, record)
        if policy is not None and policy.approvers:
            groups = await self._members.groups_for(person, policy)
            if policy.may_vote(person.identity, groups):
                return
        if not await self._is_starter(person):
            raise RefusedError(f"you are neither an approver of run {record.run} nor a starter")

    async def _is_starter(self, person: Person) -> bool:
        groups = [one for one in self._starters if one.startswith(GROUP)]
        return person.identity in self._starters or bool(
            await self._members.groups_of(person, groups)
        )
