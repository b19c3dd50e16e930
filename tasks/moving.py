"""
Moving namespaces and their workloads from one revision to another, forth and back.

Plain functions, so that tasks stay thin. Everything looks first, acts on the difference only, and records in the
journal before it acts: so it can be killed anywhere and called again.
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from tasks import wiring
from tasks.adapters.ports import NamespaceState
from tasks.domain.errors import (
    HaltedError,
    RefusedError,
    TransientError,
    UnhealthyError,
    UpgradeError,
)
from tasks.domain.inventory import Pod, Workload, WorkloadRef, pods_by_workload
from tasks.domain.journal import Labelled, LeftBehind, Restarting
from tasks.domain.parameters import UpgradeParameters
from tasks.domain.plan import Action, WorkloadMove, injection_labels
from tasks.domain.revision import INJECTION_LABEL, REVISION_LABEL
from tasks.domain.rollout import Progress, Stage, judge
from tasks.journaling import log, note, now, record, say

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


def is_outside(workload: WorkloadRef) -> bool:
    """Whether none of a workload's pods has a sidecar, and no injector would give it one."""
    services = wiring.services()
    with services.cluster.watching({workload.namespace}) as state:
        pods = pods_by_workload(state.pods).get(workload, [])
    if any(pod.revision is not None for pod in pods):
        return False
    try:
        injected = services.admission.injected_by(workload.namespace, template_of=workload)
    except RefusedError:
        return False
    return injected is None


def _nothing() -> None:
    """Stands for nobody to be asked."""


@dataclass(frozen=True, kw_only=True)
class Rolling:
    """What one batch's restarts have in common, and what becomes of them."""

    revision: str  # that the pods should have afterwards
    parameters: UpgradeParameters
    wave: int | None = None
    is_way_back: bool = False  # then one that fails keeps nothing else from going back
    obey: Callable[[], object] = _nothing  # asked every few seconds; raises if the run has to stop
    ready_before: dict[WorkloadRef, int] = field(default_factory=dict[WorkloadRef, int])
    restarts: dict[WorkloadRef, datetime] = field(default_factory=dict[WorkloadRef, datetime])
    left_behind: dict[WorkloadRef, str] = field(default_factory=dict[WorkloadRef, str])
    failures: list[UpgradeError] = field(default_factory=list[UpgradeError])

    @property
    def deadline(self) -> timedelta:
        """How long one workload may take."""
        return timedelta(seconds=self.parameters.timeouts.rollout_seconds)

    @contextmanager
    def bearing(self, subject: object) -> Generator[None]:
        """On the way back keep a failure for the end."""
        try:
            yield
        except (UnhealthyError, RefusedError, TransientError) as error:
            if not self.is_way_back:
                raise
            text = str(error) if str(subject) in str(error) else f"{subject}: {error}"
            # What may heal has the whole way tried again.
            kind = TransientError if isinstance(error, TransientError) else UnhealthyError
            self.failures.append(kind(text))
            log(f"{text}; the others go back first")

    def raise_failures(self) -> None:
        """Raise one error that names everything that did not go back, if there is any."""
        if not self.failures:
            return
        text = "; ".join(str(one) for one in self.failures)
        if any(isinstance(one, TransientError) for one in self.failures):
            raise TransientError(text)
        raise UnhealthyError(text)


@dataclass(frozen=True, kw_only=True)
class _Begun:
    """A workload whose pods are being replaced."""

    move: WorkloadMove
    at: datetime
    generation: int = 0  # that its restart made: an older picture of it says nothing


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """One look at everything: sorting thousands of pods for each workload would take long."""

    workloads: Mapping[WorkloadRef, Workload]
    pods: Mapping[WorkloadRef, Sequence[Pod]]


def roll(moves: Sequence[WorkloadMove], rolling: Rolling) -> None:
    """
    Give workloads new pods, a few at a time, and watch until all are settled.

    Raises UnhealthyError naming the workload that did not come up and why; on the way back it is
    kept in `rolling.failures`.
    """
    if not moves:
        return
    journal, obeyed = record(), now()
    rolling.ready_before.update(journal.ready_before)
    rolling.restarts.update(journal.restarts)
    namespaces = {move.ref.namespace for move in moves}
    with wiring.services().cluster.watching(namespaces) as state:
        waiting, active = list(moves), list[_Begun]()
        while waiting or active:
            obeyed = _may_go_on(rolling, obeyed)
            while waiting and len(active) < rolling.parameters.limits.workloads_at_once:
                move = waiting.pop(0)
                with rolling.bearing(move.ref):
                    active.append(begin(move, state, rolling))
            active = _unfinished(active, state, rolling)
            if active:
                state.wait(_LOOK_AGAIN)


def _may_go_on(rolling: Rolling, obeyed: datetime) -> datetime:
    """Raise if nothing more may begin. Returns when people were last asked."""
    services = wiring.services()
    services.keeper.check()
    if services.wave_failed.is_set():
        raise HaltedError("stopped, because another batch of the wave failed")
    if now() - obeyed < _LOOK_AGAIN:
        return obeyed
    rolling.obey()
    return now()


def begin(move: WorkloadMove, state: NamespaceState, rolling: Rolling) -> _Begun:
    """Restart a workload, unless all of its pods are where they should be already."""
    workload = state.workloads.get(move.ref)
    ready = rolling.ready_before.setdefault(move.ref, workload.ready if workload else 0)
    if move.ref not in rolling.restarts:
        # Later than the labels and any pod made before them: Argo restarts only what is older.
        rolling.restarts[move.ref] = now()
        note(Restarting(at=rolling.restarts[move.ref], workload=move.ref, ready=ready))
    begun = _Begun(move=move, at=now())
    is_settled = workload is None or _look(begun, _seen(state), rolling).stage is Stage.SETTLED
    if is_settled or move.action is not Action.RESTART:
        return begun
    prove_injection(move.ref.namespace, rolling.revision, move.ref)
    log(f"restarting {move.ref}")
    mark = rolling.restarts[move.ref].isoformat()
    generation = wiring.services().changes.restart(move.ref, at=mark)
    return _Begun(move=move, at=begun.at, generation=generation)


def _seen(state: NamespaceState) -> _Seen:
    return _Seen(workloads=state.workloads, pods=pods_by_workload(state.pods))


def _look(begun: _Begun, seen: _Seen, rolling: Rolling) -> Progress:
    ref = begun.move.ref
    return judge(
        seen.workloads.get(ref),
        seen.pods.get(ref, []),
        revision=rolling.revision,
        ready_before=rolling.ready_before[ref],
        generation=begun.generation,
        is_late=_is_late(begun, rolling),
    )


def _is_late(begun: _Begun, rolling: Rolling) -> bool:
    return now() - begun.at >= rolling.deadline


def _unfinished(active: Sequence[_Begun], state: NamespaceState, rolling: Rolling) -> list[_Begun]:
    """Return what has to be watched further; what failed on the way back is not."""
    unfinished: list[_Begun] = []
    seen: _Seen | None = None
    for one in active:
        with rolling.bearing(one.move.ref):
            seen = seen or _seen(state)
            if not _is_over(one, seen, rolling):
                unfinished.append(one)
    return unfinished


def _is_over(begun: _Begun, seen: _Seen, rolling: Rolling) -> bool:
    progress = _look(begun, seen, rolling)
    ref = begun.move.ref
    if progress.stage is Stage.FAILED:
        late = f" within {rolling.deadline.total_seconds():g} s" if _is_late(begun, rolling) else ""
        raise UnhealthyError(f"{ref} did not roll out{late}: {progress.text}{_events(begun.move)}")
    if progress.stage is Stage.LEFT_BEHIND:
        _leave(ref, progress, rolling)
    if progress.stage is Stage.ROLLING and begun.move.action is Action.DELETE_PODS:
        _delete_next(begun.move, seen, rolling)
    return progress.is_over


def _leave(ref: WorkloadRef, progress: Progress, rolling: Rolling) -> None:
    """Write down, once, that a workload stays as it is."""
    text = f"{ref} was not healthy before and is left behind: {progress.text}"
    rolling.left_behind[ref] = text
    if ref not in record().left_behind:
        note(LeftBehind(at=now(), workload=ref, why=progress.text, wave=rolling.wave))
        say(text, wave=rolling.wave, namespace=ref.namespace)


def _events(move: WorkloadMove) -> str:
    """Return what Kubernetes last complained of about a workload; nothing if it cannot be read."""
    try:
        found = wiring.services().cluster.events(move.ref)
    except (RefusedError, TransientError):
        return ""
    return f"; {found[0]}" if found else ""


def _delete_next(move: WorkloadMove, seen: _Seen, rolling: Rolling) -> None:
    """Delete one old pod, when all the others are ready: nobody else replaces those of an OnDelete workload."""
    pods = seen.pods.get(move.ref, [])
    old = [pod for pod in pods if pod.revision != rolling.revision]
    workload = seen.workloads.get(move.ref)
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
