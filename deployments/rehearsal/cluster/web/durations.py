"""Ages as people read them: 45s, 5m3s, 3h20m, 12d."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

_MINUTE: Final = 60
_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR
_YEAR: Final = 365 * _DAY


def age(timestamp: str | None, now: datetime) -> str:
    """Return how long ago that was."""
    if not timestamp:
        return "<unknown>"
    return duration((now - moment(timestamp)).total_seconds())


def moment(timestamp: str) -> datetime:
    return datetime.fromisoformat(timestamp).astimezone(UTC)


def duration(seconds: float) -> str:
    whole = max(int(seconds), 0)
    # Up to the first limit that is not reached: the unit, and the smaller one beside it if any.
    for limit, unit, rest in _STEPS:
        if whole < limit:
            return "".join(_parts(whole, unit, rest))
    return f"{whole // _YEAR}y"


_NAMES: Final = {1: "s", _MINUTE: "m", _HOUR: "h", _DAY: "d", _YEAR: "y"}
_STEPS: Final = (
    (2 * _MINUTE, 1, 0),
    (10 * _MINUTE, _MINUTE, 1),
    (3 * _HOUR, _MINUTE, 0),
    (8 * _HOUR, _HOUR, _MINUTE),
    (2 * _DAY, _HOUR, 0),
    (8 * _DAY, _DAY, _HOUR),
    (2 * _YEAR, _DAY, 0),
    (8 * _YEAR, _YEAR, _DAY),
)


def _parts(whole: int, unit: int, rest: int) -> Iterator[str]:
    yield f"{whole // unit}{_NAMES[unit]}"
    if rest and whole % unit // rest:
        yield f"{whole % unit // rest}{_NAMES[rest]}"
