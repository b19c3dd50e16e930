"""
Flags as istioctl takes them: GNU style, anywhere among the arguments, repeated where they may be.

Errors are worded as its own, since people search for them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from deployments.rehearsal.istioctl.errors import UsageError

_DURATION: Final = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|h|m|s))+")
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|h|m|s)")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_YES, _NO = frozenset({"1", "t", "T", "true", "TRUE", "True"}), frozenset({"0", "f", "F", "false"})


class Takes(Enum):
    """What a flag's value may be."""

    TEXT = "text"
    SWITCH = "switch"
    NUMBER = "number"
    DURATION = "duration"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    name: str
    short: str = ""
    takes: Takes = Takes.TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a command line said."""

    values: Mapping[str, Sequence[str]]
    arguments: Sequence[str] = field(default_factory=tuple[str, ...])

    def text(self, name: str, otherwise: str = "") -> str:
        given = self.values.get(name)
        return given[-1] if given else otherwise

    def every(self, name: str) -> Sequence[str]:
        """Return all values of a flag that may be repeated."""
        return self.values.get(name, ())

    def every_part(self, name: str) -> Sequence[str]:
        """Return all values of a flag whose values may also be a list with commas."""
        return [part for value in self.every(name) for part in value.split(",")]

    def has(self, name: str, *, otherwise: bool = False) -> bool:
        given = self.values.get(name)
        return given[-1] in _YES if given else otherwise

    def seconds(self, name: str, otherwise: float) -> float:
        given = self.values.get(name)
        return _seconds(given[-1]) if given else otherwise

    def number(self, name: str, otherwise: int = 0) -> int:
        given = self.values.get(name)
        return int(given[-1]) if given else otherwise


def parsed(argv: Sequence[str], flags: Iterable[Flag]) -> Options:
    """Read a command line. Raises UsageError."""
    known = tuple(flags)
    long = {f"--{flag.name}": flag for flag in known}
    short = {flag.short: flag for flag in known if flag.short}
    values: dict[str, list[str]] = {}
    arguments: list[str] = []
    words = iter(argv)
    for word in words:
        if word == "--":
            arguments.extend(words)
        elif word.startswith("--"):
            _take_long(word, words, long, values)
        elif word.startswith("-") and word != "-":
            _take_short(word, words, short, values)
        else:
            arguments.append(word)
    return Options(values=values, arguments=tuple(arguments))


def _take_long(
    word: str, words: Iterator[str], long: Mapping[str, Flag], values: dict[str, list[str]]
) -> None:
    name, equals, value = word.partition("=")
    flag = long.get(name)
    if flag is None:
        raise UsageError(f"unknown flag: {name}")
    if not equals:
        value = "true" if flag.takes is Takes.SWITCH else _next(words, name)
    values.setdefault(flag.name, []).append(_checked(value, flag))


def _take_short(
    word: str, words: Iterator[str], short: Mapping[str, Flag], values: dict[str, list[str]]
) -> None:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        flag = short.get(letter)
        if flag is None:
            raise UsageError(f"unknown shorthand flag: {letter!r} in {word}")
        if flag.takes is Takes.SWITCH and not letters.startswith("="):
            value = "true"
        else:
            value = letters.removeprefix("=") or _next(words, f"{letter!r} in -{letter}")
            letters = ""
        values.setdefault(flag.name, []).append(_checked(value, flag))


def _next(words: Iterator[str], name: str) -> str:
    try:
        return next(words)
    except StopIteration:
        raise UsageError(f"flag needs an argument: {name}") from None


def _checked(value: str, flag: Flag) -> str:
    why = ""
    if flag.takes is Takes.SWITCH and value not in _YES | _NO:
        why = f'strconv.ParseBool: parsing "{value}": invalid syntax'
    elif flag.takes is Takes.NUMBER and not re.fullmatch(r"-?\d+", value):
        why = f'strconv.ParseInt: parsing "{value}": invalid syntax'
    elif flag.takes is Takes.DURATION:
        why = _wrong_duration(value)
    if why:
        raise UsageError(f'invalid argument "{value}" for "--{flag.name}" flag: {why}')
    return value


def _wrong_duration(value: str) -> str:
    if _DURATION.fullmatch(value) or value == "0":
        return ""
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return f'time: missing unit in duration "{value}"'
    return f'time: invalid duration "{value}"'


def _seconds(duration: str) -> float:
    return sum(float(amount) * _SECONDS[unit] for amount, unit in _PART.findall(duration))
