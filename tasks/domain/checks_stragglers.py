"""
Pods that use the old revision, or would, and that no run moves.

They are found by the pods themselves, whoever owns them, for each keeps the old revision from
being removed.
"""

from collections.abc import Iterator, Mapping, Sequence

from tasks.domain.checks_situation import Situation
from tasks.domain.checks_wording import counted, restart, warns
from tasks.domain.findings import Finding
from tasks.domain.injection import followed, namespace_follows
from tasks.domain.inventory import MOVABLE, Kind, Pod, Workload, WorkloadRef, is_injectable
from tasks.domain.revision import DEFAULT, REVISION_LABEL

_UNKNOWN = "unknown"  # what an adapter says of a proxy without a readable mark


def straggler_findings(situation: Situation) -> Iterator[Finding]:
    """Look at every pod that the plan leaves where it is."""
    workloads = {one.ref: one for one in situation.inventory.workloads}
    bound = _bound(situation)
    moving, on_old = situation.moving(), situation.on_old()
    gateways = {
        ref
        for ref, pods in on_old.items()
        if ref in workloads and any(pod.is_gateway for pod in pods)
    }
    for ref, pods in on_old.items():
        if ref.kind not in MOVABLE:
            yield _unmovable(situation, ref, pods)
        elif ref not in bound and ref not in gateways:
            yield from _left_behind(situation, workloads.get(ref), ref, moving)
    for ref, finding in bound.items():
        # A gateway that stays is found as one; one that moves has a label too many.
        if ref not in gateways or ref.namespace in moving:
            yield finding
    yield from _unknown_names(situation)
    yield from _unknown_proxies(situation)


def _unmovable(situation: Situation, ref: WorkloadRef, pods: Sequence[Pod]) -> Finding:
    code, why, todo = _UNMOVABLE.get(ref.kind, _FOREIGN)
    return warns(
        code,
        ref,
        fact=(
            f"{ref} has {counted(len(pods), 'pod')} with a proxy of {situation.old}, and {why}; "
            "the run ends before the uninstall while it is there."
        ),
        todo=todo,
    )


_UNMOVABLE: Mapping[Kind, tuple[str, str, str]] = {
    Kind.POD: (
        "bare-pod",
        "nothing recreates a bare pod",
        "Delete it and make it again after its namespace has moved.",
    ),
    Kind.JOB: (
        "running-job",
        "a Job is never restarted",
        "Wait until it is over, or delete it.",
    ),
    Kind.REPLICA_SET: (
        "bare-replica-set",
        "a ReplicaSet without a Deployment does not replace its pods",
        "Delete its pods after its namespace has moved.",
    ),
}
_FOREIGN = (
    "foreign-pods",
    "its kind is none that a run restarts",
    "Have its operator replace the pods after their namespace has moved.",
)


def _bound(situation: Situation) -> dict[WorkloadRef, Finding]:
    """Return the workloads whose own template keeps them at the old revision."""
    found: dict[WorkloadRef, Finding] = {}
    inspected, on_old = situation.inspected(), situation.on_old()
    for one in situation.inventory.workloads:
        space = inspected.get(one.ref.namespace)
        if space is None or situation.inventory.is_istiod(one.ref):
            continue
        label = one.template_labels.get(REVISION_LABEL)
        names_old = _means_old(situation, label) and label == situation.old
        if namespace_follows(space.labels) is not None:
            if names_old:
                found[one.ref] = _label_too_many(situation, one)
            continue
        name = followed(space.labels, one.template_labels) or label
        if names_old or (one.ref in on_old and _means_old(situation, name)):
            found[one.ref] = _by_own_labels(situation, one, name or DEFAULT)
    return found


def _means_old(situation: Situation, name: str | None) -> bool:
    return situation.inventory.resolve(name) == situation.old


def _label_too_many(situation: Situation, workload: Workload) -> Finding:
    ref = workload.ref
    return warns(
        "own-labels",
        ref,
        fact=(
            f"The pod template of {ref} is labelled {REVISION_LABEL}={situation.old}; its "
            "namespace decides, "
            "but the run ends before the uninstall while the label is there."
        ),
        todo=f"Remove the label {REVISION_LABEL} from its pod template.",
    )


def _by_own_labels(situation: Situation, workload: Workload, name: str) -> Finding:
    ref = workload.ref
    if name in situation.moves_tags:
        todo = f"Run {restart(ref)} after tag {name} has moved."
    else:
        todo = (
            f"Label its pod template {REVISION_LABEL}={situation.canary} once the canary is there."
        )
    return warns(
        "own-labels",
        ref,
        fact=(
            f"{ref} asks for {name} by its own pod template, not by its namespace, so no wave "
            "moves it; "
            "the run ends before the uninstall while it does."
        ),
        todo=todo,
    )


def _left_behind(
    situation: Situation, workload: Workload | None, ref: WorkloadRef, moving: frozenset[str]
) -> Iterator[Finding]:
    is_moved = ref.namespace in moving and workload is not None and is_injectable(workload)
    if not is_moved:
        yield warns(
            "left-behind",
            ref,
            fact=(
                f"{ref} has a proxy of {situation.old}, but its labels no longer ask for one, so "
                "no run restarts it: "
                "its next pods have another proxy, or none."
            ),
            todo=f"See what it should have, and run {restart(ref)}.",
        )


def _unknown_names(situation: Situation) -> Iterator[Finding]:
    """Find what names no revision by its own label: it runs without a sidecar, silently."""
    inspected = situation.inspected()
    asked: dict[WorkloadRef, Mapping[str, str]] = {
        one.ref: one.template_labels for one in situation.inventory.workloads
    }
    for ref, pods in situation.live().items():
        asked.setdefault(ref, pods[0].labels)
    for ref, labels in asked.items():
        space = inspected.get(ref.namespace)
        if space is None or namespace_follows(space.labels) is not None:
            continue
        name = followed(space.labels, labels)
        if name not in {None, DEFAULT} and not situation.reaches(name):
            yield warns(
                "unknown-revision",
                ref,
                fact=(
                    f"{ref} is labelled {REVISION_LABEL}={name}, which is no revision or tag that "
                    "is there: its pods get no sidecar, silently."
                ),
                todo="Name a revision or tag that exists in its pod template, or remove the label.",
            )


def _unknown_proxies(situation: Situation) -> Iterator[Finding]:
    for ref, pods in situation.live().items():
        if any(pod.revision == _UNKNOWN for pod in pods):
            yield warns(
                "unknown-proxy",
                ref,
                fact=f"{ref} has a proxy that does not say which revision it belongs to.",
                todo=(
                    "Look at its sidecar.istio.io/status annotation; restart it, if it was "
                    "injected long ago."
                ),
            )
