"""What a method of the Web API is, and how arguments are read."""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from deployments.rehearsal.slack.errors import Refused
from deployments.rehearsal.slack.limits import TIERS
from deployments.rehearsal.slack.objects import Json
from deployments.rehearsal.slack.state import Slack

T = TypeVar("T")
_FALSE: Final = frozenset({"", "0", "false", "False"})
_PAGE: Final = 100
_MOST: Final = 999


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method: what it does, who may call it, and how often in a minute."""

    run: Callable[[Slack, Json], Json]
    allowed: int = TIERS[3]
    scopes: tuple[str, ...] = ()  # any one of them will do
    for_app: bool = False  # with the app's token, not the bot's
    for_anyone: bool = False


def is_true(arguments: Json, name: str) -> bool:
    """Say whether a flag is set, in a form or in JSON."""
    value = arguments.get(name)
    return bool(value) and str(value) not in _FALSE


def text_of(arguments: Json, name: str) -> str:
    """Return a string argument; the empty string is none."""
    value = arguments.get(name)
    return "" if value is None else str(value)


def needed(arguments: Json, name: str) -> str:
    """Return a string argument that there must be. Raises Refused."""
    found = text_of(arguments, name)
    if not found:
        message = f"[ERROR] missing required field: {name}"
        raise Refused("invalid_arguments", response_metadata={"messages": [message]})
    return found


def page_of(
    arguments: Json, items: Sequence[T], name_of: Callable[[T], str]
) -> tuple[list[T], str]:
    """Return a page of what there is, and the cursor of the next; it names what is first there."""
    limit = _limit(arguments)
    first = _from_cursor(text_of(arguments, "cursor"))
    start = 0
    if first:
        names = [name_of(one) for one in items]
        if first not in names:
            raise Refused("invalid_cursor")
        start = names.index(first)
    rest = items[start + limit :]
    return list(items[start : start + limit]), _cursor(name_of(rest[0])) if rest else ""


def with_cursor(answer: Json, cursor: str) -> Json:
    return answer | {"response_metadata": {"next_cursor": cursor}}


def _limit(arguments: Json) -> int:
    value: Any = arguments.get("limit") or _PAGE
    try:
        limit = int(value)
    except (TypeError, ValueError):
        raise Refused("invalid_limit") from None
    if not 1 <= limit <= _MOST + 1:
        raise Refused("invalid_limit")
    return min(limit, _MOST)


def _cursor(name: str) -> str:
    return base64.b64encode(f"next:{name}".encode()).decode()


def _from_cursor(cursor: str) -> str:
    if not cursor:
        return ""
    try:
        kind, _, name = base64.b64decode(cursor, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise Refused("invalid_cursor") from None
    if kind != "next" or not name:
        raise Refused("invalid_cursor")
    return name
