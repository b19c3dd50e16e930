"""
What may go wrong on purpose, per method of the Web API or for all of them.

A fault of `times` happens so often and is then over; without, it stays until it is taken away.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

Kind = Literal["delay", "status", "error", "ratelimited", "lose-answer", "refuse"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
EVERY: Final = "*"
DOWN: Final = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """
    One thing that goes wrong with the calls of a method.

    `delay` answers after `seconds`; `status` answers with that HTTP `status` and no effect; `error`
    answers {"ok": false, "error": `error`}; `ratelimited` answers 429 with Retry-After `seconds`;
    `lose-answer` does what was asked and hangs up; `refuse` hangs up before anything was done.
    """

    kind: Kind
    method: str = EVERY
    seconds: float = 1.0
    status: int = 503
    error: str = "internal_error"
    times: int | None = None


class Faults:
    """The faults that are set; `is_down` is Slack being away altogether."""

    def __init__(self) -> None:
        self._set: list[Fault] = []
        self.is_down = False

    def add(self, fault: Fault) -> None:
        self._set.append(fault)

    def clear(self) -> None:
        self._set.clear()
        self.is_down = False

    @property
    def all(self) -> tuple[Fault, ...]:
        return tuple(self._set)

    def take(self, method: str) -> list[Fault]:
        """Return what befalls a call, and count it."""
        befalling = [one for one in self._set if one.method in {EVERY, method}]
        for one in befalling:
            if one.times is None:
                continue
            self._set.remove(one)
            if one.times > 1:
                self._set.append(replace(one, times=one.times - 1))
        return befalling
