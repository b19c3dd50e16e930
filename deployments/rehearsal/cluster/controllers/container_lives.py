"""
What happens to the containers of one pod: they start, get ready, end, and start again.

Nothing is written here; whoever lets time pass reads `runs` afterwards.
"""

import random
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from deployments.rehearsal.cluster.controllers.agendas import Agenda
from deployments.rehearsal.cluster.controllers.container_states import Run, phase, runs_of
from deployments.rehearsal.cluster.controllers.fates import Fate, image_problem, probe_of
from deployments.rehearsal.cluster.controllers.prospects import Prospects
from deployments.rehearsal.cluster.objects import (
    Json,
    name_of,
    namespace_of,
    now_rfc3339,
    spec_of,
    uid_of,
)

_FIRST_RESTART: Final = 0.3
_BACKOFF: Final = (10.0, 300.0)


class Containers:
    """The containers of one pod."""

    def __init__(self, pod: Json, agenda: Agenda, *, is_known: Callable[[], None]) -> None:
        """Call `is_known` when it is known whether the pod gets ready."""
        self.runs = runs_of(pod)
        self.restart_policy = str(spec_of(pod).get("restartPolicy", "Always"))
        self.have_begun = False
        self.warnings: list[tuple[str, str]] = []
        self._answering: set[str] = set()  # those whose readiness probe succeeds
        self._agenda = agenda
        self._is_known = is_known
        self._place = f"{name_of(pod)}_{namespace_of(pod)}({uid_of(pod)})"
        self._prospects: Prospects

    @property
    def phase(self) -> str:
        return phase(self.runs, self.restart_policy)

    def begin(
        self, pod: Json, fate: Fate, dice: random.Random, missing_images: Sequence[str]
    ) -> None:
        """Have the containers start, unless an image is missing."""
        self._prospects = Prospects(pod, self.runs, fate, dice)
        for run in self.runs:
            problem = image_problem(run.spec, missing_images)
            if problem is not None:
                run.wait(*problem)
                self._warn("Failed", f"Error: {problem[0]}")
                self._is_known()
                return
        self._agenda.after(self._prospects.start(), self._start_init)

    def go_on(self, *, are_ready: bool) -> None:
        """Take containers over that were running before this cluster was."""
        self.have_begun = True
        for run in self.runs:
            run.run(now_rfc3339())
            if run.is_init and not run.is_sidecar:
                run.end(0, now_rfc3339())
                run.ready = True
        if are_ready:
            self._answering.update(run.name for run in self.runs)
        self._is_known()

    def see_readiness(self, *, program_is_ready: bool) -> None:
        """Note which containers are ready; a program stands for the sidecars, if there are any."""
        has_sidecars = any(run.is_sidecar for run in self.runs)
        for run in self.runs:
            if run.is_running:
                waits = not program_is_ready and (run.is_sidecar or not has_sidecars)
                run.ready = run.name in self._answering and not waits

    def _start_init(self) -> None:
        """Start the init containers one after the other; nobody waits for those that stay."""
        self.have_begun = True
        for run in (run for run in self.runs if run.is_init):
            if run.exit_code == 0 or run.is_running:
                continue
            run.run(now_rfc3339())
            if run.is_sidecar:
                continue
            takes = self._prospects.init(run)
            if takes is None:
                self._is_known()  # it keeps the others waiting for ever
            else:
                self._agenda.after(takes, partial(self._end_init, run))
            return
        self._start()

    def _end_init(self, run: Run) -> None:
        code = self._prospects.code(run)
        run.end(code, now_rfc3339())
        if code:
            self._is_known()
            self._plan_restart(run)
        else:
            run.ready = True
            self._start_init()

    def _start(self) -> None:
        waits = [
            self._plan_readiness(run) if run.is_init else self._start_run(run)
            for run in self.runs
            if run.is_sidecar or not run.is_init
        ]
        self._agenda.after(max(waits, default=0.0), self._is_known)

    def _start_run(self, run: Run) -> float:
        """Start a container. Returns in how many seconds it is known whether it gets ready."""
        run.run(now_rfc3339())
        lasts = self._prospects.life(run, restarts=self.restart_policy == "Always")
        if lasts is not None:
            self._agenda.after(lasts, partial(self._end_run, run))
        return self._plan_readiness(run)

    def _plan_readiness(self, run: Run) -> float:
        seconds = self._prospects.verdict(run)
        if self._prospects.gets_ready(run):
            self._agenda.after(seconds, partial(self._answering.add, run.name))
        elif probe_of(run.spec) is not None:
            text = "Readiness probe failed: nothing answers"
            self._agenda.after(seconds, partial(self._warn, "Unhealthy", text))
        return seconds

    def _end_run(self, run: Run) -> None:
        code = self._prospects.code(run)
        run.end(code, now_rfc3339())
        self._answering.discard(run.name)
        if self.restart_policy == "Always" or (self.restart_policy == "OnFailure" and code):
            self._plan_restart(run)
        elif self.phase in {"Succeeded", "Failed"}:
            self._end_sidecars()

    def _plan_restart(self, run: Run) -> None:
        run.last = run.state
        delay = _FIRST_RESTART
        if run.restarts:
            delay = min(_BACKOFF[0] * 2 ** (run.restarts - 1), _BACKOFF[1])
            told = f"restarting failed container={run.name} pod={self._place}"
            run.wait("CrashLoopBackOff", f"back-off {_duration(delay)} {told}")
            self._warn("BackOff", f"Back-off {told}")
        self._agenda.after(delay, partial(self._restart, run))

    def _restart(self, run: Run) -> None:
        run.restarts += 1
        if run.is_init:
            self._start_init()
        else:
            self._start_run(run)

    def _end_sidecars(self) -> None:
        for run in self.runs:
            if run.is_sidecar:
                run.end(0, now_rfc3339())

    def _warn(self, reason: str, message: str) -> None:
        self.warnings.append((reason, message))


def _duration(seconds: float) -> str:
    """Return a time as Go prints it: 10s, 1m20s."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
