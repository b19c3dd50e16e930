"""
Slack's Web API, reduced to our own messages and to its people.

What we posted is found again by its metadata, which only our own bot's messages are believed.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec

from tasks.adapters.slack_answers import ResponseUrls
from tasks.adapters.slack_calls import SLACK, Ask, Json, SlackCalls
from tasks.adapters.slack_errors import unsure
from tasks.domain.errors import RefusedError
from tasks.domain.slack import Bot, Label, Message, MessageGoneError, Posted
from tasks.domain.slack_methods import Method

T = TypeVar("T")

EVENT: Final = "istio_canary"
_PAGE: Final = 200
_MOST_PAGES: Final = 50
_TS: Final = re.compile(r"[0-9]{1,12}\.[0-9]{1,9}")
_MODAL_PATIENCE: Final = 1.0  # the trigger lives for three seconds


class _Metadata(msgspec.Struct, frozen=True):
    event_type: str
    event_payload: Label


class _Ours(msgspec.Struct, frozen=True):
    ts: str
    bot_id: str
    metadata: _Metadata
    thread_ts: str | None = None


class _More(msgspec.Struct, frozen=True):
    next_cursor: str = ""


class _Page(msgspec.Struct, frozen=True):
    messages: list[Any]
    response_metadata: _More | None = None


class _Said(msgspec.Struct, frozen=True):
    ts: str


class _Group(msgspec.Struct, frozen=True):
    users: frozenset[str]


class _Us(msgspec.Struct, frozen=True):
    team_id: str
    user_id: str
    bot_id: str | None = None


class SlackApi:
    """`Channel` and `SlackPeople`, with a bot's token; for one event loop."""

    def __init__(
        self,
        token: str,
        *,
        base_url: str = SLACK,
        timeout: timedelta = timedelta(seconds=10),
        now: Callable[[], float] = time.monotonic,
        rest: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """
        Take the token and where Slack is; an address over http is one on this machine.

        `now` and `rest` are a clock in seconds and waiting by it.
        """
        self._calls = SlackCalls(token, base_url=base_url, timeout=timeout, now=now, rest=rest)
        self._answers = ResponseUrls(base_url=base_url, timeout=timeout)
        self._us: Bot | None = None

    # ---- our messages

    async def post(
        self, channel: str, message: Message, *, label: Label, thread: str | None
    ) -> Posted:
        arguments = _arguments(channel, message, label) | {
            "unfurl_links": False,
            "unfurl_media": False,
        }
        if thread is not None:
            arguments["thread_ts"] = thread
        said = await self._ask(Method.POST, arguments, channel=channel)
        try:
            ts = msgspec.convert(said, _Said).ts
        except msgspec.ValidationError:
            raise unsure(Method.POST, "Slack did not say what it posted") from None
        return Posted(ts=ts, label=label)

    async def update(self, channel: str, ts: str, message: Message, *, label: Label) -> None:
        arguments = _arguments(channel, message, label) | {"ts": ts}
        await self._ask(Method.UPDATE, arguments, channel=channel)

    async def heads(self, channel: str, *, since: datetime) -> Sequence[Posted]:
        oldest = f"{since.timestamp():.6f}"
        found = await self._messages(Method.HISTORY, channel, {"oldest": oldest, "inclusive": "1"})
        # A reply that was sent to the channel as well stands there, too.
        return _posted(one for one in found if one.thread_ts in {None, one.ts})

    async def thread(self, channel: str, ts: str) -> Sequence[Posted]:
        try:
            return _posted(await self._messages(Method.REPLIES, channel, {"ts": ts}))
        except MessageGoneError:
            return ()

    async def _messages(
        self, method: Method, channel: str, arguments: Mapping[str, object]
    ) -> Sequence[_Ours]:
        bot = (await self._known()).bot
        found: list[_Ours] = []
        cursor = ""
        for _ in range(_MOST_PAGES):
            asked = {
                **arguments,
                "channel": channel,
                "limit": str(_PAGE),
                "include_all_metadata": "true",
                **({"cursor": cursor} if cursor else {}),
            }
            page = _shaped(method, await self._ask(method, asked, channel=channel), _Page)
            found.extend(one for one in map(_read, page.messages) if one and one.bot_id == bot)
            cursor = page.response_metadata.next_cursor if page.response_metadata else ""
            if not cursor:
                return found
        # Going on with a part of them would post again what stands further away.
        raise RefusedError(
            f"{channel} has more than {_PAGE * _MOST_PAGES} messages where ours are looked for; "
            "configure a channel that is less busy"
        )

    # ---- people

    async def whisper(self, channel: str, user: str, text: str, *, thread: str | None) -> None:
        arguments = {"channel": channel, "user": user, "text": text}
        if thread is not None:
            arguments["thread_ts"] = thread
        await self._ask(Method.WHISPER, arguments, channel=channel)

    async def open_modal(self, trigger: str, view: Mapping[str, object]) -> None:
        arguments = {"trigger_id": trigger, "view": dict(view)}
        await self._calls.ask(
            Ask(method=Method.MODAL, arguments=arguments, patience=_MODAL_PATIENCE)
        )

    async def members(self, group: str) -> frozenset[str]:
        said = await self._ask(Method.MEMBERS, {"usergroup": group}, target=group)
        return _shaped(Method.MEMBERS, said, _Group).users

    async def answer(self, response_url: str, text: str, *, thread: str | None) -> bool:
        return await self._answers.send(response_url, text, thread=thread)

    # ---- ourselves

    async def auth_test(self) -> Bot:
        """Ask Slack who we are, which also shows whether it hears us."""
        answer = await self._calls.ask(Ask(method=Method.WHO_AM_I, arguments={}))
        us = _shaped(Method.WHO_AM_I, answer.json, _Us)
        if us.bot_id is None:
            raise RefusedError("the token is a person's; configure the bot's, xoxb-...")
        self._us = Bot(team=us.team_id, user=us.user_id, bot=us.bot_id, scopes=answer.scopes)
        return self._us

    async def check_channel(self, channel: str) -> None:
        """Return if we may read and write in a channel: Slack lets only members read."""
        await self._ask(Method.HISTORY, {"channel": channel, "limit": "1"}, channel=channel)

    async def check_socket(self) -> None:
        """Return if Slack lets us connect; only with the app's token it does."""
        await self._ask(Method.CONNECT, {})

    async def _known(self) -> Bot:
        return self._us or await self.auth_test()

    async def _ask(
        self,
        method: Method,
        arguments: Mapping[str, object],
        *,
        channel: str = "",
        target: str = "",
    ) -> Json:
        ask = Ask(method=method, arguments=arguments, channel=channel, target=target)
        return (await self._calls.ask(ask)).json


def _arguments(channel: str, message: Message, label: Label) -> dict[str, object]:
    return {
        "channel": channel,
        "text": message.text,
        "blocks": list(message.blocks),  # an update without any would keep the old ones
        "metadata": {"event_type": EVENT, "event_payload": msgspec.to_builtins(label)},
    }


def _shaped(method: Method, said: Json, shape: type[T]) -> T:
    try:
        return msgspec.convert(said, shape)
    except msgspec.ValidationError:
        # No cause: it quotes.
        raise RefusedError(f"Slack's answer to {method.name_in_slack} has another form") from None


def _read(message: object) -> _Ours | None:
    """Read one of Slack's messages; None unless it is labelled as ours are."""
    try:
        ours = msgspec.convert(message, _Ours)
    except msgspec.ValidationError:
        return None
    return ours if ours.metadata.event_type == EVENT and _TS.fullmatch(ours.ts) else None


def _posted(messages: Iterable[_Ours]) -> Sequence[Posted]:
    # By ts: the head of a thread stands on each of its pages.
    found = {one.ts: Posted(ts=one.ts, label=one.metadata.event_payload) for one in messages}
    return tuple(found[ts] for ts in sorted(found, key=_moment))


def _moment(ts: str) -> tuple[int, int]:
    seconds, _, rest = ts.partition(".")
    return int(seconds), int(rest.ljust(9, "0"))
