"""What is said and shown, as it is kept."""

from dataclasses import dataclass, field
from typing import Any, Final, cast

Json = dict[str, Any]
TOMBSTONE: Final = "tombstone"


def object_of(value: object) -> Json:
    """Return what may be an object of JSON; an empty one if it is something else."""
    return cast("Json", value) if isinstance(value, dict) else {}


@dataclass(slots=True, kw_only=True)
class Message:
    """One message of a channel, or the one that only `to` can see."""

    channel: str
    ts: str
    user: str
    text: str = ""
    blocks: list[Json] = field(default_factory=list[Json])
    metadata: Json = field(default_factory=dict[str, Any])
    thread_ts: str = ""
    to: str = ""  # the only person who sees it; the empty one is everybody
    edited: str = ""
    bot_id: str = ""
    app_id: str = ""
    subtype: str = ""
    reactions: dict[str, list[str]] = field(default_factory=dict[str, list[str]])

    @property
    def is_reply(self) -> bool:
        return self.thread_ts not in {"", self.ts}


@dataclass(slots=True, kw_only=True)
class View:
    """A modal that a person sees, with what was filled in at the last attempt, and the errors."""

    id: str
    user: str
    content: Json
    hash: str
    root: str
    previous: str = ""
    errors: dict[str, str] = field(default_factory=dict[str, str])
    filled: Json = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an app took what a person did; without an acknowledgement the person sees a warning."""

    acknowledged: bool
    payload: Json
    answer: Json = field(default_factory=dict[str, Any])  # what came with the acknowledgement
