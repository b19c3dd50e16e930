"""What is to be expected of a pod's containers: by their specs, by fate, and by the dice."""

import random
from collections.abc import Sequence
from typing import Final

from deployments.rehearsal.cluster.controllers.container_states import Run
from deployments.rehearsal.cluster.controllers.fates import Fate, probe_of, probe_succeeds
from deployments.rehearsal.cluster.controllers.scripts import behaviour_of
from deployments.rehearsal.cluster.objects import Json

_START: Final = (0.3, 1.2)  # seconds from a node to running containers
_INIT: Final = (0.1, 0.4)  # of one init container of which nothing is known
_WORK: Final = (1.0, 3.0)  # of a container that ends, and of which nothing is known
_UP: Final = (0.2, 0.6)  # from a running container to one that answers
_CRASH: Final = (0.5, 1.5)
_LONGEST_PERIOD: Final = 2.0  # between probes, so that nobody waits ten seconds for the second
_SHORT: Final = 1.0  # what ends sooner never gets ready


class Prospects:
    """The future of one pod's containers."""

    def __init__(self, pod: Json, runs: Sequence[Run], fate: Fate, dice: random.Random) -> None:
        self._behaviours = {run.name: behaviour_of(run.spec, pod) for run in runs}
        self._fate = fate
        self._dice = dice

    def start(self) -> float:
        """Return after how many seconds the first container runs."""
        return self._within(_START)

    def init(self, run: Run) -> float | None:
        """Return how long an init container takes; None if it never ends."""
        behaviour = self._behaviours[run.name]
        return behaviour.lasts if behaviour.is_known else self._within(_INIT)

    def life(self, run: Run, *, restarts: bool) -> float | None:
        """Return how long a container runs; None if it does not end by itself."""
        if self._fate.crashes:
            return self._within(_CRASH)
        behaviour = self._behaviours[run.name]
        if behaviour.is_known:
            return behaviour.lasts
        return None if restarts else self._within(_WORK)

    def code(self, run: Run) -> int:
        """Return with which code a container ends."""
        return 1 if self._fate.crashes else self._behaviours[run.name].code

    def gets_ready(self, run: Run) -> bool:
        lasts = self._behaviours[run.name].lasts
        crashes = self._fate.crashes or (lasts is not None and lasts < _SHORT)
        succeeds = self._fate.is_ever_ready and probe_succeeds(run.spec, self._behaviours)
        return succeeds and not crashes

    def verdict(self, run: Run) -> float:
        """Return after how many seconds a running container's probe says whether it is ready."""
        probe = probe_of(run.spec)
        if probe is None:
            return 0.0
        delay = float(probe.get("initialDelaySeconds") or 0)
        period = min(float(probe.get("periodSeconds") or _LONGEST_PERIOD), _LONGEST_PERIOD)
        up = self._within(_UP)
        missed = max(0.0, up - delay) // period
        return max(delay, up) if not missed else delay + (missed + 1) * period

    def _within(self, bounds: tuple[float, float]) -> float:
        return self._dice.uniform(*bounds) * self._fate.slowness
