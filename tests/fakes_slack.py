"""A Slack in memory, which takes messages, and can be away, forgetful or silent about what it took."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tasks.domain.errors import TransientError
from tasks.domain.slack import AnswerLostError, Label, Message, MessageGoneError, Posted
from tests.builders import NOW

_FIRST = int(NOW.timestamp())


@dataclass(kw_only=True)
class Stored:
    """A message as it stands in a channel."""

    ts: str
    thread: str | None
    message: Message
    label: Label
    edits: int = 0


@dataclass(kw_only=True)
class FakeSlack:
    """Everything that was said, in order."""

    messages: list[Stored] = field(default_factory=list[Stored])
    whispers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    answers: list[str] = field(default_factory=list[str])
    modals: list[Mapping[str, object]] = field(default_factory=list[Mapping[str, object]])
    groups: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    is_down: bool = False
    loses_answers: bool = False  # it takes what is posted, and does not say so
    hangs: bool = False
    has_response_urls: bool = True

    # ---- Channel

    async def post(
        self, channel: str, message: Message, *, label: Label, thread: str | None
    ) -> Posted:
        await self._answer()
        ts = f"{_FIRST + len(self.messages)}.000100"
        self.messages.append(Stored(ts=ts, thread=thread, message=message, label=label))
        if self.loses_answers:
            raise AnswerLostError("the connection was cut")
        if self.hangs:
            await asyncio.sleep(3600)
        return Posted(ts=ts, label=label)

    async def update(self, channel: str, ts: str, message: Message, *, label: Label) -> None:
        await self._answer()
        stored = next((one for one in self.messages if one.ts == ts), None)
        if stored is None:
            raise MessageGoneError("it was deleted")
        stored.message, stored.label = message, label
        stored.edits += 1

    async def heads(self, channel: str, *, since: datetime) -> Sequence[Posted]:
        await self._answer()
        return [
            Posted(ts=one.ts, label=one.label)
            for one in self.messages
            if one.thread is None and datetime.fromtimestamp(float(one.ts), tz=UTC) >= since
        ]

    async def thread(self, channel: str, ts: str) -> Sequence[Posted]:
        await self._answer()
        return [Posted(ts=one.ts, label=one.label) for one in self.messages if one.thread == ts]

    # ---- SlackPeople

    async def whisper(self, channel: str, user: str, text: str, *, thread: str | None) -> None:
        await self._answer()
        self.whispers.append((user, text))

    async def answer(self, response_url: str, text: str, *, thread: str | None) -> bool:
        await self._answer()
        if self.has_response_urls:
            self.answers.append(text)
        return self.has_response_urls

    async def open_modal(self, trigger: str, view: Mapping[str, object]) -> None:
        await self._answer()
        self.modals.append(view)

    async def members(self, group: str) -> frozenset[str]:
        await self._answer()
        return frozenset(self.groups.get(group, ()))

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        if self.is_down:
            raise TransientError("Slack does not answer")

    # ---- what stands there

    @property
    def keys(self) -> list[str]:
        return [one.label.key for one in self.messages]

    def of(self, key: str) -> Stored:
        (found,) = (one for one in self.messages if one.label.key == key)
        return found

    def delete(self, key: str) -> None:
        """Delete a message, as people can."""
        self.messages.remove(self.of(key))

    @property
    def heard(self) -> list[str]:
        """What people were told alone, by whatever way."""
        return [*self.answers, *(text for _, text in self.whispers)]
