"""
Who minds Ctrl-C: the upgrade while it runs, else the rehearsal, and nobody while it clears away.

A terminal sends SIGINT to both; what was sent to the rehearsal alone is handed on.
"""

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final, Protocol

_HEARD: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Receiver(Protocol):
    """Somebody who can be sent a signal."""

    def send(self, number: int) -> None: ...


class Signals:
    """What becomes of the signals that this process gets."""

    def __init__(self) -> None:
        self._receiver: Receiver | None = None
        self._is_over = False

    @contextmanager
    def heard(self) -> Generator[None]:
        """Raise KeyboardInterrupt for the first one in a block, and ignore the others."""
        before = {number: signal.signal(number, self._hear) for number in _HEARD}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def left_to(self, receiver: Receiver) -> Generator[None]:
        """Leave them to somebody else for a block."""
        self._receiver = receiver
        try:
            yield
        finally:
            self._receiver = None

    @contextmanager
    def ignored_afterwards(self) -> Generator[None]:
        """Ignore them once the block is over: what is cleared away then is cleared away wholly."""
        try:
            yield
        finally:
            self._is_over = True

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        if self._receiver is not None:
            if number != signal.SIGINT or not _has_terminal():
                self._receiver.send(signal.SIGINT)
        elif not self._is_over:
            self._is_over = True
            raise KeyboardInterrupt


def _has_terminal() -> bool:
    """Whether Ctrl-C in a terminal reaches this process, and its children with it."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    finally:
        os.close(terminal)
