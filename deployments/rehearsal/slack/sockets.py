"""
Socket Mode: envelopes over WebSockets, each to any one connection, acknowledged or not.

Slack repeats nothing that people did. What a network or a busy Slack does to envelopes can be
asked for: cut connections, silent ones, envelopes that come twice or in another order.
"""

import asyncio
import contextlib
import secrets
import uuid
from dataclasses import dataclass, field
from typing import Final, Protocol

from deployments.rehearsal.slack.errors import Refused
from deployments.rehearsal.slack.objects import Json, object_of
from deployments.rehearsal.slack.times import Now

MOST_CONNECTIONS: Final = 10
TICKET_LASTS: Final = 30.0
_HELD: Final = 1.0  # seconds that an envelope waits for the next one, which shall overtake it


class Line(Protocol):
    """One WebSocket."""

    async def send(self, document: Json) -> None: ...
    async def close(self) -> None: ...
    def abort(self) -> None: ...
    def mute(self) -> None: ...
    def unmute(self) -> None: ...


@dataclass(slots=True)
class Troubles:
    """What befalls envelopes: the next `duplicate` come twice, the next `reorder` in reverse."""

    duplicate: int = 0
    reorder: int = 0
    silent: bool = False


@dataclass(slots=True)
class Hub:
    """The connections of the app."""

    now: Now
    app: str
    lines: dict[int, Line] = field(default_factory=dict[int, Line])
    troubles: Troubles = field(default_factory=Troubles)
    sent: list[Json] = field(default_factory=list[Json])
    opened: int = 0
    _tickets: dict[str, float] = field(default_factory=dict[str, float])
    _waiting: dict[str, asyncio.Future[Json]] = field(
        default_factory=dict[str, asyncio.Future[Json]]
    )
    held: list[Json] = field(default_factory=list[Json])
    _overtaken: asyncio.Event = field(default_factory=asyncio.Event)
    _turn: int = 0

    def ticket(self) -> str:
        made = secrets.token_urlsafe(24)
        self._tickets[made] = self.now()
        return made

    def redeem(self, ticket: str) -> None:
        """Let a ticket in, once. Raises Refused."""
        made = self._tickets.pop(ticket, None)
        if made is None or self.now() - made > TICKET_LASTS:
            raise Refused("invalid_ticket")
        if len(self.lines) >= MOST_CONNECTIONS:
            raise Refused("too_many_websockets")

    async def join(self, line: Line) -> int:
        """Take a connection, and say hello."""
        self.opened += 1
        number = self.opened
        self.lines[number] = line
        if self.troubles.silent:
            line.mute()
        else:
            await line.send(self._hello())
        return number

    def leave(self, number: int) -> None:
        self.lines.pop(number, None)

    def acknowledge(self, document: Json) -> None:
        """Take what an app sends: acknowledgements, and anything else that is of no meaning."""
        waiting = self._waiting.get(str(document.get("envelope_id", "")))
        if waiting is not None and not waiting.done():
            waiting.set_result(object_of(document.get("payload")))

    async def deliver(
        self, kind: str, payload: Json, *, patience: float, more: Json | None = None
    ) -> Json | None:
        """Send an envelope; return what it was acknowledged with, or None if it was not in time."""
        envelope: Json = {
            "envelope_id": str(uuid.uuid4()),
            "type": kind,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
        } | (more or {})
        waiting = asyncio.get_running_loop().create_future()
        self._waiting[envelope["envelope_id"]] = waiting
        try:
            async with asyncio.timeout(patience):
                await self._send_in_turn(envelope)
                found: Json = await waiting
                return found
        except TimeoutError:
            return None
        finally:
            del self._waiting[envelope["envelope_id"]]

    async def _send_in_turn(self, envelope: Json) -> None:
        if self.troubles.reorder <= 0:
            await self._send(envelope)
            return
        self.held.append(envelope)
        if len(self.held) < self.troubles.reorder:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._overtaken.wait(), _HELD)
        held, self.held = self.held, []
        if held:
            self.troubles.reorder = 0
            self._overtaken.set()
            self._overtaken = asyncio.Event()
        for one in reversed(held):
            await self._send(one)

    async def _send(self, envelope: Json) -> None:
        twice = self.troubles.duplicate > 0
        self.troubles.duplicate -= twice
        for _ in range(2 if twice else 1):
            line = self._any_line()
            if line is not None and not self.troubles.silent:
                self.sent.append(envelope)
                await line.send(envelope)

    def _any_line(self) -> Line | None:
        found = list(self.lines.values())
        self._turn += 1
        return found[self._turn % len(found)] if found else None

    async def disconnect(self, reason: str) -> None:
        """Ask the app to come anew, as Slack does now and then; `warning` comes 10 s before."""
        for number, line in list(self.lines.items()):
            await line.send({"type": "disconnect", "reason": reason, "debug_info": _DEBUG})
            if reason != "warning":
                self.leave(number)  # nothing more is delivered there
                await line.close()

    def cut(self) -> None:
        """Let every connection be lost, without a word."""
        for number, line in list(self.lines.items()):
            self.leave(number)
            line.abort()

    def silence(self, *, on: bool) -> None:
        """Deliver nothing and answer no ping, on these connections and new ones; or do again."""
        self.troubles.silent = on
        for line in self.lines.values():
            if on:
                line.mute()
            else:
                line.unmute()

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self.lines),
            "debug_info": _DEBUG | {"approximate_connection_time": 18060},
            "connection_info": {"app_id": self.app},
        }


_DEBUG: Final[Json] = {"host": "rehearsal", "build_number": 1}
