"""Slack's markup as HTML: the basics, and nothing that was not escaped."""

import html
import re
from collections.abc import Callable, Mapping
from typing import Final

from markupsafe import Markup

from deployments.rehearsal.slack.directory import Directory
from deployments.rehearsal.slack.objects import Json

_FENCED: Final = re.compile(r"```(.+?)```|`([^`\n]+)`", re.DOTALL)
_ANGLED: Final = re.compile(r"<([^<>\n]+)>")
_EMOJI: Final = re.compile(r":([a-z0-9_+-]+):")
_QUOTED: Final = re.compile(r"^(?:&gt;|>) ?(.*)$", re.MULTILINE)
_STYLES: Final = (
    (re.compile(r"(?<![\w*])\*(?! )([^*\n]+?)(?<! )\*(?![\w*])"), r"<b>\1</b>"),
    (re.compile(r"(?<![\w_])_(?! )([^_\n]+?)(?<! )_(?![\w_])"), r"<i>\1</i>"),
    (re.compile(r"(?<![\w~])~(?! )([^~\n]+?)(?<! )~(?![\w~])"), r"<s>\1</s>"),
)
_SEEN: Final[Mapping[str, str]] = {
    "+1": "👍",
    "arrows_counterclockwise": "🔄",
    "bell": "🔔",
    "checkered_flag": "🏁",
    "eyes": "👀",
    "fire": "🔥",
    "hourglass": "⌛",
    "hourglass_flowing_sand": "⏳",
    "information_source": "ℹ️",  # noqa: RUF001 - it is that emoji
    "large_blue_circle": "🔵",
    "large_green_circle": "🟢",
    "large_yellow_circle": "🟡",
    "lock": "🔒",
    "no_entry": "⛔",
    "no_entry_sign": "🚫",
    "pause_button": "⏸️",
    "question": "❓",
    "red_circle": "🔴",
    "rewind": "⏪",
    "rocket": "🚀",
    "rotating_light": "🚨",
    "tada": "🎉",
    "warning": "⚠️",
    "white_check_mark": "✅",
    "x": "❌",
}


class Rendering:
    """Knows the names that ids stand for."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def text(self, text: Json) -> Markup:
        """Return a text object as HTML."""
        if text.get("type") == "plain_text":
            return plain(str(text.get("text", "")))
        return self.mrkdwn(str(text.get("text", "")))

    def mrkdwn(self, text: str) -> Markup:
        """Return what a message says as HTML."""
        return Markup(_around(_FENCED, text, _code, self._outside_code))  # noqa: S704 - escaped

    def _outside_code(self, text: str) -> str:
        return _around(_ANGLED, text, self._reference, _formatted)

    def _reference(self, match: re.Match[str]) -> str:
        inside, _, label = match[1].partition("|")
        known = self._directory
        if inside.startswith("@"):
            person = known.people.get(inside[1:])
            return _mention(f"@{person.name if person else label or inside[1:]}")
        if inside.startswith("#"):
            channel = known.channels.get(inside[1:])
            return _mention(f"#{channel.name if channel else label or inside[1:]}")
        if inside.startswith("!subteam^"):
            group = known.groups.get(inside.removeprefix("!subteam^"))
            return _mention(f"@{group.handle if group else label.lstrip('@') or 'unknown'}")
        if inside.startswith("!date^"):
            return _escaped(label)
        if inside.startswith("!"):
            return _mention(f"@{inside[1:]}")
        return _link(inside, label)


def plain(text: str) -> Markup:
    """Return plain text as HTML; only emoji have a meaning in it."""
    return Markup(_lines(_EMOJI.sub(_emoji, _escaped(text))))  # noqa: S704 - escaped


def is_web(value: str) -> bool:
    return value.startswith(("http://", "https://"))


def _around(
    pattern: re.Pattern[str],
    text: str,
    inside: Callable[[re.Match[str]], str],
    outside: Callable[[str], str],
) -> str:
    done, at = list[str](), 0
    for match in pattern.finditer(text):
        done += [outside(text[at : match.start()]), inside(match)]
        at = match.end()
    return "".join([*done, outside(text[at:])])


def _escaped(text: str) -> str:
    """Escape for HTML what came escaped for Slack, and what did not."""
    raw = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return html.escape(raw)


def _code(match: re.Match[str]) -> str:
    if match[1] is not None:
        return f"<pre>{_escaped(match[1].strip())}</pre>"
    return f"<code>{_escaped(match[2])}</code>"


def _formatted(text: str) -> str:
    done = _EMOJI.sub(_emoji, _escaped(text))
    for pattern, replacement in _STYLES:
        done = pattern.sub(replacement, done)
    return _lines(_QUOTED.sub(r"<blockquote>\1</blockquote>", done))


def _lines(text: str) -> str:
    return text.replace("</blockquote>\n", "</blockquote>").replace("\n", "<br>")


def _emoji(match: re.Match[str]) -> str:
    return _SEEN.get(match[1], match[0])


def _mention(name: str) -> str:
    return f'<span class="mention">{_escaped(name)}</span>'


def _link(url: str, label: str) -> str:
    shown = _escaped(label or url)
    if url.startswith("mailto:") or is_web(url):
        return f'<a href="{_escaped(url)}" target="_blank" rel="noopener noreferrer">{shown}</a>'
    return shown
