"""
Slack's Socket Mode: what people do reaches us over a connection that we open.

slack-sdk keeps that connection, and connects anew when it breaks. Both are known to fail without a
word, so somebody here listens for signs of life and starts over. slack-sdk's log is off: it holds
what people typed, and the addresses that let one in.
"""

import asyncio
import contextlib
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias, cast

import aiohttp
import msgspec
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient

from tasks.adapters.slack_calls import SLACK, Ask, SlackCalls, is_loopback, parse_base, silent
from tasks.domain.errors import RefusedError, TransientError, UpgradeError
from tasks.domain.slack_methods import Method

Payload: TypeAlias = Mapping[str, Any]
Settled: TypeAlias = asyncio.Future[None]
Hear: TypeAlias = Callable[[str, Payload], Payload | Settled | None]

_KINDS: Final = frozenset({"interactive", "slash_commands"})
_REMEMBERED: Final = 1000  # envelopes
_ACKNOWLEDGED_WITHIN: Final = 3.0  # seconds
_SETTLED_WITHIN: Final = 2.8  # Slack has three seconds of patience
_CLOSED_WITHIN: Final = 2.0
_CONNECTED_WITHIN: Final = 3  # pings, which is how often slack-sdk tries
_PINGS: Final = 6  # slack-sdk gives a connection up after four, if it notices
_LONGEST_PAUSE: Final = 60.0
_log: Final = logging.getLogger("istio-canary.slack")


class _Envelope(msgspec.Struct, frozen=True):
    type: str
    envelope_id: str | None = None
    payload: object = None


class _Client(SocketModeClient):
    """slack-sdk's client, with our way of asking where to connect: it obeys Retry-After."""

    def __init__(self, calls: SlackCalls, *, base_url: str, ping: float) -> None:
        super().__init__(
            app_token="",  # nobody but `calls` needs it
            logger=silent(),
            web_client=AsyncWebClient(base_url=base_url, logger=silent()),
            ping_interval=ping,
        )
        self._calls = calls
        self._is_local = is_loopback(parse_base(base_url))
        if self._is_local:
            self.proxy = None

    async def issue_new_wss_url(self) -> str:
        answer = await self._calls.ask(Ask(method=Method.CONNECT, arguments={}))
        url = answer.json.get("url")
        schemes = ("wss://", "ws://127.0.0.1:") if self._is_local else ("wss://",)
        if not isinstance(url, str) or not url.startswith(schemes):
            raise RefusedError("Slack named no address to connect to")
        return url

    async def open(self) -> None:
        """Connect. Raises UpgradeError; slack-sdk alone would try the same address for ever."""
        self.wss_uri = await self.issue_new_wss_url()
        try:
            async with asyncio.timeout(_CONNECTED_WITHIN * self.ping_interval):
                await self.connect()  # type: ignore[no-untyped-call]
        except TimeoutError:
            raise TransientError("Slack let us connect no socket") from None

    async def abandon(self) -> None:
        """Close what can be closed, and wait for nothing that hangs, even when cancelled itself."""
        try:
            with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
                async with asyncio.timeout(_CLOSED_WITHIN):
                    await self.close()  # type: ignore[no-untyped-call]
        finally:
            own = cast("Any", self)  # typed as futures of anything
            for task in (own.message_processor, own.current_session_monitor, own.message_receiver):
                if task is not None:
                    task.cancel()
            await self.aiohttp_client_session.close()


class SocketMode:
    """
    Hands what comes over a socket to `hear`: its kind, and its payload.

    Kinds are `interactive` and `slash_commands`. `hear` returns at once; what it returns for a modal
    that was sent off is Slack's answer to it. What it returns a future for is acknowledged once that
    is done, and not at all if that takes too long or fails: then nobody knows yet, and Slack says so
    to whoever it was. Everything else is acknowledged as soon as it is heard.
    """

    def __init__(
        self,
        app_token: str,
        *,
        hear: Hear,
        acknowledged: Callable[[float], object] = lambda _: None,
        base_url: str = SLACK,
        ping: float = 5.0,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Take the app's token (xapp-...).

        `acknowledged` is told how many seconds each acknowledgement took. Every `ping` seconds a
        sign of life is asked for; after a while without any, the connection is given up.
        """
        self._calls = SlackCalls(app_token, base_url=base_url)
        self._base_url = base_url
        self._hear = hear
        self._acknowledged = acknowledged
        self._ping = ping
        self._silence = _PINGS * ping
        self._now = now
        self._heard_at = self._began_at = now()
        self._beat: float | None = None
        self._client: _Client | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._working: set[asyncio.Task[None]] = set()
        self._answers: OrderedDict[str, Payload | Settled | None] = OrderedDict()
        self.junk = 0  # how much came that was none of what Slack sends to such an app

    async def connect(self) -> None:
        """Connect, and stay connected. Raises UpgradeError if that fails the first time."""
        await self._begin()
        self.connect_later()

    def connect_later(self) -> None:
        """Connect as soon as Slack can be reached, and stay connected."""
        self._watcher = asyncio.create_task(self._watch())

    async def close(self) -> None:
        """Acknowledge what has come, and leave."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait([self._watcher])
        if self._working:
            await asyncio.wait(self._working, timeout=_ACKNOWLEDGED_WITHIN)
        await self._leave()

    def silent_for(self) -> float:
        """Return for how many seconds nothing was heard: no pong, no hello, no envelope."""
        beat = None if self._client is None else self._client.last_ping_pong_time
        # The first one is slack-sdk's own: when it asked. Another one means an answer.
        if beat is not None and self._beat is not None and beat != self._beat:
            self._heard_at = self._now()
        self._beat = beat
        return self._now() - self._heard_at

    # ---- the connection

    async def _begin(self) -> None:
        await self._leave()
        client = _Client(self._calls, base_url=self._base_url, ping=self._ping)
        client.on_message_listeners.append(self._listen)
        self._client, self._beat = client, None
        try:
            await client.open()
        except UpgradeError:
            await self._leave()
            raise
        self._began_at = self._now()

    async def _leave(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.abandon()

    async def _watch(self) -> None:
        failures = 0
        while True:
            await asyncio.sleep(min(self._ping * 2**failures, _LONGEST_PAUSE))
            silent = self.silent_for()
            is_quiet = min(silent, self._now() - self._began_at) >= self._silence
            if self._client is not None and not is_quiet:
                continue
            _log.warning("nothing was heard from Slack for %.0f s; connecting anew", silent)
            try:
                await self._begin()
                failures = 0
            except UpgradeError as error:
                failures += 1
                _log.warning("connecting to Slack failed: %s", error)

    # ---- what comes

    async def _listen(self, message: aiohttp.WSMessage) -> None:
        came_at = self._heard_at = self._now()
        try:
            envelope = msgspec.json.decode(cast("str", message.data), type=_Envelope)
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            self.junk += 1
            return
        if envelope.type in {"hello", "disconnect"}:  # slack-sdk sees to the latter
            return
        if envelope.envelope_id is None:
            self.junk += 1
            return
        # Not awaited: the next pong has to be read meanwhile.
        task = asyncio.create_task(self._take(envelope, envelope.envelope_id, came_at))
        self._working.add(task)
        task.add_done_callback(self._ended)

    async def _take(self, envelope: _Envelope, number: str, came_at: float) -> None:
        if number in self._answers:  # Slack was not sure that we have it
            await self._answer(number, came_at)
        elif envelope.type not in _KINDS or not isinstance(envelope.payload, dict):
            self.junk += 1
            await self._acknowledge(number, None, came_at)
        else:
            await self._give(envelope.type, number, cast("Payload", envelope.payload), came_at)

    async def _give(self, kind: str, number: str, payload: Payload, came_at: float) -> None:
        if payload.get("type") == "view_submission":
            # Without an acknowledgement, which is when `hear` raises, the person may try again.
            self._remember(number, self._hear(kind, payload))
            await self._answer(number, came_at)
            return
        self._remember(number, None)
        try:
            heard = self._hear(kind, payload)
            if isinstance(heard, asyncio.Future):  # there is no other answer to a click
                self._remember(number, heard)
        finally:
            await self._answer(number, came_at)

    async def _answer(self, number: str, came_at: float) -> None:
        answer = self._answers.get(number)
        if not isinstance(answer, asyncio.Future):
            await self._acknowledge(number, answer, came_at)
            return
        await asyncio.wait([answer], timeout=_SETTLED_WITHIN - (self._now() - came_at))
        if answer.done() and not answer.cancelled() and answer.exception() is None:
            await self._acknowledge(number, None, came_at)
        else:
            _log.warning("something that was heard is not done in time; Slack is not told yet")

    def _remember(self, number: str, answer: Payload | Settled | None) -> None:
        self._answers[number] = answer
        while len(self._answers) > _REMEMBERED:
            self._answers.popitem(last=False)

    async def _acknowledge(self, number: str, answer: Payload | None, came_at: float) -> None:
        response = {"envelope_id": number} | ({"payload": dict(answer)} if answer else {})
        try:
            async with asyncio.timeout(_ACKNOWLEDGED_WITHIN):
                if self._client is not None:
                    await self._client.send_socket_mode_response(response)
        except (aiohttp.ClientError, OSError, TimeoutError):
            _log.warning("Slack could not be told that something was heard")
        else:
            self._acknowledged(self._now() - came_at)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its text may quote what somebody typed.
            _log.error("a bug, %s, while hearing Slack", type(error).__name__)
