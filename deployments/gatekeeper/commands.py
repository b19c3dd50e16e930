"""
Slash commands: the verbs of the terminal, in Slack, under the same rules.

Slack has its acknowledgement before anything here begins; the answer follows by itself.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final

import msgspec

from deployments.gatekeeper import starting
from deployments.gatekeeper.controlling import Controls
from deployments.gatekeeper.decisions import Decisions
from deployments.gatekeeper.looking import WatchedCluster, run_of
from deployments.gatekeeper.messages.blocks import escape
from deployments.gatekeeper.messages.confirming import Confirmed, confirm_modal
from deployments.gatekeeper.subject import Subject
from deployments.gatekeeper.words import HELP, Wish, parse_wish
from tasks.adapters.ports import SlackPeople
from tasks.domain import report
from tasks.domain.approval import Answer
from tasks.domain.errors import BadInputError, UpgradeError
from tasks.domain.slack import Command, Person

_NEWEST: Final = 5  # runs that `status` shows of a cluster


class Commands:
    """What people type."""

    def __init__(
        self,
        clusters: Sequence[WatchedCluster],
        *,
        people: SlackPeople,
        decisions: Decisions,
        controls: Controls,
        now: Callable[[], datetime],
    ) -> None:
        self._clusters = clusters
        self._people = people
        self._decisions = decisions
        self._controls = controls
        self._now = now

    async def typed(self, command: Command) -> None:
        """Do what somebody typed, and tell them what came of it."""
        try:
            text = await self._obey(parse_wish(command.text), command)
        except UpgradeError as error:
            text = escape(f"Not done: {error}.")
        if text:
            await self._tell(command, text)

    async def confirmed(self, found: Confirmed, person: Person) -> None:
        """Do what somebody was asked about once more, and said yes to."""
        try:
            text = await self._confirmed(found.wish, person)
        except UpgradeError as error:
            text = escape(f"Not done: {error}.")
        await self._decisions.whisper(found.channel, person, text, thread=None)

    async def _tell(self, command: Command, text: str) -> None:
        with suppress(UpgradeError):  # told otherwise, then
            if await self._people.answer(command.response_url, text, thread=None):
                return
        await self._decisions.whisper(command.channel, command.person, text, thread=None)

    async def _obey(self, wish: Wish, command: Command) -> str:
        match wish.verb:
            case "help":
                return HELP
            case "status":
                return await self._status(wish)
            case "approve" | "reject":
                return await self._vote(wish, command)
            case "hold" | "resume":
                return await self._control(wish, command.person)
            case "plan":
                return await self._plan(wish, command)
            case "upgrade" | "rollback" | "abort":
                return await self._ask_once_more(wish, command)

    # ---- what changes nothing

    async def _status(self, wish: Wish) -> str:
        chosen = [self._cluster(wish.cluster)] if wish.cluster else self._clusters
        lines = [line for one in chosen for line in await asyncio.to_thread(_status, one)]
        return "\n".join(lines)

    async def _plan(self, wish: Wish, command: Command) -> str:
        cluster = self._cluster(wish.cluster)
        requester = command.person.identity
        asked = starting.upgrade_parameters(cluster, wish.version, requester)
        flow_run = await asyncio.to_thread(starting.start_plan, cluster, asked)
        await self._tell(command, f"Drawing up the plan{_link(cluster, flow_run)}.")
        info = await starting.await_end(cluster, flow_run)
        return escape(f"Plan: {info.state_name}. {info.state_message}") + _link(cluster, flow_run)

    # ---- what decides

    async def _vote(self, wish: Wish, command: Command) -> str:
        answer = Answer(wish.verb)
        if answer is Answer.REJECT and not wish.reason.strip():
            raise BadInputError("a reject needs a reason: `reject [RUN] REASON`")
        cluster, record = await asyncio.to_thread(run_of, self._clusters, wish.run)
        if command.channel != cluster.config.channel:  # where everybody sees what is decided
            raise BadInputError(f"runs of {cluster.name} are decided in their own channel alone")
        gate = record.open_gate
        if gate is None or record.finished is not None:
            raise BadInputError(f"run {record.run} waits at no gate now")
        subject = Subject(cluster=cluster.name, run=record.run, gate=gate.name, digest=gate.digest)
        return await self._decisions.decide(
            cluster, subject, command.person, answer, self._now(), wish.reason
        )

    async def _control(self, wish: Wish, person: Person) -> str:
        cluster, record = await asyncio.to_thread(run_of, self._clusters, wish.run)
        return await self._controls.say(
            cluster, record, Answer(wish.verb), person, reason=wish.reason
        )

    async def _ask_once_more(self, wish: Wish, command: Command) -> str:
        whole, question = await self._whole(wish, command.person)
        modal = confirm_modal(Confirmed(wish=whole, channel=command.channel), question=question)
        await self._people.open_modal(command.trigger, modal)
        return ""

    async def _whole(self, wish: Wish, person: Person) -> tuple[Wish, str]:
        """Return a wish with what was left out, and what to ask about it."""
        if wish.verb == "upgrade":
            cluster = self._cluster(wish.cluster)
            await self._controls.check_starter(person)
            starting.upgrade_parameters(cluster, wish.version, person.identity)
            question = f"Upgrade {cluster.name} to Istio {wish.version}?"
            return msgspec.structs.replace(wish, cluster=cluster.name), question
        cluster, record = await asyncio.to_thread(run_of, self._clusters, wish.run)
        what = f"run {record.run} to Istio {record.started.target} in {cluster.name}"
        question = f"Stop {what}?" if wish.verb == "abort" else f"Take {what} back as a whole?"
        return msgspec.structs.replace(wish, run=record.run, cluster=cluster.name), question

    async def _confirmed(self, wish: Wish, person: Person) -> str:
        cluster = self._cluster(wish.cluster)
        if wish.verb == "upgrade":
            await self._controls.check_starter(person)
            asked = starting.upgrade_parameters(cluster, wish.version, person.identity)
            flow_run = await asyncio.to_thread(starting.start_upgrade, cluster, asked)
            text = f"The upgrade of {cluster.name} to Istio {wish.version} is scheduled"
            return escape(text) + _link(cluster, flow_run)
        record = await asyncio.to_thread(cluster.record, wish.run or "")
        if wish.verb == "abort":
            return await self._controls.say(
                cluster, record, Answer.ABORT, person, reason=wish.reason
            )
        return await self._roll_back(cluster, record.run, person)

    async def _roll_back(self, cluster: WatchedCluster, run: str, person: Person) -> str:
        record = await asyncio.to_thread(cluster.record, run)
        await self._controls.check_may_undo(cluster, record, person)
        await asyncio.to_thread(starting.check_rollback, cluster, run)  # before anything is stopped
        if record.finished is None:
            # One that is not asked to stop keeps the rollback waiting for its Lease; but who may
            # undo a run need not be one who may stop it.
            with suppress(UpgradeError):
                reason = "to be rolled back"
                await self._controls.say(cluster, record, Answer.ABORT, person, reason=reason)
        who = person.identity
        flow_run = await asyncio.to_thread(starting.start_rollback, cluster, run, who)
        return escape(f"The rollback of run {run} is scheduled") + _link(cluster, flow_run)

    def _cluster(self, name: str | None) -> WatchedCluster:
        names = ", ".join(one.name for one in self._clusters)
        if name is None:
            if len(self._clusters) > 1:
                raise BadInputError(f"name a cluster: {names}")
            return self._clusters[0]
        found = next((one for one in self._clusters if one.name == name), None)
        if found is None:
            raise BadInputError(f"there is no cluster {name[:60]!r} here; there are: {names}")
        return found


def _status(cluster: WatchedCluster) -> list[str]:
    """Say what there is; a cluster that cannot be read hides none of the others."""
    try:
        return _status_lines(cluster)
    except UpgradeError as error:
        return [f"*{cluster.name}*: cannot be read now: {escape(str(error))}"]


def _status_lines(cluster: WatchedCluster) -> list[str]:
    services, troubles = cluster.services, list[UpgradeError]()
    records = services.records.runs(left_out=troubles.append)[-_NEWEST:]
    unread = [f"cannot be read: {escape(str(one))}" for one in troubles]
    if not records:
        return [f"*{cluster.name}*: no runs", *unread]
    holding, now = services.leases.holding(), services.clock.now()
    lines = [f"*{cluster.name}*"]
    for record in reversed(records):
        one = report.run_status(record, holding, now=now)
        state = one.state if one.outcome is None else str(one.outcome)
        waits = f", waits at gate {one.gate.name}" if one.gate else ""
        lines.append(escape(f"{one.run} to {one.target}: {state}{waits}. {one.text}"))
    return [*lines, *unread]


def _link(cluster: WatchedCluster, flow_run: str) -> str:
    dashboard = cluster.links.dashboard
    return f" <{dashboard}/runs/flow-run/{flow_run}|on the dashboard>" if dashboard else ""
