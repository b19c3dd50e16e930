"""All that one running Slack is made of."""

import secrets
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from deployments.rehearsal.slack.blocks.checking import completed
from deployments.rehearsal.slack.conversations import Conversations
from deployments.rehearsal.slack.directory import Directory
from deployments.rehearsal.slack.faults import Faults
from deployments.rehearsal.slack.limits import Limits
from deployments.rehearsal.slack.objects import Json, Message, View
from deployments.rehearsal.slack.passes import Passes
from deployments.rehearsal.slack.sockets import Hub
from deployments.rehearsal.slack.times import Now, Stamps
from deployments.rehearsal.slack.workspace import Workspace, default_workspace

PATIENCE: Final = 3.0
_KEPT_CALLS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the Web API, or of a response URL, as it was answered."""

    at: float
    method: str
    status: int
    error: str  # of the answer; the empty one is none
    arguments: Json = field(repr=False)


class Slack:
    """One workspace at work; everything happens on the loop that serves it."""

    def __init__(
        self,
        workspace: Workspace | None = None,
        *,
        now: Now = time.time,
        rates: float | None = 1.0,
        patience: float = PATIENCE,
    ) -> None:
        self.workspace = workspace or default_workspace()
        self.app = self.workspace.app
        self.request_url = self.workspace.request_url
        self.now = now
        self.patience = patience  # seconds in which an app has to acknowledge
        self.base_url = ""  # where this Slack is reached, once it is served
        self.stamps = Stamps(now)
        self.limits = Limits(now, factor=rates)
        self.directory = Directory(self.workspace)
        self.conversations = Conversations()
        self.passes = Passes(now)
        self.faults = Faults()
        self.hub = Hub(now=now, app=self.app.id)
        self.views: dict[str, View] = {}
        self.warnings: dict[str, list[str]] = defaultdict(list)  # by the person who sees them
        self.calls: list[Call] = []

    def note(self, call: Call) -> None:
        """Remember a call; the oldest are forgotten."""
        self.calls.append(call)
        del self.calls[:-_KEPT_CALLS]

    def go_down(self, *, on: bool) -> None:
        """Hang up on everybody and cut every socket; or be there again."""
        self.faults.is_down = on
        if on:
            self.hub.cut()

    def post(
        self,
        channel: str,
        *,
        text: str,
        blocks: Sequence[Json] = (),
        thread_ts: str = "",
        metadata: Json | None = None,
        to: str = "",
    ) -> Message:
        """Let the bot say something."""
        message = Message(
            channel=channel,
            ts=self.stamps.next(),
            user=self.app.bot_user,
            text=text,
            blocks=completed(blocks, fresh_id),
            thread_ts=thread_ts,
            metadata=metadata or {},
            to=to,
            bot_id=self.app.bot_id,
            app_id=self.app.id,
        )
        self.conversations.add(message)
        return message

    def say(
        self,
        user: str,
        channel: str,
        text: str,
        *,
        thread_ts: str = "",
        metadata: Json | None = None,
    ) -> str:
        """Let a person say something where they are; return its ts. Raises UnknownPlace."""
        self.directory.attended(channel, user)
        message = Message(
            channel=channel,
            ts=self.stamps.next(),
            user=user,
            text=text,
            thread_ts=thread_ts,
            metadata=metadata or {},
        )
        self.conversations.add(message)
        return message.ts


def fresh_id() -> str:
    """Return a name for what was given none."""
    return secrets.token_urlsafe(4)
