"""Workloads in the domain's words, and who owns which pod in the end. Makes no requests."""

from collections.abc import Iterable, Mapping
from typing import Final

from tasks.adapters.cluster_objects import Condition, PodObject, WorkloadObject
from tasks.adapters.cluster_pods import own_ref, pod_of, ref_of, said
from tasks.domain.inventory import Kind, Pod, Workload, WorkloadRef

LISTED: Final = (
    Kind.DEPLOYMENT,
    Kind.STATEFUL_SET,
    Kind.DAEMON_SET,
    Kind.REPLICA_SET,
    Kind.ROLLOUT,
)
PATHS: Final[Mapping[Kind, str]] = {
    Kind.DEPLOYMENT: "/apis/apps/v1/deployments",
    Kind.STATEFUL_SET: "/apis/apps/v1/statefulsets",
    Kind.DAEMON_SET: "/apis/apps/v1/daemonsets",
    Kind.REPLICA_SET: "/apis/apps/v1/replicasets",
    Kind.ROLLOUT: "/apis/argoproj.io/v1alpha1/rollouts",
}
_TEMPLATE_HASH: Final = "pod-template-hash"


def workloads_of(kind: Kind, found: Iterable[WorkloadObject]) -> list[Workload]:
    """Return the workloads of one kind; of ReplicaSets only those that nobody else keeps."""
    return [
        workload_of(kind, one)
        for one in found
        if kind is not Kind.REPLICA_SET or one.metadata.controller is None
    ]


def workload_of(kind: Kind, found: WorkloadObject) -> Workload:
    """Return one workload."""
    meta, spec, status = found.metadata, found.spec, found.status
    strategy = spec.strategy or spec.update_strategy
    rolling = strategy.rolling_update if strategy else None
    is_daemon = kind is Kind.DAEMON_SET
    return Workload(
        ref=WorkloadRef(namespace=meta.namespace, kind=kind, name=meta.name),
        uid=meta.uid,
        replicas=status.desired_number_scheduled if is_daemon else _wanted(spec.replicas),
        ready=status.number_ready if is_daemon else status.ready_replicas,
        template_labels=spec.template.metadata.labels_or_none,
        template_annotations=spec.template.metadata.annotations or {},
        strategy=(strategy.type if strategy else "") or "RollingUpdate",
        partition=(rolling.partition or 0) if rolling else 0,
        is_paused=spec.paused,
        is_host_network=spec.template.spec.host_network,
        owner=_owner(found),
        generation=meta.generation,
        observed_generation=_number(status.observed_generation),
        failure=_failure(status.conditions or ()),
        is_stalled=any(_is_stalled(one) for one in status.conditions or ()),
    )


def _wanted(replicas: int | None) -> int:
    return 1 if replicas is None else replicas


def _number(generation: int | str) -> int:
    # An older Argo wrote a hash here: zero then, which is never taken for up to date.
    return int(generation) if isinstance(generation, int) or generation.isdecimal() else 0


def _owner(found: WorkloadObject) -> str | None:
    controller = found.metadata.controller
    return f"{controller.kind}/{controller.name}" if controller else None


def _is_stalled(condition: Condition) -> bool:
    return condition.type == "Progressing" and condition.status == "False"


def _failure(conditions: Iterable[Condition]) -> str | None:
    stalled: str | None = None
    for one in conditions:
        # Says what is wrong, where a stalled Progressing says only for how long.
        if one.type == "ReplicaFailure" and one.status == "True":
            return said(one.reason, one.message)
        if _is_stalled(one):
            stalled = said(one.reason, one.message)
    return stalled


class Owners:
    """Knows who keeps the ReplicaSets, and so who owns a pod in the end."""

    def __init__(
        self, replica_sets: Iterable[WorkloadObject], known: Iterable[WorkloadRef]
    ) -> None:
        self._above = {
            (one.metadata.namespace, one.metadata.name): self._of_replica_set(one)
            for one in replica_sets
        }
        self._known = frozenset(known)

    def of(self, pod: PodObject) -> WorkloadRef:
        """Return the top owner of a pod; a bare pod names itself."""
        controller = pod.metadata.controller
        if controller is None:
            return own_ref(pod)
        direct = ref_of(pod.metadata.namespace, controller)
        if direct.kind is not Kind.REPLICA_SET:
            return direct
        return self._above.get((direct.namespace, direct.name)) or self._guessed(pod, direct)

    def pods(self, found: Iterable[PodObject]) -> list[Pod]:
        """Return pods with their owners."""
        return [pod_of(one, workload=self.of(one)) for one in found]

    def _of_replica_set(self, found: WorkloadObject) -> WorkloadRef:
        meta = found.metadata
        if meta.controller is None:
            return WorkloadRef(namespace=meta.namespace, kind=Kind.REPLICA_SET, name=meta.name)
        return ref_of(meta.namespace, meta.controller)

    def _guessed(self, pod: PodObject, direct: WorkloadRef) -> WorkloadRef:
        """Name the owner by the ReplicaSet's name, where the ReplicaSet itself is not seen."""
        suffix = f"-{pod.metadata.labels_or_none.get(_TEMPLATE_HASH, '')}"
        for kind in (Kind.DEPLOYMENT, Kind.ROLLOUT):
            above = WorkloadRef(
                namespace=direct.namespace, kind=kind, name=direct.name.removesuffix(suffix)
            )
            if above in self._known and above.name != direct.name:
                return above
        return direct
