"""
What people see of a rehearsal: what the upgrade says, and below it the proxies as they move.

In a terminal the picture stays at the bottom and moves; elsewhere it is a line now and then.
"""

import threading
import time
from types import TracebackType
from typing import Final, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from deployments.rehearsal.rehearsing.progress import Counts, Progress, Row

_WIDTH: Final = 24
_LINE_EVERY: Final = 5.0
_OLD, _NEW, _OTHER = "yellow", "green", "red"
_QUESTION: Final = "Approve gate "  # the product's own: it waits for a line of the terminal


class View:
    """Everything that a rehearsal tells people, on stderr."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._console = Console(stderr=True, highlight=False, soft_wrap=True, emoji=False)
        self._live: Live | None = None
        self._lock = threading.RLock()
        self._said_at = 0.0
        self._said = ""

    def __enter__(self) -> Self:
        """Show the proxies from here on."""
        if self._console.is_terminal:
            self._live = Live(
                console=self._console,
                get_renderable=self._picture,
                auto_refresh=False,
                transient=True,
            )
            self._live.start(refresh=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last picture standing."""
        with self._lock:
            if self._live is not None:
                self._live.stop()
                self._live = None
                self._console.print(self._picture())

    def say(self, text: str) -> None:
        """Tell people something."""
        with self._lock:
            if self._live is None:
                self._console.print(text, markup=False)
                return
            self._live.start()
            self._live.console.print(text, markup=False)
            if text.startswith(_QUESTION):
                self._live.stop()  # else the answer that is typed would be drawn over
            else:
                self._live.refresh()

    def count(self, changed: Counts) -> None:
        """Take note of proxies that are elsewhere now."""
        with self._lock:
            self._progress.take(changed)
            if self._live is not None and self._live.is_started:
                self._live.refresh()
            elif self._live is None:
                self._line()

    def _line(self) -> None:
        now, text = time.monotonic(), self._progress.sentence()
        if text == self._said or now - self._said_at < _LINE_EVERY:
            return
        if self._said:
            self._console.print(text, markup=False)
        self._said_at, self._said = now, text

    def _picture(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        rows, left_out = self._progress.rows()
        for row in rows:
            table.add_row(row.name, self._bar(row), self._numbers(row))
        if left_out:
            table.add_row(Text(f"and {left_out} more", style="dim"))
        return Group(Text(self._progress.sentence(), style="bold"), table)

    def _bar(self, row: Row) -> Text:
        bar = Text()
        old, new = row.share(self._progress.old), row.share(self._progress.new)
        for share, colour in ((new, _NEW), (old, _OLD), (1 - old - new, _OTHER)):
            bar.append("━" * round(share * _WIDTH), style=colour)
        return bar

    def _numbers(self, row: Row) -> Text:
        numbers = [f"{number} on {revision}" for revision, number in sorted(row.counts.items())]
        return Text(", ".join(numbers))
