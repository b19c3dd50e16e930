"""Telling that a process is gone: its Lease stands still for all of its duration."""

from dataclasses import dataclass
from datetime import timedelta

from tasks.domain.journal import Holding


@dataclass(kw_only=True)
class LeaseWatch:
    """
    Sees a Lease stay as it is for its whole duration.

    What counts is the time waited here between two looks. The times in the Lease are another
    machine's: to compare clocks would take a living process for a dead one.
    """

    seen: Holding | None = None
    watched: timedelta = timedelta()

    def has_lapsed(self, holding: Holding | None, run: str, *, after: timedelta) -> bool:
        """Look once more, so long after the last look: whether the run's process stopped to renew."""
        if holding is None or holding.run != run or not holding.process:
            self.begin_anew()
            return False
        if holding != self.seen:
            self.seen, self.watched = holding, timedelta()
            return False
        self.watched += after
        return self.watched >= timedelta(seconds=holding.duration_seconds)

    def begin_anew(self) -> None:
        """Forget what was seen: nobody looked for a while."""
        self.seen = None
