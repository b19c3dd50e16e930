"""What precheck and analyze have found, and how they print it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import yaml

from deployments.rehearsal.istioctl.errors import CommandError

Json = dict[str, Any]

_SITE: Final = "https://istio.io"
_PAGES: Final = "docs/reference/config/analysis"
DOCUMENTATION: Final = f"{_SITE}/latest/{_PAGES}/"
_COLOURS: Final = {"Warning": "\033[33m", "Error": "\033[1;31m"}
_END: Final = "\033[0m"


class Level(IntEnum):
    """How bad it is; the greater, the worse."""

    INFO = 0
    WARNING = 1
    ERROR = 2

    @property
    def shown(self) -> str:
        return self.name.capitalize()


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    code: str
    level: Level
    text: str
    origin: str = ""  # `Kind name.namespace`

    def document(self, where: str) -> Json:
        """Return it as `-o json` does, with the pages on which messages are explained."""
        origin = {"origin": self.origin} if self.origin else {}
        return {
            "code": self.code,
            "documentationUrl": where.format(code=self.code.lower()),
            "level": self.level.shown,
            "message": self.text,
            **origin,
        }

    def line(self, *, is_coloured: bool) -> str:
        level = self.level.shown
        if is_coloured and level in _COLOURS:
            level = f"{_COLOURS[level]}{level}{_END}"
        elif is_coloured:
            level = f"{level}{_END}"
        origin = f" ({self.origin})" if self.origin else ""
        return f"{level} [{self.code}]{origin} {self.text}"


def level(name: str, otherwise: Level) -> Level:
    """Return a level by its name."""
    if not name:
        return otherwise
    try:
        return Level[name.upper()]
    except KeyError:
        raise CommandError(
            f'"{name}" not a valid option, please choose from: Info, Warning, Error'
        ) from None


def explained(version: str, *, asked_by: str = "") -> str:
    """Return where the messages of a version are explained."""
    minor = ".".join(version.split(".")[:2])
    return f"{_SITE}/v{minor}/{_PAGES}/{{code}}/" + (f"?ref={asked_by}" if asked_by else "")


def printed(messages: Sequence[Message], form: str, *, where: str, is_coloured: bool) -> str:
    """Return all messages in a format. Raises CommandError for an unknown one."""
    if form == "json":
        return json.dumps([one.document(where) for one in messages], indent="\t")
    if form == "yaml":
        return str(yaml.safe_dump([one.document(where) for one in messages]))
    if form == "log":
        return "\n".join(one.line(is_coloured=is_coloured) for one in messages)
    raise CommandError(f'invalid format, expected one of [log json yaml] but got "{form}"')
