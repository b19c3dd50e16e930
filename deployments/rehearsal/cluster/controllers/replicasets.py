"""Keeps as many pods of a template as a ReplicaSet asks for."""

from collections.abc import Sequence
from typing import Final

from deployments.rehearsal.cluster.controllers.amounts import number, replicas_of, without_zeros
from deployments.rehearsal.cluster.controllers.conditions import (
    condition,
    find,
    replaced,
    without,
    without_update_time,
)
from deployments.rehearsal.cluster.controllers.events import Recorder
from deployments.rehearsal.cluster.controllers.owning import (
    KeptBy,
    controller_reference,
    kept_by,
    own_key,
)
from deployments.rehearsal.cluster.controllers.pods import (
    Readiness,
    all_of,
    in_growing_batches,
    is_active,
    is_namespace_ending,
    is_ready,
    node_of,
    phase_of,
    pod_from,
    ready_time,
    restarts_of,
)
from deployments.rehearsal.cluster.controllers.queueing import Key
from deployments.rehearsal.cluster.controllers.running import Interests
from deployments.rehearsal.cluster.controllers.selecting import ByLabel, Selectors, matches
from deployments.rehearsal.cluster.controllers.writing import end, write_status
from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import (
    Json,
    annotations_of,
    conditions_of,
    controller_of,
    is_terminating,
    labels_of,
    metadata_of,
    name_of,
    namespace_of,
    owners_of,
    spec_of,
    uid_of,
)
from deployments.rehearsal.cluster.resources import PODS, REPLICASETS
from deployments.rehearsal.cluster.store import Change
from deployments.rehearsal.cluster.verbs import Server

_FAILURE: Final = "ReplicaFailure"
_BURST: Final = 500  # pods made or ended in one step
_DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"


class ReplicaSets:
    """The ReplicaSet controller."""

    workers = 5

    def __init__(self, server: Server, pods: ByLabel, readiness: Readiness) -> None:
        self._server = server
        self._pods = pods
        self._readiness = readiness
        self._events = Recorder(server, "replicaset-controller")
        self._selecting = Selectors(server.store, REPLICASETS)
        self._of_owner = KeptBy(REPLICASETS)

    @property
    def interests(self) -> Interests:
        return {REPLICASETS: own_key, PODS: self._of_pod}

    def _of_pod(self, change: Change) -> list[Key]:
        keys = self._of_owner(change)
        orphan = controller_of(change.object) is None
        return [*keys, *self._selecting.choosing(change)] if orphan else keys

    async def settle(self, key: Key) -> float | None:
        replica_set = self._server.store.get(REPLICASETS, key.name, key.namespace)
        if replica_set is None:
            return None
        pods = [pod for pod in await self._claimed(replica_set) if is_active(pod)]
        failure: ApiError | None = None
        if not is_terminating(replica_set):
            failure = await self._manage(replica_set, pods)
        now = self._server.store.get(REPLICASETS, key.name, key.namespace)
        if now is None:
            return None
        pods = [pod for pod in kept_by(self._server.store, now, PODS) if is_active(pod)]
        status = self._status(now, pods, failure)
        await write_status(self._server, REPLICASETS, now, status)
        if failure is not None:
            raise failure
        return self._readiness.next_look(pods, number(spec_of(now), "minReadySeconds"))

    async def _claimed(self, replica_set: Json) -> list[Json]:
        """Adopt the pods that belong to nobody, let go of those whose labels have changed."""
        selector = spec_of(replica_set).get("selector")
        if not is_terminating(replica_set):
            for pod in self._pods.chosen(namespace_of(replica_set), selector):
                if controller_of(pod) is None and is_active(pod):
                    await self._set_owners(pod, [*owners_of(pod), _reference(replica_set)])
        claimed: list[Json] = []
        for pod in kept_by(self._server.store, replica_set, PODS):
            if matches(selector, labels_of(pod)):
                claimed.append(pod)
            elif not is_terminating(pod):
                others = [one for one in owners_of(pod) if one["uid"] != uid_of(replica_set)]
                await self._set_owners(pod, others)
        return claimed

    async def _set_owners(self, pod: Json, owners: list[Json]) -> None:
        changed = pod | {"metadata": metadata_of(pod) | {"ownerReferences": owners}}
        await self._server.update(PODS, changed, namespace=namespace_of(pod))

    async def _manage(self, replica_set: Json, pods: list[Json]) -> ApiError | None:
        """Make or end pods. Returns what went wrong: the status tells it."""
        missing = replicas_of(replica_set) - len(pods)
        try:
            if missing > 0:
                steps = [lambda: self._create_pod(replica_set)] * min(missing, _BURST)
                await in_growing_batches(steps)
            elif missing < 0:
                await self._end(replica_set, pods, -missing)
        except ApiError as error:
            return error
        return None

    async def _create_pod(self, replica_set: Json) -> None:
        pod = pod_from(
            spec_of(replica_set)["template"],
            owner=_reference(replica_set),
            generate_name=f"{name_of(replica_set)}-",
        )
        namespace = namespace_of(replica_set)
        try:
            created = await self._server.create(PODS, pod, namespace=namespace)
        except ApiError as error:
            if is_namespace_ending(error):
                return
            text = f"Error creating: {error.message}"
            await self._events.warning(REPLICASETS, replica_set, "FailedCreate", text)
            raise
        text = f"Created pod: {name_of(created)}"
        await self._events.normal(REPLICASETS, replica_set, "SuccessfulCreate", text)

    async def _end(self, replica_set: Json, pods: list[Json], count: int) -> None:
        related = self._related(replica_set)
        ranked = sorted(pods, key=lambda pod: _worth(pod, related))
        await all_of([self._delete_pod(replica_set, pod) for pod in ranked[: min(count, _BURST)]])

    async def _delete_pod(self, replica_set: Json, pod: Json) -> None:
        try:
            is_news = await end(self._server, PODS, pod)
        except ApiError as error:
            text = f"Error deleting: {error.message}"
            await self._events.warning(REPLICASETS, replica_set, "FailedDelete", text)
            raise
        if is_news:
            text = f"Deleted pod: {name_of(pod)}"
            await self._events.normal(REPLICASETS, replica_set, "SuccessfulDelete", text)

    def _related(self, replica_set: Json) -> dict[str, int]:
        """Count, by node, the ready pods of all ReplicaSets that the same owner keeps."""
        owner = controller_of(replica_set)
        family = [replica_set]
        if owner is not None:
            owned = self._server.store.owned_by(str(owner["uid"]))
            family = [obj for kind, obj in owned if kind == REPLICASETS]
        counted: dict[str, int] = {}
        for one in family:
            for pod in kept_by(self._server.store, one, PODS):
                if is_active(pod) and is_ready(pod):
                    counted[node_of(pod)] = counted.get(node_of(pod), 0) + 1
        return counted

    def _status(self, replica_set: Json, pods: Sequence[Json], failure: ApiError | None) -> Json:
        spec = spec_of(replica_set)
        wanted = labels_of(spec["template"]).items()
        ready = [pod for pod in pods if is_ready(pod)]
        patience = number(spec, "minReadySeconds")
        available = [pod for pod in ready if self._readiness.is_available(pod, patience)]
        status: Json = {
            "replicas": len(pods),
            "fullyLabeledReplicas": sum(wanted <= labels_of(pod).items() for pod in pods),
            "readyReplicas": len(ready),
            "availableReplicas": len(available),
            "observedGeneration": metadata_of(replica_set).get("generation", 0),
            "conditions": _conditions(replica_set, len(pods), failure),
        }
        optional = set(status) - {"replicas"}
        return without_zeros(status, *optional)


def _reference(replica_set: Json) -> Json:
    return controller_reference(REPLICASETS, replica_set)


def _conditions(replica_set: Json, pods: int, failure: ApiError | None) -> list[Json]:
    conditions = conditions_of(replica_set)
    if failure is None:
        return without(conditions, _FAILURE)
    if find(conditions, _FAILURE) is not None:
        return conditions  # the first failure is told, until there is none
    reason = "FailedCreate" if pods < replicas_of(replica_set) else "FailedDelete"
    new = condition(_FAILURE, status="True", reason=reason, message=failure.message)
    return replaced(conditions, without_update_time(new))


_PHASES: Final = {"Pending": 0, "Unknown": 1, "Running": 2}


def _worth(pod: Json, ready_on_node: dict[str, int]) -> tuple[object, ...]:
    """Return what pods are sorted by when some have to go: the least is ended first."""
    ready = is_ready(pod)
    cost = str(annotations_of(pod).get(_DELETION_COST, "0"))
    return (
        bool(node_of(pod)),
        _PHASES.get(phase_of(pod), 1),
        ready,
        int(cost) if cost.removeprefix("-").isdecimal() else 0,
        -ready_on_node.get(node_of(pod), 0) if ready else 0,
        _Latest(ready_time(pod)) if ready else _Latest(""),
        -restarts_of(pod),
        _Latest(str(metadata_of(pod).get("creationTimestamp", ""))),
        name_of(pod),
    )


class _Latest(str):
    """A time that sorts the latest first."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str(self) > str(other)
