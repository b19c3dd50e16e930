"""The keyboard at which gates are answered: read without waiting, and only what was typed for the question."""

import os
import select
import sys
import termios
from typing import Protocol, TextIO


class Keyboard(Protocol):
    """Where somebody may type an answer."""

    def forget(self) -> None:
        """Drop what was typed already: it was typed before there was a question."""
        ...

    def line(self) -> str | None:
        """Return a line that somebody typed, None if nobody did; at the end of input an empty one."""
        ...


class Terminal:
    """A `Keyboard` that is a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def forget(self) -> None:
        if not self._is_in_background():
            termios.tcflush(self._stream, termios.TCIFLUSH)

    def line(self) -> str | None:
        if self._is_in_background() or not select.select([self._stream], [], [], 0)[0]:
            return None
        return self._stream.readline()

    def _is_in_background(self) -> bool:
        """Whether the terminal is another job's: touching it would stop this process."""
        try:
            return os.tcgetpgrp(self._stream.fileno()) != os.getpgrp()
        except OSError:
            return False  # a terminal that does not control this process


def keyboard() -> Keyboard | None:
    """Return the terminal that this process was started from, None if there is none."""
    return Terminal(sys.stdin) if sys.stdin.isatty() else None
