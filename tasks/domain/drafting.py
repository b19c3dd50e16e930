"""Drawing up a plan from an inventory and what was asked for."""

import math
from collections.abc import Mapping, Sequence

import msgspec

from tasks.domain.errors import BadInputError
from tasks.domain.findings import Finding
from tasks.domain.injection import followed, namespace_follows
from tasks.domain.inventory import (
    MOVABLE,
    Inventory,
    Kind,
    Namespace,
    Pod,
    Workload,
    WorkloadRef,
    is_injectable,
    pods_by_workload,
)
from tasks.domain.parameters import UpgradeParameters
from tasks.domain.plan import (
    MAX_BATCHES,
    Action,
    Install,
    LeftToPeople,
    NamespaceMove,
    Plan,
    Wave,
    WorkloadMove,
    cut_into_batches,
    injection_labels,
)
from tasks.domain.policy import GateName
from tasks.domain.revision import DEFAULT, REVISION_LABEL

_SYSTEM = frozenset({"kube-system", "kube-public", "kube-node-lease"})


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan is drawn from."""

    inventory: Inventory
    parameters: UpgradeParameters
    old: str
    install: Install
    carried: Mapping[str, Mapping[str, str]] = {}  # labels that an earlier run of ours recorded

    @property
    def canary(self) -> str:
        """The new revision."""
        return self.parameters.canary


def select_old(inventory: Inventory, parameters: UpgradeParameters) -> str | None:
    """
    Return the revision to replace; None when the canary's is the only one left.

    Raises BadInputError when the cluster has none or the choice is not clear.
    """
    revisions = [plane.revision for plane in inventory.control_planes]
    if not revisions:
        raise BadInputError(
            f"there is no istiod in namespace {inventory.istio_namespace}; "
            "an upgrade needs a control plane to start from"
        )
    if (asked := parameters.from_revision) is not None:
        if asked not in revisions:
            raise BadInputError(
                f"--from {asked}: there is no such revision; there are {', '.join(revisions)}"
            )
        if asked == parameters.canary:
            raise BadInputError(
                f"--from {asked} is the new revision itself; name the one to replace"
            )
        return asked
    others = [one for one in revisions if one != parameters.canary]
    used = [one for one in others if _is_in_use(one, inventory)]
    if len(used) > 1 or (not used and len(others) > 1):
        raise BadInputError(
            f"several revisions are there to be replaced: {', '.join(used or others)}; "
            "name one with --from"
        )
    return next(iter(used or others), None)


def _is_in_use(revision: str, inventory: Inventory) -> bool:
    return (
        any(tag.revision == revision for tag in inventory.tags)
        or any(pod.revision == revision and not pod.is_over for pod in inventory.pods)
        or any(inventory.effective_revision(one) == revision for one in inventory.namespaces)
    )


def draft(given: Draft, *, findings: Sequence[Finding] = ()) -> Plan:
    """Draw up the plan. Raises BadInputError for a wave that names what is not there."""
    inventory, parameters = given.inventory, given.parameters
    moves = {one.name: one for one in _moves(given)}
    waves = _waves(moves, parameters, inventory)
    old = inventory.control_plane(given.old)
    return Plan(
        old_revision=given.old,
        old_version=(old.version if old else None) or "unknown",
        new_revision=given.canary,
        new_version=str(parameters.version),
        install=given.install,
        waves=waves,
        settle_only=_settle_only(given, moves),
        tags=tags_to_move(given),
        left_to_people=left_to_people(given),
        findings=tuple(findings),
        overrides=tuple(sorted(parameters.overrides)),
        gates=_gates(parameters, len(waves)),
        removes_old=not parameters.keep_old,
        parameters=parameters.model_dump_json(),
    )


def tags_to_move(given: Draft) -> tuple[str, ...]:
    """
    Return the tags that will point to the canary.

    They are the old revision's, or those of them that were named; the default goes in any case.
    """
    wanted = given.parameters.tags
    of_old = [tag.name for tag in given.inventory.tags if tag.revision == given.old]
    named = [name for name in of_old if wanted is None or name in wanted or name == DEFAULT]
    if given.old == DEFAULT and given.inventory.default_revision == DEFAULT:
        # An unrevisioned istiod injects by default even without a tag of that name.
        named.append(DEFAULT)
    return tuple(sorted(set(named)))


def _gates(parameters: UpgradeParameters, waves: int) -> tuple[str, ...]:
    names: list[str] = []
    for gate in GateName:
        if gate not in parameters.gates.at or (gate is GateName.UNINSTALL and parameters.keep_old):
            continue
        if gate is GateName.WAVE:
            names += [f"wave-{number}" for number in range(2, waves + 1)]
        else:
            names.append(str(gate))
    return tuple(names)


def _moves(given: Draft) -> list[NamespaceMove]:
    grouped = pods_by_workload(given.inventory.pods)
    by_namespace: dict[str, list[Workload]] = {}
    for workload in given.inventory.workloads:
        by_namespace.setdefault(workload.ref.namespace, []).append(workload)
    return [
        _move(namespace, by_namespace.get(namespace.name, []), grouped, given)
        for namespace in sorted(given.inventory.namespaces, key=lambda one: one.name)
        if _moves_namespace(namespace, given)
    ]


def _moves_namespace(namespace: Namespace, given: Draft) -> bool:
    inventory = given.inventory
    if namespace.is_terminating or namespace.name in _SYSTEM | {inventory.istio_namespace}:
        return False
    effective = inventory.effective_revision(namespace)
    if effective != given.canary:
        return effective == given.old and namespace_follows(namespace.labels) is not None
    return any(
        pod.namespace == namespace.name and pod.revision == given.old and not pod.is_over
        for pod in inventory.pods
    )


def _move(
    namespace: Namespace,
    workloads: Sequence[Workload],
    grouped: Mapping[WorkloadRef, Sequence[Pod]],
    given: Draft,
) -> NamespaceMove:
    before = given.carried.get(namespace.name, injection_labels(namespace.labels))
    planned = (workload_move(one, grouped.get(one.ref, ())) for one in workloads)
    return NamespaceMove(
        name=namespace.name,
        before=before,
        after=settled_labels(before, given),
        workloads=tuple(sorted(one for one in planned if one is not None)),
    )


def workload_move(workload: Workload, pods: Sequence[Pod]) -> WorkloadMove | None:
    """
    Return how a workload gets new pods.

    None when it has none, needs none, or people have to do it.
    """
    if not pods or workload.ref.kind not in MOVABLE or workload.is_paused:
        return None
    if not is_injectable(workload):
        if any(pod.is_gateway for pod in pods):
            return WorkloadMove(ref=workload.ref, action=Action.BY_ITSELF, pods=len(pods))
        return None
    replaces_nothing = workload.strategy == "OnDelete" or workload.partition > 0
    action = Action.DELETE_PODS if replaces_nothing else Action.RESTART
    return WorkloadMove(ref=workload.ref, action=action, pods=len(pods))


def settled_labels(before: Mapping[str, str], given: Draft) -> dict[str, str]:
    """
    Return what a namespace says at the end.

    That is the same as before, where it means the new revision.
    """
    explicit = {REVISION_LABEL: given.canary}
    if given.parameters.labels_afterwards == "revision":
        return explicit
    moved = tags_to_move(given)
    after = dict(before)
    if after.get(REVISION_LABEL) == given.old and given.old not in moved:
        after[REVISION_LABEL] = given.canary
    follows = followed(after, {})
    resolved = given.canary if follows in moved else given.inventory.resolve(follows)
    return after if given.canary in {follows, resolved} else explicit


def _settle_only(given: Draft, moves: Mapping[str, NamespaceMove]) -> tuple[NamespaceMove, ...]:
    return tuple(
        NamespaceMove(name=name, before=before, after=settled_labels(before, given))
        for name, before in sorted(given.carried.items())
        if name not in moves and given.inventory.namespace(name) is not None
    )


def _waves(
    moves: Mapping[str, NamespaceMove], parameters: UpgradeParameters, inventory: Inventory
) -> tuple[Wave, ...]:
    for name in (name for wave in parameters.waves for name in wave):
        if inventory.namespace(name) is None:
            raise BadInputError(f"--wave names namespace {name}, which does not exist")
    named = {name for wave in parameters.waves for name in wave}
    lists = [[moves[name] for name in wave if name in moves] for wave in parameters.waves]
    lists.append([move for name, move in moves.items() if name not in named])
    filled = [one for one in lists if one]
    per_batch = parameters.limits.namespaces_per_batch or max(
        1, math.ceil(len(moves) / MAX_BATCHES)
    )
    return tuple(
        Wave(number=number, batches=cut_into_batches(one, wave=number, per_batch=per_batch))
        for number, one in enumerate(filled, 1)
    )


def left_to_people(given: Draft) -> tuple[LeftToPeople, ...]:
    """
    List what uses the old revision and that the plan does not move.

    The run ends before the uninstall for it.
    """
    workloads = {one.ref: one for one in given.inventory.workloads}
    found: set[LeftToPeople] = set()
    for pod in given.inventory.pods:
        if pod.revision == given.old and not pod.is_over and pod.workload is not None:
            reason = _why_left(pod, workloads.get(pod.workload), given)
            if reason is not None:
                found.add(LeftToPeople(subject=str(pod.workload), why=reason[0], todo=reason[1]))
    return tuple(sorted(found))


def _why_left(pod: Pod, workload: Workload | None, given: Draft) -> tuple[str, str] | None:
    namespace = given.inventory.namespace(pod.namespace)
    follows = namespace_follows(namespace.labels) if namespace else None
    if workload is None or workload.ref.kind not in MOVABLE:
        return _why_not_movable(pod)
    if pod.is_gateway and not is_injectable(workload):
        return None  # Istio rolls it: the checks say when
    if workload.is_paused:
        return (
            "the Deployment is paused",
            (
                f"kubectl rollout resume deployment/{workload.ref.name} -n {pod.namespace}, "
                "then run again"
            ),
        )
    if follows is None:
        return (
            "its pods are bound by their own labels, in a namespace that asks for no revision",
            (
                f"give its template {REVISION_LABEL}={given.canary}, "
                "or restart it after the default has moved if it follows the default"
            ),
        )
    if not is_injectable(workload):
        return (
            "its template asks for no sidecar any more, but its pods still have one",
            "restart it",
        )
    return None


def _why_not_movable(pod: Pod) -> tuple[str, str]:
    kind = pod.workload.kind if pod.workload else Kind.POD
    if kind is Kind.JOB:
        return "a Job cannot be restarted", "wait until it is over, or delete it"
    if kind is Kind.POD:
        return (
            "nothing recreates a bare pod",
            "delete it and make it again after its namespace has moved",
        )
    if kind is Kind.REPLICA_SET:
        return (
            "a ReplicaSet without a Deployment does not replace its pods",
            "delete its pods after its namespace has moved",
        )
    return (
        "its pods belong to a kind of object that no run restarts",
        "let its operator replace the pods after its namespace has moved",
    )
