"""
The Lease as a permission: who holds it may change the cluster.

A holder renews every few seconds, and stops by itself when it cannot. It believes in its own hold
only for two thirds of the Lease's duration after the last renewal that the API server confirmed, so
that it has stopped before anybody else may start.

Whoever wants to follow a holder watches the Lease stay as it is for its whole duration. The times
written in it are not looked at: they come from another machine's clock.
"""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

from tasks.adapters.ports import Clock, Leases
from tasks.domain.errors import LeaseLostError, RefusedError, StopRequested, TransientError
from tasks.domain.journal import Holding

DURATION = timedelta(seconds=30)
_RENEW_EVERY = timedelta(seconds=5)
_FORGIVEN = 4  # so many renewals may fail: together two thirds of the duration
_TICK = timedelta(seconds=1)


class LeaseKeeper:
    """A `Guard` that holds the cluster's Lease for one process of one run."""

    def __init__(
        self, leases: Leases, *, process: str, clock: Clock, renew_every: timedelta = _RENEW_EVERY
    ) -> None:
        self._leases = leases
        self._process = process
        self._clock = clock
        self._renew_every = renew_every.total_seconds()
        self._run: str | None = None
        self._confirmed = 0.0
        self._is_lost = False
        self._stopping = threading.Event()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def request_stop(self) -> None:
        """Make every later `check` raise StopRequested; work ends at its next safe point."""
        self._stopping.set()

    def check_stop(self) -> None:
        """Return unless somebody asked this process to stop. Raises StopRequested."""
        if self._stopping.is_set():
            raise StopRequested("stopped at a safe point; the same command goes on from here")

    @property
    def is_held(self) -> bool:
        """Whether the last confirmed renewal is young enough to act on."""
        return (
            not self._is_lost
            and self._run is not None
            and time.monotonic() - self._confirmed < _FORGIVEN * self._renew_every
        )

    def check(self) -> None:
        """
        Return if this process may change the cluster now.

        Raises LeaseLostError when somebody else has the Lease, TransientError while nobody can
        tell, and StopRequested.
        """
        self.check_stop()
        if self._run is not None and not self._is_lost and not self.is_held:
            raise TransientError(
                "this process could not renew the cluster's Lease for a while, so it waits"
            )
        if not self.is_held:
            raise LeaseLostError(
                "this process does not hold the cluster's Lease (any more), so it changes nothing; "
                "run the same command again"
            )

    def hold(self, run: str, *, may_take: Callable[[Holding], bool]) -> None:
        """
        Take the Lease for a run and keep it.

        `may_take` says of a holding whose process is gone whether this run may follow it. Raises
        RefusedError while a living process, or a run that may not be followed, has it.
        """
        if self._run == run and self.is_held:
            return
        self._take(run, may_take)
        self._run, self._is_lost = run, False
        self._over.clear()
        self._thread = threading.Thread(target=self._renew, args=(run,), name="lease", daemon=True)
        self._thread.start()

    def _take(self, run: str, may_take: Callable[[Holding], bool]) -> None:
        while True:
            self.check_stop()
            try:
                if self._is_taken(run, may_take):
                    return
            except TransientError:
                # The run is to outlast an API server that is away. A watch begins anew.
                self._clock.sleep(_TICK)

    def _is_taken(self, run: str, may_take: Callable[[Holding], bool]) -> bool:
        holding = self._leases.holding()
        if holding is not None and holding.run:
            if not may_take(holding):
                raise RefusedError(_taken(holding))
            # It is ours if the answer to an earlier attempt to take it was lost.
            if holding.process not in {"", self._process}:
                self._wait_for_lapse(holding)
        asked = time.monotonic()
        if not self._leases.take(run=run, process=self._process, duration=DURATION, over=holding):
            return False
        self._confirmed = asked
        return True

    def _wait_for_lapse(self, first: Holding) -> None:
        """Return when the holder has stopped renewing; raise RefusedError when it lives."""
        waited = timedelta()
        while waited < max(DURATION, timedelta(seconds=first.duration_seconds)):
            self._clock.sleep(_TICK)
            waited += _TICK
            self.check_stop()
            now = self._leases.holding()
            if now is None or now.run != first.run or not now.process:
                return
            if now.version != first.version:
                raise RefusedError(_taken(now))

    def _renew(self, run: str) -> None:
        while not self._over.wait(self._renew_every):
            asked = time.monotonic()
            try:
                if not self._leases.renew(run=run, process=self._process):
                    self._confirmed, self._is_lost = 0.0, True
                    return
                self._confirmed = asked
            except (TransientError, RefusedError):
                continue  # believed for a while: see is_held

    def park(self) -> None:
        """Keep the Lease for the run, but let the next process have it at once."""
        self._leave(self._leases.park)

    def release(self) -> None:
        """Give the Lease back: the run is over."""
        self._leave(self._leases.release)

    def _leave(self, leave: Callable[..., None]) -> None:
        run, self._run = self._run, None
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        if run is not None:
            try:
                leave(run=run, process=self._process)
            except (TransientError, RefusedError):
                return  # it lapses by itself


def _taken(holding: Holding) -> str:
    who = f", process {holding.process}" if holding.process else ", which waits for people"
    return (
        f"this cluster is being upgraded by run {holding.run}{who}; "
        f"see `istio-canary status`, or undo it with `istio-canary rollback {holding.run}`"
    )
