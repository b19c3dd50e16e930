"""
Clicks and their answers: a person's word is judged, signed and stored, and the person told.

Nothing is edited in Slack from here: what a message says follows from what is stored, and one place
alone writes it.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from deployments.gatekeeper.deciding import (
    Refusal,
    Said,
    already,
    gate_to_decide,
    not_recorded,
    recorded,
    signed_vote,
)
from deployments.gatekeeper.looking import WatchedCluster
from deployments.gatekeeper.members import Members
from deployments.gatekeeper.messages.blocks import escape
from deployments.gatekeeper.messages.modals import details_modal, parse_private, reject_modal
from deployments.gatekeeper.metrics import Metrics
from deployments.gatekeeper.subject import (
    APPROVE,
    DETAILS,
    LONGEST_REASON,
    REASON,
    REJECT,
    Subject,
    parse_subject,
)
from deployments.gatekeeper.thread import RunView
from tasks import voting, wiring
from tasks.adapters.ports import SlackPeople
from tasks.domain.approval import Answer, Gate, Row
from tasks.domain.errors import BadInputError, UpgradeError
from tasks.domain.journal import RunRecord
from tasks.domain.slack import Click, Person, Submission

_STORED_WITHIN: Final = 10.0  # seconds
_log: Final = logging.getLogger("istio-canary.gatekeeper")


class Decisions:
    """What people decide by buttons and modals."""

    def __init__(
        self,
        clusters: Sequence[WatchedCluster],
        *,
        people: SlackPeople,
        members: Members,
        metrics: Metrics,
        now: Callable[[], datetime],
        look_again: Callable[[str], None],
    ) -> None:
        """`look_again` is told the name of a cluster of which somebody has said something."""
        self._clusters = {one.name: one for one in clusters}
        self._people = people
        self._members = members
        self._metrics = metrics
        self._now = now
        self._look_again = look_again

    # ---- what Slack tells

    async def clicked(self, click: Click) -> None:
        """Do what a button says."""
        try:
            subject = parse_subject(click.value)
            cluster = self._cluster(subject.cluster, click.channel)
            text = await self._clicked(click, subject, cluster)
        except UpgradeError as error:
            text = self._refused(_refusal(error))
        if text:
            await self._tell(click, text)

    async def _clicked(self, click: Click, subject: Subject, cluster: WatchedCluster) -> str:
        match click.action:
            case action if action == APPROVE:
                said = (click.person, Answer.APPROVE, click.at, "")
                return await self.decide(cluster, subject, *said)
            case action if action == REJECT:
                modal = reject_modal(subject, click.channel, click.thread)
                await self._people.open_modal(click.trigger, modal)
            case action if action == DETAILS:
                view, gate = await asyncio.to_thread(_looked_up, cluster, subject)
                await self._people.open_modal(click.trigger, details_modal(view, gate))
            case _:
                raise BadInputError("this button is not one of istio-canary's")
        return ""

    @staticmethod
    def complaint(submission: Submission) -> Mapping[str, str] | None:
        """Return what is wrong with a modal's fields, None if nothing is; at once, for Slack waits."""
        reason = submission.values.get(REASON, "").strip()
        if not reason:
            return {REASON: "Say why, for those who come after."}
        if len(reason) > LONGEST_REASON:
            return {REASON: f"{len(reason)} characters; {LONGEST_REASON} are the most."}
        return None

    async def submitted(self, submission: Submission) -> None:
        """Take a rejection with its reason."""
        try:
            subject, channel, thread = parse_private(submission.private)
        except UpgradeError:
            self._metrics.refused("junk")
            return
        person = submission.person
        try:
            cluster = self._cluster(subject.cluster, channel)
            reason = submission.values.get(REASON, "").strip()
            said = (person, Answer.REJECT, self._now(), reason)
            text = await self.decide(cluster, subject, *said)
        except UpgradeError as error:
            text = self._refused(_refusal(error))
        await self.whisper(channel, person, text, thread=thread)

    # ---- deciding

    async def decide(
        self,
        cluster: WatchedCluster,
        subject: Subject,
        person: Person,
        answer: Answer,
        at: datetime,
        reason: str,
    ) -> str:
        """Judge a person's answer, store it, and return what they are told."""
        record, rows = await cluster.heard(subject.run)
        gate = gate_to_decide(record, subject)
        if isinstance(gate, Refusal):
            return self._refused(gate)
        counted = await asyncio.to_thread(cluster.count, gate, rows)
        if counted is None:
            return self._refused(_other_key(record, answer))
        groups = await self._members.groups_for(person, gate.policy)
        said = Said(person=person, groups=groups, answer=answer, at=at, reason=reason)
        key = await asyncio.to_thread(cluster.key)
        row = signed_vote(gate, said, key=key, now=self._now())
        if isinstance(row, Refusal):
            return self._refused(row)
        if (refusal := already(gate, counted, said)) is not None:
            return self._refused(refusal)
        return await self._store(cluster, record, gate, row, said)

    async def _store(
        self, cluster: WatchedCluster, record: RunRecord, gate: Gate, row: Row, said: Said
    ) -> str:
        if not await self.stored(cluster, record, row):
            return not_recorded(record.run, said.answer)
        self._metrics.voted(said.answer)
        self._look_again(cluster.name)
        try:
            _, rows = await cluster.heard(record.run)
            counted = await asyncio.to_thread(cluster.count, gate, rows)
        except UpgradeError:
            counted = None  # it is stored; what it adds up to, the thread will say
        if counted is None:
            return f"Recorded: {said.answer} of gate {gate.name} of run {record.run}."
        return recorded(gate, counted, said)

    async def stored(self, cluster: WatchedCluster, record: RunRecord, row: Row) -> bool:
        """Store a signed row, and say whether that is certain."""
        storing = asyncio.to_thread(_cast, cluster, record, row)
        try:
            await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(storing)), _STORED_WITHIN)
        except (UpgradeError, TimeoutError) as error:
            _log.warning("a vote for run %s was not stored: %s", record.run, _named(error))
            self._metrics.failed("storing")
            return False
        return True

    # ---- telling

    def _cluster(self, name: str, channel: str) -> WatchedCluster:
        cluster = self._clusters.get(name)
        if cluster is None:
            raise BadInputError(f"this gatekeeper does not look after cluster {name}")
        if cluster.config.channel != channel:
            raise BadInputError(f"runs of cluster {name} are decided in its own channel alone")
        return cluster

    def _refused(self, refusal: Refusal) -> str:
        self._metrics.refused(refusal.kind)
        return refusal.why

    async def _tell(self, click: Click, text: str) -> None:
        try:
            if await self._people.answer(click.response_url, text, thread=click.thread):
                return
        except UpgradeError as error:
            _log.warning("no answer by way of the response URL: %s", error)
        await self.whisper(click.channel, click.person, text, thread=click.thread)

    async def whisper(self, channel: str, person: Person, text: str, *, thread: str | None) -> None:
        """Tell somebody alone; if Slack takes nothing now, the log has to do."""
        try:
            await self._people.whisper(channel, person.user, text, thread=thread)
        except UpgradeError as error:
            self._metrics.failed("slack")
            _log.warning("%s could not be told: %s", person.identity, error)


def _cast(cluster: WatchedCluster, record: RunRecord, row: Row) -> None:
    with wiring.using(cluster.services):
        voting.cast(record, row)


def _looked_up(cluster: WatchedCluster, subject: Subject) -> tuple[RunView, Gate]:
    view = cluster.view(cluster.record(subject.run))
    gate = view.record.gate(subject.gate)
    if gate is None:
        raise BadInputError(f"run {subject.run} has no gate {subject.gate}")
    return view, gate


def _other_key(record: RunRecord, answer: Answer) -> Refusal:
    return Refusal(
        kind="other-key",
        why=f"This gatekeeper's signing key is not the one that run {record.run} verifies with, so "
        f"nothing said here would count. In a terminal: `istio-canary {answer} {record.run}`.",
    )


def _refusal(error: UpgradeError) -> Refusal:
    if isinstance(error, BadInputError):
        return Refusal(kind="junk", why=f"Not taken: {escape(str(error))}.")
    return Refusal(
        kind="unknown",
        why=f"Not taken, for nobody can tell now: {escape(str(error))}. Press again.",
    )


def _named(error: Exception) -> str:
    return str(error) or type(error).__name__
