"""
What is said in Slack, and what is heard from there, as plain values.

Nothing here talks to Slack, and nothing here knows what the words mean.
"""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

import msgspec

from tasks.domain.errors import RefusedError, TransientError

Block: TypeAlias = Mapping[str, Any]  # of Block Kit, as JSON


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Something to say: `text` is what notifications and screen readers get."""

    text: str
    blocks: tuple[Block, ...] = ()

    @property
    def fingerprint(self) -> str:
        """What tells this message from another one; kept with it in Slack."""
        content = msgspec.json.encode([self.text, self.blocks], order="sorted")
        return hashlib.sha256(content).hexdigest()[:16]


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """A message's metadata in Slack, by which it is found again: never posted twice."""

    cluster: str
    run: str
    key: str  # what it is in its thread: head, findings, gate-start, ...
    fingerprint: str  # of what it says


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """One of our own messages, as it stands in a channel."""

    ts: str  # its id within the channel
    label: Label


class Bot(msgspec.Struct, frozen=True, kw_only=True):
    """Who we are in Slack, by our bot token."""

    team: str
    user: str
    bot: str  # what our messages carry as bot_id
    scopes: frozenset[str]


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody in Slack. Both ids are needed: people of other workspaces share channels."""

    team: str
    user: str

    @property
    def identity(self) -> str:
        """How votes and policies name this person."""
        return f"slack:{self.team}/{self.user}"


class Click(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody pressed a button under one of our messages."""

    person: Person
    channel: str
    message: str  # its ts
    thread: str  # ts of the thread's first message
    action: str
    value: str
    at: datetime
    response_url: str
    trigger: str  # opens a modal, within three seconds


class Submission(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody sent a modal off."""

    person: Person
    callback: str
    private: str  # what the modal was opened with
    values: Mapping[str, str]  # by action id


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody typed a slash command."""

    person: Person
    channel: str
    text: str
    response_url: str
    trigger: str


Heard = Click | Submission | Command


class AnswerLostError(TransientError):
    """Slack may have taken a message, or not: look for it before it is posted again."""


class MessageGoneError(RefusedError):
    """A message of ours was deleted by somebody, or may no longer be changed."""
