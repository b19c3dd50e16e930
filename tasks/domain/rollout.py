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


class Stage(enum.StrEnum):
    """How far a rollout is."""

    ROLLING = "rolling"
    SETTLED = "settled"
    FAILED = "failed"  # Kubernetes has given up on a workload that was healthy before
    LEFT_BEHIND = "left behind"  # so has it, but the workload was not healthy before


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a rollout."""

    stage: Stage
    text: str  # what is missing, or how it ended

    @property
    def is_over(self) -> bool:
        """Whether watching longer changes nothing."""
        return self.stage is not Stage.ROLLING


def judge(
    workload: Workload | None, pods: Sequence[Pod], *, revision: str | None, ready_before: int
) -> Progress:
    """
    Judge one workload's pods against the revision that they should have; None: no sidecar.

    `ready_before` is how many were ready before the run touched the workload: it has to reach that
    again, and all of its replicas if all were ready.
    """
    live = [pod for pod in pods if not pod.is_over]
    if workload is None:
        return _gone(live)
    was_healthy = ready_before >= workload.replicas
    missing = _missing(workload, live, revision, ready_before)
    if missing is None:
        return Progress(stage=Stage.SETTLED, text=f"{_count(live)} on {revision or 'no revision'}")
    if workload.is_stalled and workload.observed_generation >= workload.generation:
        stage = Stage.FAILED if was_healthy else Stage.LEFT_BEHIND
        return Progress(
            stage=stage,
            text=f"{missing}: {workload.failure or 'it has stopped progressing'}{_why(live)}",
        )
    return Progress(stage=Stage.ROLLING, text=missing + _detail(workload, live))


def _gone(live: Sequence[Pod]) -> Progress:
    if live:
        return Progress(stage=Stage.ROLLING, text=f"it was deleted, {_count(live)} left")
    return Progress(stage=Stage.SETTLED, text="it was deleted meanwhile")


def _missing(
    workload: Workload, live: Sequence[Pod], revision: str | None, ready_before: int
) -> str | None:
    """Say what is missing; None when nothing is."""
    if workload.observed_generation < workload.generation:
        return "Kubernetes has not seen the change yet"
    old = [pod for pod in live if pod.revision != revision]
    leaving = [pod for pod in old if pod.is_terminating]
    staying = [pod for pod in old if not pod.is_terminating]
    if staying:
        new = [pod for pod in live if pod.revision == revision and not pod.is_terminating]
        ready = sum(pod.is_ready for pod in new)
        still = f"{len(staying)} of {_count(live)} still on {staying[0].revision or 'no revision'}"
        return f"{still}, {ready} of {len(new)} new ready" if new else still
    if leaving:
        return f"waiting for {_count(leaving)} to end"
    ready = sum(pod.is_ready and not pod.is_terminating for pod in live)
    wanted = min(workload.replicas, ready_before)
    if ready < wanted:
        return f"{ready} of {wanted} ready"
    if (extra := len(live) - workload.replicas) > 0:
        # On the way back the pods that never moved are replaced, too, and look no different.
        return f"{extra} more than {_counted(workload.replicas)}"
    return None


def _count(pods: Sequence[Pod]) -> str:
    return _counted(len(pods))


def _counted(number: int) -> str:
    return "1 pod" if number == 1 else f"{number} pods"


def _detail(workload: Workload, live: Sequence[Pod]) -> str:
    return (f": {workload.failure}" if workload.failure else "") + _why(live)


def _why(live: Sequence[Pod]) -> str:
    failing = next((pod for pod in live if pod.failure and not pod.is_terminating), None)
    return f" ({failing.name}: {failing.failure})" if failing else ""
