"""
Block Kit in small pieces that keep Slack's limits, and what makes other people's text harmless.

Slack refuses a message that is a character too long, so everything is cut here. Texts that builders
take are Slack's markup: whatever comes from outside has to go through `escape` first.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from tasks.domain.slack import Block, Message

Json: TypeAlias = dict[str, Any]

MOST_BLOCKS: Final = 50  # of a message
MOST_MODAL_BLOCKS: Final = 100
LONGEST_SECTION: Final = 3000
LONGEST_FIELD: Final = 2000
LONGEST_CONTEXT: Final = 2000
LONGEST_HEADER: Final = 150
LONGEST_BUTTON: Final = 75
LONGEST_VALUE: Final = 2000
LONGEST_FALLBACK: Final = 1000  # Slack takes 4,000; a notification shows far less

_MOST_FIELDS: Final = 10
_LONGEST_TITLE: Final = 100  # of a confirmation
_LONGEST_QUESTION: Final = 300
_LONGEST_ANSWER: Final = 30
_LONGEST_NAME: Final = 300  # of one text from outside
_ELLIPSIS: Final = "…"

_ENTITIES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
# Slack knows no way to write these as they are, so others that look alike stand for them. An underscore inside
# of a word formats nothing and stays: people copy names.
_LOOKALIKES: Final = {"*": "∗", "~": "∼", "`": "ˋ", "_": "ˍ"}  # noqa: RUF001
_SPECIAL: Final = re.compile(r"[&<>*~`]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])")
# Between these and the next character goes a joiner that nobody sees, and the word means nothing to Slack.
_AT: Final = re.compile(r"@(?=channel|here|everyone|group)", re.IGNORECASE)
_EMOJI: Final = re.compile(r":(?=[a-z0-9_+'-]*[a-z][a-z0-9_+'-]*:)", re.IGNORECASE)
_JOINER: Final = "\u2060"
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
# What is cut only as a whole: an entity, and a mention, link or date.
_PIECE: Final = re.compile(r"&(?:amp|lt|gt);|<[^<>]*>|.", re.DOTALL)


# ---- text


def length(text: str) -> int:
    """Count as the stricter of Slack's counts does: some characters are two."""
    return len(text) + sum(one > "\uffff" for one in text)


def cut(text: str, limit: int) -> str:
    """Return markup of at most so many characters, whole entities and mentions only."""
    if length(text) <= limit:
        return text
    kept: list[str] = []
    room = limit - length(_ELLIPSIS)
    for piece in _PIECE.findall(text):
        room -= length(piece)
        if room < 0:
            break
        kept.append(piece)
    return "".join(kept).rstrip() + _ELLIPSIS


def in_one_line(text: str) -> str:
    """Drop line breaks and everything that cannot be seen."""
    words = " ".join(text.split())
    seen = "".join(one for one in words if unicodedata.category(one) not in _HIDDEN)
    return " ".join(seen.split())


def escape(text: str, limit: int = _LONGEST_NAME) -> str:
    """Return text from outside as markup that shows it in one line, and mentions or formats nothing."""
    line = _EMOJI.sub(f":{_JOINER}", _AT.sub(f"@{_JOINER}", in_one_line(text)))
    return cut(_SPECIAL.sub(_harmless, line), limit)


def _harmless(found: re.Match[str]) -> str:
    one = found.group()
    return _ENTITIES.get(one) or _LOOKALIKES[one]


def plain(text: str) -> str:
    """Return text from outside for where Slack formats nothing, in one line."""
    return in_one_line(text).replace("<", "‹").replace(">", "›")  # noqa: RUF001


def code(text: str) -> str:
    """Return a name from outside, to be told from the words around it."""
    return f"`{escape(text) or '?'}`"


def lines_within(lines: Sequence[str], limit: int, *, most: int, rest: str = "") -> str:
    """Return as many whole lines as fit, and how many did not; `rest` says where those are."""
    shown = [cut(line, limit // 2) for line in lines[:most]]
    while True:
        left = len(lines) - len(shown)
        last = [f"and {left} more{rest}"] if left else []
        text = "\n".join([*shown, *last])
        if length(text) <= limit or not shown:
            return cut(text, limit)
        shown.pop()


# ---- blocks


def header(text: str) -> Json:
    """Build a title."""
    return {"type": "header", "text": _plain_text(text, LONGEST_HEADER)}


def section(text: str) -> Json:
    """Build a paragraph."""
    return {"type": "section", "text": _markup(text, LONGEST_SECTION)}


def fields(pairs: Iterable[tuple[str, str]]) -> Json:
    """Build short facts in two columns: what each is called, and what it is."""
    shown = [_markup(f"*{name}*\n{value}", LONGEST_FIELD) for name, value in pairs]
    return {"type": "section", "fields": shown[:_MOST_FIELDS]}


def context(text: str) -> Json:
    """Build a remark in small print."""
    return {"type": "context", "elements": [_markup(text, LONGEST_CONTEXT)]}


def divider() -> Json:
    """Build a line across."""
    return {"type": "divider"}


def actions(buttons: Sequence[Json]) -> Json:
    """Build a row of buttons."""
    return {"type": "actions", "elements": list(buttons)}


def button(
    text: str, *, action: str, value: str, style: str | None = None, confirm: Json | None = None
) -> Json:
    """Build a button. Its value is never cut: who makes it looks to its length."""
    made: Json = {
        "type": "button",
        "text": _plain_text(text, LONGEST_BUTTON),
        "action_id": action,
        "value": value,
    }
    if style is not None:
        made["style"] = style
    if confirm is not None:
        made["confirm"] = confirm
    return made


def confirmation(title: str, text: str, *, yes: str, no: str) -> Json:
    """Build the question that Slack asks before a click counts."""
    return {
        "title": _plain_text(title, _LONGEST_TITLE),
        "text": _plain_text(text, _LONGEST_QUESTION),
        "confirm": _plain_text(yes, _LONGEST_ANSWER),
        "deny": _plain_text(no, _LONGEST_ANSWER),
    }


def message(text: str, blocks: Sequence[Block]) -> Message:
    """Build a message; the text is what notifications and screen readers get, without markup."""
    return Message(text=cut(text, LONGEST_FALLBACK), blocks=tuple(blocks[:MOST_BLOCKS]))


def _markup(text: str, limit: int) -> Json:
    # Verbatim: Slack makes no link or mention of what only looks like one.
    return {"type": "mrkdwn", "text": cut(text.strip(), limit) or _ELLIPSIS, "verbatim": True}


def _plain_text(text: str, limit: int) -> Json:
    return {"type": "plain_text", "text": cut(plain(text), limit) or _ELLIPSIS, "emoji": False}
