"""The system's clock, and waiting that notices a request to stop."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

_SLICE = 0.2


def _never() -> bool:
    return False


class SystemClock:
    """A `Clock` that waits for real."""

    def now(self) -> datetime:
        return datetime.now(UTC)  # noqa: TID251 - this is the clock

    def sleep(self, duration: timedelta, *, until: Callable[[], bool] = _never) -> None:
        end = time.monotonic() + duration.total_seconds()
        while (left := end - time.monotonic()) > 0 and not until():
            time.sleep(min(left, _SLICE))  # noqa: TID251 - this is the sleeper
