"""Waiting for a real cluster, which tells nobody when it is done. Nothing else here sleeps."""

import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


def until(condition: Callable[[], _T], *, what: str, seconds: float = 60, every: float = 0.3) -> _T:
    """Return the first true value of a condition. Fails, saying what was waited for."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= end:
            raise AssertionError(f"{what}: not within {seconds:.0f} s (last seen: {value!r})")
        pause(every)


def pause(seconds: float) -> None:
    """Let time pass, where the passing of time is what is tested."""
    time.sleep(seconds)  # noqa: TID251 - there is no event to wait for
