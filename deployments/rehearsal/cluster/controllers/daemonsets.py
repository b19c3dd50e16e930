"""Keeps one pod of a DaemonSet on each node, and moves them to a new template node after node."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from deployments.rehearsal.cluster.controllers.amounts import number, resolved, without_zeros
from deployments.rehearsal.cluster.controllers.daemonset_places import (
    Place,
    Plan,
    place,
    replaced_by_surge,
    replaced_in_place,
)
from deployments.rehearsal.cluster.controllers.events import Recorder
from deployments.rehearsal.cluster.controllers.owning import (
    KeptBy,
    controller_reference,
    kept_by,
    key_of,
    own_key,
)
from deployments.rehearsal.cluster.controllers.pods import (
    Readiness,
    all_of,
    in_growing_batches,
    is_namespace_ending,
    is_over,
    is_ready,
    pod_from,
)
from deployments.rehearsal.cluster.controllers.queueing import Key
from deployments.rehearsal.cluster.controllers.reading import part
from deployments.rehearsal.cluster.controllers.revisions import HASH_LABEL, History
from deployments.rehearsal.cluster.controllers.running import Interests
from deployments.rehearsal.cluster.controllers.scheduling import bound_node, bound_to, fits
from deployments.rehearsal.cluster.controllers.writing import end, write_status
from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import (
    Json,
    annotations_of,
    is_terminating,
    labels_of,
    metadata_of,
    name_of,
    namespace_of,
    spec_of,
)
from deployments.rehearsal.cluster.resources import DAEMONSETS, NODES, PODS
from deployments.rehearsal.cluster.store import Change, ChangeKind
from deployments.rehearsal.cluster.verbs import Server

_GENERATION: Final = "deprecated.daemonset.template.generation"


class DaemonSets:
    """The DaemonSet controller."""

    workers = 5

    def __init__(self, server: Server, readiness: Readiness) -> None:
        self._server = server
        self._readiness = readiness
        self._history = History(server, DAEMONSETS)
        self._events = Recorder(server, "daemonset-controller")

    @property
    def interests(self) -> Interests:
        return {DAEMONSETS: own_key, PODS: KeptBy(DAEMONSETS), NODES: self._of_node}

    def _of_node(self, change: Change) -> list[Key]:
        before = change.previous
        is_gone = change.kind is ChangeKind.DELETED
        if before is not None and not is_gone and labels_of(before) == labels_of(change.object):
            return []
        return [key_of(one) for one in self._server.store.list(DAEMONSETS)]

    async def settle(self, key: Key) -> float | None:
        daemon_set = self._server.store.get(DAEMONSETS, key.name, key.namespace)
        if daemon_set is None:
            return None
        revision = await self._history.update(daemon_set)
        hashed = revision.name.removeprefix(f"{name_of(daemon_set)}-")
        failure: ApiError | None = None
        if not is_terminating(daemon_set):
            try:
                await self._step(daemon_set, hashed)
            except ApiError as error:
                failure = error
        await self._write_status(key, hashed)
        if failure is not None:
            raise failure
        pods = kept_by(self._server.store, daemon_set, PODS)
        used = {f"{name_of(daemon_set)}-{labels_of(pod).get(HASH_LABEL)}" for pod in pods}
        await self._history.forget(daemon_set, in_use={*used, revision.name})
        patience = number(spec_of(daemon_set), "minReadySeconds")
        return self._readiness.next_look(pods, patience)

    async def _step(self, daemon_set: Json, hashed: str) -> None:
        places = self._places(daemon_set, hashed)
        plan = self._missing(daemon_set, places)
        if not plan.end and not plan.make and not _is_on_delete(daemon_set):
            plan = self._rolling(daemon_set, places)
        steps = [partial(self._create, daemon_set, node, hashed) for node in plan.make]
        await in_growing_batches(steps)
        await all_of([self._delete(daemon_set, pod) for pod in plan.end])

    def _places(self, daemon_set: Json, hashed: str) -> list[Place]:
        found = self._by_node(daemon_set)
        return [place(node, found.get(node, ()), hashed) for node in self._nodes(daemon_set)]

    def _nodes(self, daemon_set: Json) -> list[str]:
        spec = spec_of(spec_of(daemon_set)["template"])
        return [name_of(node) for node in self._server.store.list(NODES) if fits(spec, node)]

    def _by_node(self, daemon_set: Json) -> Mapping[str, list[Json]]:
        found: dict[str, list[Json]] = {}
        pods = kept_by(self._server.store, daemon_set, PODS)
        for pod in sorted(pods, key=lambda pod: str(metadata_of(pod).get("creationTimestamp"))):
            found.setdefault(bound_node(pod), []).append(pod)
        return found

    def _missing(self, daemon_set: Json, places: Sequence[Place]) -> Plan:
        """Find nodes without a pod, pods on nodes that want none, and pods that have ended."""
        surges = bool(self._surge(daemon_set, len(places)))
        found = self._by_node(daemon_set)
        plan = Plan()
        for one in places:
            going = [pod for pod in found.get(one.node, ()) if is_terminating(pod)]
            if one.old is None and one.new is None and (surges or not going):
                plan.make.append(one.node)
            plan.end.extend(one.surplus)
            if one.old is not None and one.new is not None and not surges:
                plan.end.append(one.new)
        wanted = {one.node for one in places}
        for node, pods in found.items():
            living = [pod for pod in pods if not is_terminating(pod)]
            plan.end.extend(pod for pod in living if node not in wanted or is_over(pod))
        return plan

    def _rolling(self, daemon_set: Json, places: Sequence[Place]) -> Plan:
        patience = number(spec_of(daemon_set), "minReadySeconds")
        is_available = partial(self._readiness.is_available, min_ready_seconds=patience)
        surge = self._surge(daemon_set, len(places))
        if surge:
            return replaced_by_surge(places, surge, is_available)
        rolling = _rolling_of(daemon_set)
        allowed = resolved(rolling.get("maxUnavailable", 1), len(places), round_up=True)
        return replaced_in_place(places, max(1, allowed), is_available)

    @staticmethod
    def _surge(daemon_set: Json, nodes: int) -> int:
        if _is_on_delete(daemon_set):
            return 0
        return resolved(_rolling_of(daemon_set).get("maxSurge"), nodes, round_up=True)

    async def _create(self, daemon_set: Json, node: str, hashed: str) -> None:
        template = spec_of(daemon_set)["template"]
        reference = controller_reference(DAEMONSETS, daemon_set)
        pod = pod_from(template, owner=reference, generate_name=f"{name_of(daemon_set)}-")
        marks = {HASH_LABEL: hashed, "pod-template-generation": _generation(daemon_set)}
        pod["metadata"]["labels"] = labels_of(template) | marks
        pod["spec"] = bound_to(spec_of(pod), node)
        try:
            made = await self._server.create(PODS, pod, namespace=namespace_of(daemon_set))
        except ApiError as error:
            if is_namespace_ending(error):
                return
            text = f"Error creating: {error.message}"
            await self._events.warning(DAEMONSETS, daemon_set, "FailedCreate", text)
            raise
        text = f"Created pod: {name_of(made)}"
        await self._events.normal(DAEMONSETS, daemon_set, "SuccessfulCreate", text)

    async def _delete(self, daemon_set: Json, pod: Json) -> None:
        if await end(self._server, PODS, pod):
            text = f"Deleted pod: {name_of(pod)}"
            await self._events.normal(DAEMONSETS, daemon_set, "SuccessfulDelete", text)

    async def _write_status(self, key: Key, hashed: str) -> None:
        daemon_set = self._server.store.get(DAEMONSETS, key.name, key.namespace)
        if daemon_set is not None:
            status = self._status(daemon_set, hashed)
            await write_status(self._server, DAEMONSETS, daemon_set, status)

    def _status(self, daemon_set: Json, hashed: str) -> Json:
        found = self._by_node(daemon_set)
        wanted = self._nodes(daemon_set)
        oldest = [found[node][0] for node in wanted if node in found]
        patience = number(spec_of(daemon_set), "minReadySeconds")
        available = sum(self._readiness.is_available(pod, patience) for pod in oldest)
        status: Json = {
            "currentNumberScheduled": len(oldest),
            "numberMisscheduled": len(found.keys() - set(wanted)),
            "desiredNumberScheduled": len(wanted),
            "numberReady": sum(map(is_ready, oldest)),
            "observedGeneration": metadata_of(daemon_set).get("generation", 0),
            "updatedNumberScheduled": sum(
                labels_of(pod).get(HASH_LABEL) == hashed for pod in oldest
            ),
            "numberAvailable": available,
            "numberUnavailable": len(wanted) - available,
        }
        optional = ("updatedNumberScheduled", "numberAvailable", "numberUnavailable")
        return without_zeros(status, *optional)


def _strategy_of(daemon_set: Json) -> Json:
    return part(spec_of(daemon_set), "updateStrategy")


def _is_on_delete(daemon_set: Json) -> bool:
    return str(_strategy_of(daemon_set).get("type")) == "OnDelete"


def _rolling_of(daemon_set: Json) -> Json:
    return part(_strategy_of(daemon_set), "rollingUpdate")


def _generation(daemon_set: Json) -> str:
    """Return the old number of the template, which nobody counts any more but pods still bear."""
    return annotations_of(daemon_set).get(_GENERATION, "1")
