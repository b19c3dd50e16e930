"""
Moving namespaces and their workloads from one revision to another, forth and back.

Plain functions, so that tasks stay thin. Everything looks first, acts on the difference only, and records in the
journal before it acts: so it can be killed anywhere and called again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from tasks import wiring
from tasks.adapters.ports import NamespaceState
from tasks.domain.errors import HaltedError, RefusedError, TransientError, UnhealthyError
from tasks.domain.inventory import Pod, WorkloadRef, pods_by_workload
from tasks.domain.journal import Labelled, Restarting
from tasks.domain.parameters import UpgradeParameters
from tasks.domain.plan import Action, WorkloadMove, injection_labels
from tasks.domain.revision import INJECTION_LABEL, REVISION_LABEL
from tasks.domain.rollout import Progress, Stage, judge
from tasks.journaling import log, note, now, record

PREVIOUS_ANNOTATION = "istio-canary.io/previous-labels"

_LOOK_AGAIN = timedelta(seconds=5)
_PROOFS = 3
_BETWEEN_PROOFS = timedelta(seconds=2)


def relabel(name: str, labels: Mapping[str, str], *, keep_annotation: bool) -> None:
    """Make a namespace say exactly these injection labels, in one patch; nothing if it does."""
    services = wiring.services()
    namespace = services.cluster.namespace(name)
    previous = injection_labels(namespace.labels)
    annotated = PREVIOUS_ANNOTATION in namespace.annotations
    if previous == dict(labels) and annotated == keep_annotation:
        return
    recorded = msgspec.json.encode(
        record().previous_labels.get(name, previous), order="sorted"
    ).decode()
    services.changes.label_namespace(
        name,
        labels={key: labels.get(key) for key in (INJECTION_LABEL, REVISION_LABEL)},
        annotations={PREVIOUS_ANNOTATION: recorded if keep_annotation else None},
    )


def move_labels(name: str, before: Mapping[str, str], revision: str) -> None:
    """Point a namespace at a revision, having recorded what it said."""
    if name not in record().previous_labels:
        note(Labelled(at=now(), namespace=name, previous=before))
    relabel(name, {REVISION_LABEL: revision}, keep_annotation=True)


def prove_injection(
    namespace: str, revision: str | None, template_of: WorkloadRef | None = None
) -> None:
    """
    Prove by dry-run who would inject a pod made here now; None: nobody.

    Raises UnhealthyError when it is somebody else, or when admission refuses the pod.
    """
    services = wiring.services()
    problem = ""
    for attempt in range(_PROOFS):
        if attempt:
            services.clock.sleep(_BETWEEN_PROOFS)
        try:
            injected = services.admission.injected_by(namespace, template_of=template_of)
        except RefusedError as error:
            problem = str(error)
            continue
        if injected == revision:
            return
        problem = f"it would be injected by {injected or 'nobody'}, not by {revision or 'nobody'}"
    what = str(template_of) if template_of else f"namespace {namespace}"
    raise UnhealthyError(f"{what}: a dry-run of its pod failed: {problem}")


@dataclass(frozen=True, kw_only=True)
class Rolling:
    """What one batch's restarts have in common."""

    revision: str  # that the pods should have afterwards
    at: datetime  # marks the restart: the same twice restarts once
    parameters: UpgradeParameters
    left_behind: list[str] = field(default_factory=list[str])
    ready_before: dict[WorkloadRef, int] = field(default_factory=dict[WorkloadRef, int])

    @property
    def deadline(self) -> timedelta:
        """How long one workload may take."""
        return timedelta(seconds=self.parameters.timeouts.rollout_seconds)


def roll(moves: Sequence[WorkloadMove], rolling: Rolling) -> None:
    """
    Give workloads new pods, a few at a time, and watch until all are settled.

    Raises UnhealthyError naming the workload that did not come up and why.
    """
    if not moves:
        return
    services = wiring.services()
    rolling.ready_before.update(record().ready_before)
    with services.cluster.watching({move.ref.namespace for move in moves}) as state:
        waiting, active = list(moves), dict[WorkloadMove, datetime]()
        while waiting or active:
            services.keeper.check()
            if services.wave_failed.is_set():
                raise HaltedError("stopped, because another batch of the wave failed")
            while waiting and len(active) < rolling.parameters.limits.workloads_at_once:
                move = waiting.pop(0)
                begin(move, state, rolling)
                active[move] = now()
            for move in [
                one for one, begun in active.items() if _is_over(one, begun, state, rolling)
            ]:
                del active[move]
            if active:
                state.wait(_LOOK_AGAIN)


def begin(move: WorkloadMove, state: NamespaceState, rolling: Rolling) -> None:
    """Restart a workload, unless all of its pods are where they should be already."""
    workload = state.workloads.get(move.ref)
    if move.ref not in rolling.ready_before:
        rolling.ready_before[move.ref] = workload.ready if workload else 0
        note(Restarting(at=now(), workload=move.ref, ready=rolling.ready_before[move.ref]))
    if workload is None or _look(move, state, rolling).stage is Stage.SETTLED:
        return
    if move.action is Action.RESTART:
        prove_injection(move.ref.namespace, rolling.revision, move.ref)
        log(f"restarting {move.ref}")
        wiring.services().changes.restart(move.ref, at=rolling.at.isoformat())


def _look(move: WorkloadMove, state: NamespaceState, rolling: Rolling) -> Progress:
    pods = pods_by_workload(state.pods).get(move.ref, [])
    ready_before = rolling.ready_before[move.ref]
    return judge(
        state.workloads.get(move.ref), pods, revision=rolling.revision, ready_before=ready_before
    )


def _is_over(move: WorkloadMove, begun: datetime, state: NamespaceState, rolling: Rolling) -> bool:
    progress = _look(move, state, rolling)
    workload = state.workloads.get(move.ref)
    was_healthy = workload is not None and rolling.ready_before[move.ref] >= workload.replicas
    is_late = now() - begun >= rolling.deadline
    if progress.stage is Stage.FAILED or (is_late and was_healthy and not progress.is_over):
        late = f" within {rolling.deadline.total_seconds():g} s" if is_late else ""
        raise UnhealthyError(f"{move.ref} did not roll out{late}: {progress.text}{_events(move)}")
    if progress.stage is Stage.ROLLING and not is_late:
        if move.action is Action.DELETE_PODS:
            _delete_next(move, state, rolling)
        return False
    if progress.stage is not Stage.SETTLED:
        rolling.left_behind.append(
            f"{move.ref} was not healthy before and is left behind: {progress.text}"
        )
    return True


def _events(move: WorkloadMove) -> str:
    """Return what Kubernetes last complained of about a workload; nothing if it cannot be read."""
    try:
        found = wiring.services().cluster.events(move.ref)
    except (RefusedError, TransientError):
        return ""
    return f"; {found[0]}" if found else ""


def _delete_next(move: WorkloadMove, state: NamespaceState, rolling: Rolling) -> None:
    """Delete one old pod, when all the others are ready: nobody else replaces those of an OnDelete workload."""
    pods = pods_by_workload(state.pods).get(move.ref, [])
    old = [pod for pod in pods if pod.revision != rolling.revision]
    workload = state.workloads.get(move.ref)
    others_settled = all(pod.is_ready and not pod.is_terminating for pod in pods if pod not in old)
    is_complete = workload is not None and len(pods) >= workload.replicas
    if not old or not others_settled or not is_complete or any(pod.is_terminating for pod in old):
        return
    chosen = max(old, key=_ordinal)
    prove_injection(move.ref.namespace, rolling.revision, move.ref)
    log(f"deleting pod {chosen.namespace}/{chosen.name}, which its {move.ref.kind} makes again")
    wiring.services().changes.delete_pod(chosen)


def _ordinal(pod: Pod) -> tuple[int, str]:
    tail = pod.name.rpartition("-")[2]
    return (int(tail) if tail.isdigit() else -1, pod.name)
