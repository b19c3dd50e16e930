"""
Whether moved proxies have arrived.

What Kubernetes says of the pods is joined with what every istiod says. Neither source is believed
alone, and what an istiod did not say counts as not arrived.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from tasks.domain.inventory import (
    IstiodReport,
    Pod,
    Proxy,
    Workload,
    WorkloadRef,
    pods_by_workload,
)
from tasks.domain.rollout import ready

# Every Envoy asks for these two; the others only when it has something to ask for.
_ALWAYS = ("CDS", "LDS")


class Problem(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One pod whose proxy has not arrived, and why."""

    pod: str  # namespace/name
    why: str


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """One look at a set of pods."""

    arrived: int
    problems: tuple[Problem, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether every proxy has arrived."""
        return not self.problems


def to_verify(
    pods: Sequence[Pod],
    workloads: Mapping[WorkloadRef, Workload],
    *,
    revision: str,
    ready_before: Mapping[WorkloadRef, int],
    left_behind: Collection[WorkloadRef],
) -> list[Pod]:
    """
    Return the pods whose proxies have to arrive: those of the workloads that the run has begun.

    What was not wholly ready before may have as many pods that are not ready, and what was left
    behind may have pods of another revision. A pod that is ready without a sidecar may be nowhere.
    """
    chosen: list[Pod] = []
    for ref, found in sorted(pods_by_workload(pods).items()):
        if ref not in ready_before:
            continue
        stays = ref in left_behind
        was_ill = stays or _was_ill(workloads.get(ref), found, ready_before[ref])
        chosen += [
            pod
            for pod in found
            if not (was_ill and not pod.is_ready)
            and not (stays and pod.revision not in {None, revision})
        ]
    return chosen


def _was_ill(workload: Workload | None, pods: Sequence[Pod], ready_before: int) -> bool:
    is_known = workload is not None and ready_before < workload.replicas
    return is_known and ready(pods) >= ready_before


def verify(pods: Sequence[Pod], reports: Sequence[IstiodReport], *, revision: str) -> Verification:
    """
    Judge each of these pods' proxies.

    It has to be on the revision, connected to istiods of that revision only, and in sync.
    """
    seen: dict[str, list[Proxy]] = {}
    for report in reports:
        for proxy in report.proxies or ():
            seen.setdefault(proxy.name, []).append(proxy)
    silent = tuple(report.istiod.name for report in reports if report.proxies is None)
    expected = [pod for pod in pods if not pod.is_over and not pod.is_terminating]
    problems = [
        Problem(pod=f"{pod.namespace}/{pod.name}", why=why)
        for pod in expected
        if (why := _problem(pod, seen.get(pod.proxy, ()), silent, revision)) is not None
    ]
    return Verification(arrived=len(expected) - len(problems), problems=tuple(sorted(problems)))


def _problem(pod: Pod, rows: Sequence[Proxy], silent: Sequence[str], revision: str) -> str | None:
    if pod.revision is None:
        return "has no sidecar"
    if pod.revision != revision:
        return f"is on revision {pod.revision}"
    elsewhere = next((row for row in rows if row.revision != revision), None)
    if elsewhere is not None:
        return f"is connected to {elsewhere.istiod} of revision {elsewhere.revision}"
    if not rows:
        unknown = f" ({', '.join(silent)} did not answer)" if silent else ""
        return f"is connected to no istiod of revision {revision}{unknown}"
    return _out_of_sync(rows[0])


def _out_of_sync(row: Proxy) -> str | None:
    for type_name, state in sorted(row.states.items()):
        if state.error:
            return f"rejected its {type_name} from {row.istiod}: {state.error}"
        if state.sent != state.acked:
            return f"has not acknowledged its {type_name} from {row.istiod}"
    lacking = [name for name in _ALWAYS if name not in row.states]
    return f"has got no {' and no '.join(lacking)} from {row.istiod} yet" if lacking else None


def count_by_revision(pods: Sequence[Pod]) -> Mapping[str, int]:
    """Count live proxies by revision, in the revisions' order."""
    counts: dict[str, int] = {}
    for pod in pods:
        if pod.revision is not None and not pod.is_over:
            counts[pod.revision] = counts.get(pod.revision, 0) + 1
    return dict(sorted(counts.items()))
