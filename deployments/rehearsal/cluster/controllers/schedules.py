"""When a CronJob's schedule comes round: the five fields of cron, in UTC."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

_MACROS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_BOUNDS: Final = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_MONTHS: Final = [
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
]
_DAYS: Final = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_NAMES: Final[dict[str, int]] = {
    **{name: number for number, name in enumerate(_MONTHS, 1)},
    **{name: number for number, name in enumerate(_DAYS)},
}
_LONGEST: Final = timedelta(days=1500)  # the 29th of February comes within four years


@dataclass(frozen=True, slots=True)
class Schedule:
    """The minutes at which something is due."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    is_either_day: bool  # both days are told: one of them is enough

    @classmethod
    def parse(cls, text: str) -> "Schedule":
        """Read a schedule. Raises ValueError for one that is none."""
        fields = _MACROS.get(text.strip(), text).split()
        if len(fields) != len(_BOUNDS):
            raise ValueError(f"expected exactly {len(_BOUNDS)} fields, found {len(fields)}: {text}")
        minutes, hours, days, months, weekdays = map(_numbers, fields, _BOUNDS)
        is_either = not fields[2].startswith("*") and not fields[4].startswith("*")
        weekdays = frozenset(day % 7 for day in weekdays)
        return cls(minutes, hours, days, months, weekdays, is_either)

    def after(self, moment: float) -> float | None:
        """Return the first due moment after one, in seconds since 1970; None if there is none."""
        start = datetime.fromtimestamp(moment, UTC).replace(second=0, microsecond=0)
        found = start + timedelta(minutes=1)
        while found - start < _LONGEST:
            if not self._is_day(found):
                found = found.replace(hour=0, minute=0) + timedelta(days=1)
            elif found.hour not in self.hours:
                found = found.replace(minute=0) + timedelta(hours=1)
            elif found.minute not in self.minutes:
                found += timedelta(minutes=1)
            else:
                return found.timestamp()
        return None

    def last(self, moment: float) -> float | None:
        """Return the last due moment up to one; None if there is none in four years."""
        start = datetime.fromtimestamp(moment, UTC).replace(second=0, microsecond=0)
        found = start
        while start - found < _LONGEST:
            if not self._is_day(found):
                found = found.replace(hour=0, minute=0) - timedelta(minutes=1)
            elif found.hour not in self.hours:
                found = found.replace(minute=0) - timedelta(minutes=1)
            elif found.minute not in self.minutes:
                found -= timedelta(minutes=1)
            else:
                return found.timestamp()
        return None

    def _is_day(self, moment: datetime) -> bool:
        of_month = moment.day in self.days
        of_week = moment.isoweekday() % 7 in self.weekdays
        is_day = of_month or of_week if self.is_either_day else of_month and of_week
        return is_day and moment.month in self.months


def _numbers(field: str, bounds: tuple[int, int]) -> frozenset[int]:
    return frozenset(number for part in field.split(",") for number in _range(part, bounds))


def _range(part: str, bounds: tuple[int, int]) -> range:
    span, _, step = part.partition("/")
    first, _, last = span.partition("-")
    if span in {"*", "?"}:
        low, high = bounds
    else:
        low = _number(first)
        high = _number(last) if last else (bounds[1] if step else low)
    if not bounds[0] <= low <= high <= bounds[1]:
        raise ValueError(f"out of range: {part}")
    return range(low, high + 1, int(step or 1))


def _number(text: str) -> int:
    return _NAMES[text.lower()] if text.lower() in _NAMES else int(text)
