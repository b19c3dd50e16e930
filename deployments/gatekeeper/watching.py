"""
Watching over a cluster's runs.

They are resumed when people have decided, put back in line when their process is gone, and shown in
Slack. Looks follow one another every two seconds, or as soon as somebody has said something. Slack may be
away, or slow: what Prefect needs done does not wait for it, and the thread catches up.
"""

import asyncio
import logging
from datetime import timedelta
from typing import Final

import msgspec

from deployments.gatekeeper.duties import Duty, RunWatch
from deployments.gatekeeper.looking import Seen, WatchedCluster
from deployments.gatekeeper.metrics import Metrics
from deployments.gatekeeper.posting import Poster
from deployments.gatekeeper.thread import wanted
from tasks.domain.errors import RefusedError, UpgradeError

_EVERY: Final = 2.0  # seconds
_STALE_AFTER: Final = 30.0
_LONGEST_PAUSE: Final = 30.0
_log: Final = logging.getLogger("istio-canary.gatekeeper")


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """How long a thread that Slack does not take is left alone, twice as long after each time."""

    until: float
    seconds: float


class Watcher:
    """Looks at one cluster again and again."""

    def __init__(self, cluster: WatchedCluster, poster: Poster, metrics: Metrics) -> None:
        self._cluster = cluster
        self._poster = poster
        self._metrics = metrics
        self._again = asyncio.Event()
        self._watches: dict[str, RunWatch] = {}
        self._last: list[Seen] = []
        self._to_show: list[Seen] = []
        self._news = asyncio.Event()
        self._pauses: dict[str, Pause] = {}  # of runs whose thread Slack did not take
        self._done: dict[str, int] = {}  # runs that are over and shown to the end, by their entries
        self._looked_at = self._turned_at = _now()
        self._held_at: float | None = None  # when the Lease was last known; None: look anew
        self._trouble: dict[str, str] = {}
        self._left_out: set[str] = set()  # why runs of the last look are not shown

    def look_soon(self) -> None:
        """Look as soon as the present look is over: somebody has said something."""
        self._again.set()

    @property
    def busy_for(self) -> float:
        """Seconds since the last look came to an end, whatever it found."""
        return _now() - self._turned_at

    @property
    def unseen_for(self) -> float:
        """Seconds since the cluster and Prefect were last read."""
        return _now() - self._looked_at

    async def watch(self) -> None:
        """Look, for ever."""
        while True:
            began = _now()
            await self._look()
            self._turned_at = _now()
            left = began + _EVERY - _now()
            try:
                async with asyncio.timeout(max(left, 0.05)):
                    await self._again.wait()
            except TimeoutError:
                pass
            self._again.clear()

    async def show(self) -> None:
        """Show what was seen last, for ever."""
        while True:
            await self._news.wait()
            self._news.clear()
            await self._show(self._to_show)

    async def _look(self) -> None:
        try:
            after, seen = await self._seen()
        except UpgradeError as error:
            self._begin_anew()
            self._tell(f"cluster {self._cluster.name}", error)
            self._have_shown(self._stale())
            return
        self._looked_at = _now()
        self._over(f"cluster {self._cluster.name}")
        self._last = seen
        self._metrics.looked(self._cluster.name, seen, self._cluster.services.clock.now())
        for one in seen:
            await self._attend(one, after=after)
        self._have_shown(seen)

    async def _seen(self) -> tuple[timedelta, list[Seen]]:
        """
        Return what is there, and for how long at least the Lease has not been looked at before.

        A look may take long, with Prefect slow or away, and what counts is how far two readings of
        the Lease are apart: its process may have renewed it meanwhile.
        """
        asked_at = _now()
        holding = await asyncio.to_thread(self._cluster.services.leases.holding)
        before, self._held_at = self._held_at, _now()
        left_out: list[RefusedError] = []
        seen = await asyncio.to_thread(self._cluster.look, holding, left_out=left_out.append)
        self._tell_left_out({str(one) for one in left_out})
        return timedelta(seconds=0 if before is None else max(0.0, asked_at - before)), seen

    def _begin_anew(self) -> None:
        """After a look that failed: whose process could not renew either has not had its time."""
        self._held_at = None
        for watch in self._watches.values():
            watch.begin_anew()

    def _have_shown(self, seen: list[Seen]) -> None:
        """Leave it to `show`: what Slack was not shown in time, it need not see any more."""
        self._to_show = seen
        self._news.set()

    def _stale(self) -> list[Seen]:
        """Return what was seen last, saying that it is not what is there now."""
        if self.unseen_for < _STALE_AFTER:
            return []
        return [
            msgspec.structs.replace(one, view=msgspec.structs.replace(one.view, is_fresh=False))
            for one in self._last
        ]

    # ---- Prefect

    async def _attend(self, seen: Seen, *, after: timedelta) -> None:
        watch = self._watches.setdefault(seen.view.record.run, RunWatch())
        duty = watch.duty(seen, after=after)
        if duty is Duty.NOTHING or seen.flow_run is None:
            return
        flow_runs = self._cluster.services.flow_runs()
        call = flow_runs.resume if duty is Duty.RESUME else flow_runs.reschedule
        what = f"flow run {seen.flow_run.id}"
        try:
            await asyncio.to_thread(call, seen.flow_run.id)
        except UpgradeError as error:
            self._tell(what, error)
        else:
            self._over(what)
            self._metrics.set_going(duty.name.lower())
            _log.info("run %s: %s %s", seen.view.record.run, duty.name.lower(), what)

    # ---- Slack

    async def _show(self, seen: list[Seen]) -> None:
        for one in seen:
            run = one.view.record.run
            if one.known_as is None:
                self._tell_elsewhere(one)
            elif (pause := self._pauses.get(run)) is not None and pause.until > _now():
                continue
            elif self._done.get(run) != len(one.view.record.entries):
                await self._show_run(one, claimed_under=one.known_as)

    async def _show_run(self, seen: Seen, *, claimed_under: str) -> None:
        record = seen.view.record
        what = f"the thread of run {record.run}"
        try:
            is_complete = await self._poster.bring_up_to_date(
                record, wanted(seen.view), claimed_under=claimed_under
            )
        except UpgradeError as error:
            self._metrics.failed("slack")
            self._tell(what, error)
            self._pause(record.run)
            return
        self._over(what)
        self._pauses.pop(record.run, None)
        if is_complete and record.finished is not None:
            self._done[record.run] = len(record.entries)

    def _pause(self, run: str) -> None:
        last = self._pauses.get(run)
        seconds = _EVERY if last is None else min(last.seconds * 2, _LONGEST_PAUSE)
        self._pauses[run] = Pause(until=_now() + seconds, seconds=seconds)

    def _tell_elsewhere(self, seen: Seen) -> None:
        run = seen.view.record.run
        error = UpgradeError("the Prefect that works for it is not the one of PREFECT_API_URL")
        self._tell(f"run {run}", error)

    # ---- the log

    def _tell_left_out(self, whys: set[str]) -> None:
        for why in sorted(whys - self._left_out):
            self._metrics.failed("run")
            _log.warning("cluster %s, a run is left out: %s", self._cluster.name, why)
        self._left_out = whys

    def _tell(self, what: str, error: UpgradeError) -> None:
        """Say once what is wrong, until it is over."""
        if self._trouble.get(what) != str(error):
            self._trouble[what] = str(error)
            self._metrics.failed(what.partition(" ")[0])
            _log.warning("%s: %s", what, error)

    def _over(self, what: str) -> None:
        if self._trouble.pop(what, None) is not None:
            _log.info("%s: all is well again", what)


def _now() -> float:
    return asyncio.get_running_loop().time()
