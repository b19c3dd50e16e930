"""Slack's timestamps, which name messages: they only ever grow."""

from collections.abc import Callable
from typing import Final

Now = Callable[[], float]
_MICRO: Final = 1_000_000
_STEP: Final = 100


class Stamps:
    """Hands out the names of messages."""

    def __init__(self, now: Now) -> None:
        self._now = now
        self._last = 0

    def next(self) -> str:
        wanted = int(self._now() * _MICRO) // _STEP * _STEP
        self._last = max(wanted, self._last + _STEP)
        return f"{self._last // _MICRO}.{self._last % _MICRO:06}"


def order(ts: str) -> tuple[int, int]:
    """Return what timestamps sort by, also those that people shorten. Raises ValueError."""
    seconds, _, micros = ts.partition(".")
    return int(seconds), int(micros[:6].ljust(6, "0") or 0)
