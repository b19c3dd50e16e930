"""Where the command line says what: results on stdout, everything else on stderr."""

import sys
from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from tasks.domain.documents import RunReport


class Format(StrEnum):
    """For whom the result is."""

    TEXT = "text"
    JSON = "json"


def stdout() -> Console:
    """Return the console that results go to."""
    return Console(highlight=False, soft_wrap=True, emoji=False)


def stderr() -> Console:
    """Return the console for progress, questions and errors."""
    return Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)


def say(text: str) -> None:
    """Tell people something on the way."""
    stderr().print(text, markup=False)


def document(value: msgspec.Struct) -> None:
    """Print the one JSON document of this invocation."""
    encoded = msgspec.json.format(msgspec.json.encode(value), indent=2).decode()
    sys.stdout.write(f"{encoded}\n")


def ended(report: RunReport, output: Format) -> None:
    """Print how a command ended, for people and for programs."""
    if output is Format.JSON:
        document(report)
    lines = [f"{report.outcome}: {report.text}", *(f"  to do: {one}" for one in report.todo)]
    console = stdout() if report.exit_code == 0 and output is Format.TEXT else stderr()
    for line in lines:
        console.print(line, markup=False)


def table(title: str, rows: Sequence[Mapping[str, str]]) -> None:
    """Print rows as a table; nothing when there are none."""
    if not rows:
        return
    columns = list(dict.fromkeys(key for row in rows for key in row))
    drawn = Table(*columns, title=title, title_justify="left")
    for row in rows:
        drawn.add_row(*(Text(row.get(column, "")) for column in columns))
    Console(highlight=False, emoji=False).print(drawn)
