"""
Whether a workload's pods have been replaced, judged by the pods themselves.

`kubectl rollout status` says success for a paused Deployment, for half a partition and while old
pods still serve. So the pods count: their proxy's revision, their readiness, and that the old ones
are really gone.
"""

import enum
from collections.abc import Sequence

import msgspec

from tasks.domain.inventory import Pod, Workload

_UNSEEN = "Kubernetes has not seen the change yet"


class Stage(enum.StrEnum):
    """How far a rollout is."""

    ROLLING = "rolling"
    SETTLED = "settled"
    FAILED = "failed"  # it is worse than before, and will not get better by itself
    LEFT_BEHIND = "left behind"  # neither will this, but it was not healthy before and is no worse


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a rollout."""

    stage: Stage
    text: str  # what is missing, or how it ended

    @property
    def is_over(self) -> bool:
        """Whether watching longer changes nothing."""
        return self.stage is not Stage.ROLLING


def judge(
    workload: Workload | None,
    pods: Sequence[Pod],
    *,
    revision: str | None,
    ready_before: int,
    generation: int = 0,
    is_late: bool = False,
) -> Progress:
    """
    Judge one workload's pods against the revision that they should have; None: no sidecar.

    `ready_before` is how many were ready before the run touched the workload: it has to reach that
    again, and all of its replicas if all were ready. `generation` is the one that its restart made:
    an older picture says nothing. When it is late, nothing is waited for any more.
    """
    live = [pod for pod in pods if not pod.is_over]
    if workload is None:
        return _gone(live, is_late=is_late)
    is_seen = workload.observed_generation >= max(workload.generation, generation)
    missing = _missing(workload, live, revision, ready_before) if is_seen else _UNSEEN
    if missing is None:
        return Progress(stage=Stage.SETTLED, text=f"{_count(live)} on {revision or 'no revision'}")
    if workload.is_stalled and is_seen:
        why = f"{missing}: {workload.failure or 'it has stopped progressing'}{_why(live)}"
        return Progress(stage=_given_up(workload, live, ready_before), text=why)
    stage = _given_up(workload, live, ready_before) if is_late else Stage.ROLLING
    return Progress(stage=stage, text=missing + _detail(workload, live))


def _gone(live: Sequence[Pod], *, is_late: bool) -> Progress:
    if live:
        stage = Stage.LEFT_BEHIND if is_late else Stage.ROLLING
        return Progress(stage=stage, text=f"it was deleted, {_count(live)} left")
    return Progress(stage=Stage.SETTLED, text="it was deleted meanwhile")


def _given_up(workload: Workload, live: Sequence[Pod], ready_before: int) -> Stage:
    # What was ill before may stay so, but no more than it was.
    is_no_worse = ready_before < workload.replicas and ready(live) >= ready_before
    return Stage.LEFT_BEHIND if is_no_worse else Stage.FAILED


def _missing(
    workload: Workload, live: Sequence[Pod], revision: str | None, ready_before: int
) -> str | None:
    """Say what is missing; None when nothing is."""
    old = [pod for pod in live if pod.revision != revision]
    leaving = [pod for pod in old if pod.is_terminating]
    staying = [pod for pod in old if not pod.is_terminating]
    if staying:
        new = [pod for pod in live if pod.revision == revision and not pod.is_terminating]
        still = f"{len(staying)} of {_count(live)} still on {staying[0].revision or 'no revision'}"
        return f"{still}, {ready(new)} of {len(new)} new ready" if new else still
    if leaving:
        return f"waiting for {_count(leaving)} to end"
    wanted = min(workload.replicas, ready_before)
    if ready(live) < wanted:
        return f"{ready(live)} of {wanted} ready"
    if (extra := len(live) - workload.replicas) > 0:
        # On the way back the pods that never moved are replaced, too, and look no different.
        return f"{extra} more than {_counted(workload.replicas)}"
    return None


def ready(pods: Sequence[Pod]) -> int:
    """Count the pods that serve, and that will go on serving."""
    return sum(pod.is_ready and not pod.is_terminating for pod in pods)


def _count(pods: Sequence[Pod]) -> str:
    return _counted(len(pods))


def _counted(number: int) -> str:
    return "1 pod" if number == 1 else f"{number} pods"


def _detail(workload: Workload, live: Sequence[Pod]) -> str:
    return (f": {workload.failure}" if workload.failure else "") + _why(live)


def _why(live: Sequence[Pod]) -> str:
    failing = next((pod for pod in live if pod.failure and not pod.is_terminating), None)
    return f" ({failing.name}: {failing.failure})" if failing else ""
