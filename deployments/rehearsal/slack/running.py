"""
A Slack that is served by another thread, as tests hold it in their hands.

Everything here may be called from any thread but the one that serves, and waits until it is done.
A test that runs a loop of its own presses from a thread: `await asyncio.to_thread(slack.press, ..)`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, Final, TypeVar

from deployments.rehearsal.slack import interactions
from deployments.rehearsal.slack.faults import EVERY, Fault, Kind
from deployments.rehearsal.slack.filling import Values
from deployments.rehearsal.slack.methods.views import shown, views_of
from deployments.rehearsal.slack.objects import Json, Message, Outcome
from deployments.rehearsal.slack.state import Call, Slack
from deployments.rehearsal.slack.workspace import App, Workspace

T = TypeVar("T")
_LONGEST: Final = 30.0
_OFTEN: Final = 0.01


class RunningSlack:
    """A Slack, its addresses, its people's hands, and what goes wrong with it."""

    def __init__(
        self, slack: Slack, *, loop: asyncio.AbstractEventLoop, control_token: str
    ) -> None:
        self.slack = slack
        self.loop = loop
        self.url = slack.base_url
        self.api_url = f"{self.url}/api/"
        self.page = f"{self.url}/"
        self.control = f"{self.url}/control/{control_token}/"

    @property
    def workspace(self) -> Workspace:
        return self.slack.workspace

    @property
    def app(self) -> App:
        return self.slack.app

    # ---- what people do

    def press(
        self,
        user: str,
        channel: str,
        ts: str,
        action_id: str,
        *,
        block_id: str = "",
        values: Values | None = None,
    ) -> Outcome:
        """Press a button, in that block or in any. Raises UnknownPlace."""
        spot = interactions.Spot(channel=channel, ts=ts, action_id=action_id, block_id=block_id)
        return self._told(interactions.press(self.slack, user, spot, values))

    def submit(self, user: str, view_id: str, values: Values) -> Outcome:
        """Send a modal off. Raises UnknownPlace."""
        return self._told(interactions.submit(self.slack, user, view_id, values))

    def close(self, user: str, view_id: str) -> Outcome | None:
        """Close a modal. Raises UnknownPlace."""
        return self._told(interactions.close(self.slack, user, view_id))

    def command(self, user: str, channel: str, name: str, text: str = "") -> Outcome:
        """Type a slash command. Raises UnknownPlace."""
        return self._told(interactions.command(self.slack, user, channel, name, text))

    def event(self, content: Json) -> Outcome:
        """Tell the app of an event."""
        return self._told(interactions.event(self.slack, content))

    def say(
        self,
        user: str,
        channel: str,
        text: str,
        *,
        thread_ts: str = "",
        metadata: Json | None = None,
    ) -> str:
        """Say something; return its ts."""
        return self._done(
            lambda: self.slack.say(user, channel, text, thread_ts=thread_ts, metadata=metadata)
        )

    # ---- what there is

    def messages(self, channel: str) -> list[Json]:
        """Return what everybody sees of a channel, replies too, the oldest first."""
        return self._done(lambda: [self._shown(one) for one in self._all(channel)])

    def ephemerals(self, user: str) -> list[Json]:
        """Return what only that person sees, the oldest first."""
        whispered = self.slack.conversations.ephemeral
        return self._done(
            lambda: [
                self._shown(one) | {"channel": one.channel} for one in whispered if one.to == user
            ]
        )

    def views(self, user: str) -> list[Json]:
        """Return the modals of a person, the one in front last, with the `errors` they show."""
        return self._done(
            lambda: [
                shown(self.slack, one) | {"errors": dict(one.errors)}
                for one in views_of(self.slack, user)
            ]
        )

    def warnings(self, user: str) -> list[str]:
        """Return what a person was warned of: that the app did not respond, for example."""
        return self._done(lambda: list(self.slack.warnings[user]))

    def calls(self, method: str = "") -> list[Call]:
        """Return the calls of a method, or all, the oldest first."""
        return self._done(lambda: [one for one in self.slack.calls if method in {"", one.method}])

    def connections(self) -> int:
        """Return how many sockets are open."""
        return self._done(lambda: len(self.slack.hub.lines))

    async def until(self, holds: Callable[[], object], *, seconds: float = 5.0) -> None:
        """Wait until something holds. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not holds():  # noqa: ASYNC110 - it may be anything, of any thread
                await asyncio.sleep(_OFTEN)

    # ---- what changes

    def change_group(self, group: str, members: Iterable[str]) -> None:
        """Say who is in a group from now on, by its id or handle. Raises UnknownPlace."""
        self._done(lambda: self.slack.directory.change_group(group, members))

    def request_at(self, url: str) -> None:
        """Tell the app over HTTP from now on; the empty URL is Socket Mode."""
        self._done(lambda: setattr(self.slack, "request_url", url))

    def limit(self, factor: float | None) -> None:
        """Scale the rates: 1 is Slack, less is harsh, None is none."""
        self._done(lambda: setattr(self.slack.limits, "factor", factor))

    # ---- what goes wrong

    def fail(
        self,
        kind: Kind,
        method: str = EVERY,
        *,
        times: int | None = None,
        seconds: float = 1.0,
        status: int = 503,
        error: str = "internal_error",
    ) -> None:
        """Let something befall the calls of a method; see Fault."""
        fault = Fault(
            kind=kind, method=method, times=times, seconds=seconds, status=status, error=error
        )
        self._done(lambda: self.slack.faults.add(fault))

    def heal(self) -> None:
        """Let nothing befall calls any more."""
        self._done(self.slack.faults.clear)

    def go_down(self) -> None:
        """Hang up on everybody, and cut every socket, until it heals."""
        self._done(lambda: self.slack.go_down(on=True))

    def cut(self) -> None:
        """Lose every socket without a word."""
        self._done(self.slack.hub.cut)

    def silence(self, *, on: bool = True) -> None:
        """Deliver nothing over sockets and answer no ping; or do again."""
        self._done(lambda: self.slack.hub.silence(on=on))

    def duplicate(self, envelopes: int = 1) -> None:
        """Let the next envelopes come twice."""
        self._done(lambda: setattr(self.slack.hub.troubles, "duplicate", envelopes))

    def reorder(self, envelopes: int = 2) -> None:
        """Let the next envelopes come in reverse, once so many are there, or a second is over."""
        self._done(lambda: setattr(self.slack.hub.troubles, "reorder", envelopes))

    def disconnect(self, reason: str = "refresh_requested") -> None:
        """Ask the app to connect anew: refresh_requested, warning or link_disabled."""
        self._told(self.slack.hub.disconnect(reason))

    def _all(self, channel: str) -> list[Message]:
        return self.slack.conversations.all(channel)

    def _shown(self, message: Message) -> Json:
        team = self.slack.workspace.team
        return self.slack.conversations.shown(message, team=team, metadata=True)

    def _told(self, doing: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(doing, self.loop).result(_LONGEST)

    def _done(self, what: Callable[[], T]) -> T:
        async def doing() -> T:
            return what()

        return self._told(doing())
