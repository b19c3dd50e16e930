"""Keeps the numbered pods of a StatefulSet, one after the other and from the last to the first."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from deployments.rehearsal.cluster.controllers.amounts import number, replicas_of, without_zeros
from deployments.rehearsal.cluster.controllers.events import Recorder
from deployments.rehearsal.cluster.controllers.owning import KeptBy, kept_by, own_key
from deployments.rehearsal.cluster.controllers.pods import (
    Readiness,
    all_of,
    is_over,
    is_running_and_ready,
)
from deployments.rehearsal.cluster.controllers.queueing import Key
from deployments.rehearsal.cluster.controllers.revisions import History, Revision
from deployments.rehearsal.cluster.controllers.running import Interests
from deployments.rehearsal.cluster.controllers.statefulset_pods import (
    Members,
    is_on_delete,
    is_ordered,
    members,
    new_pod,
    partition_of,
    revision_for,
    revision_name_of,
)
from deployments.rehearsal.cluster.controllers.writing import end, write_status
from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import (
    Json,
    is_terminating,
    metadata_of,
    name_of,
    namespace_of,
    spec_of,
    status_of,
)
from deployments.rehearsal.cluster.resources import PODS, STATEFULSETS
from deployments.rehearsal.cluster.verbs import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class _Versions:
    current: Revision
    update: Revision


class StatefulSets:
    """The StatefulSet controller."""

    workers = 5

    def __init__(self, server: Server, readiness: Readiness) -> None:
        self._server = server
        self._readiness = readiness
        self._history = History(server, STATEFULSETS, label="controller.kubernetes.io/hash")
        self._events = Recorder(server, "statefulset-controller")

    @property
    def interests(self) -> Interests:
        return {STATEFULSETS: own_key, PODS: KeptBy(STATEFULSETS)}

    async def settle(self, key: Key) -> float | None:
        stateful_set = self._server.store.get(STATEFULSETS, key.name, key.namespace)
        if stateful_set is None:
            return None
        update = await self._history.update(stateful_set)
        current = self._history.named(
            stateful_set, str(status_of(stateful_set).get("currentRevision", ""))
        )
        versions = _Versions(current=current or update, update=update)
        failure: ApiError | None = None
        if not is_terminating(stateful_set):
            try:
                await self._step(stateful_set, versions)
            except ApiError as error:
                failure = error
        await self._write_status(key, versions)
        if failure is not None:
            raise failure
        used = [revision_name_of(pod) for pod in self._pods(stateful_set)]
        used += [versions.current.name, versions.update.name]
        await self._history.forget(stateful_set, in_use=used)
        patience = number(spec_of(stateful_set), "minReadySeconds")
        return self._readiness.next_look(self._pods(stateful_set), patience)

    def _pods(self, stateful_set: Json) -> list[Json]:
        return kept_by(self._server.store, stateful_set, PODS)

    async def _step(self, stateful_set: Json, versions: _Versions) -> None:
        found = members(stateful_set, self._pods(stateful_set))
        if is_ordered(stateful_set):
            if await self._fill_in_order(stateful_set, found, versions):
                return
            if await self._shrink_in_order(stateful_set, found):
                return
        else:
            await self._fill_at_once(stateful_set, found, versions)
            going = [pod for pod in found.condemned if not is_terminating(pod)]
            await all_of([self._delete(stateful_set, pod) for pod in going])
        if not is_on_delete(stateful_set):
            await self._replace_one(stateful_set, found, versions.update)

    async def _fill_in_order(self, stateful_set: Json, found: Members, versions: _Versions) -> bool:
        """Make the first pod that is missing. Returns whether that, or an unready one, blocks."""
        for ordinal, pod in found.wanted.items():
            if pod is None:
                await self._create(stateful_set, ordinal, versions)
                return True
            if is_over(pod) and not is_terminating(pod):
                await self._delete(stateful_set, pod)
                return True
            if is_terminating(pod) or not self._is_available(stateful_set, pod):
                return True
        return False

    async def _shrink_in_order(self, stateful_set: Json, found: Members) -> bool:
        """End the last pod that is not wanted. Returns whether that, or another's end, blocks."""
        unready = [pod for pod in found.condemned if not self._is_available(stateful_set, pod)]
        first_unready = unready[-1] if unready else None
        for pod in found.condemned:
            if not is_terminating(pod) and (pod is first_unready or pod not in unready):
                await self._delete(stateful_set, pod)
            return True
        return False

    async def _fill_at_once(self, stateful_set: Json, found: Members, versions: _Versions) -> None:
        over = [
            pod
            for pod in found.wanted.values()
            if pod is not None and is_over(pod) and not is_terminating(pod)
        ]
        await all_of([self._delete(stateful_set, pod) for pod in over])
        missing = [ordinal for ordinal, pod in found.wanted.items() if pod is None]
        await all_of([self._create(stateful_set, one, versions) for one in missing])

    async def _replace_one(self, stateful_set: Json, found: Members, update: Revision) -> None:
        """End the last pod of an old template, unless a later one is not available yet."""
        first = min(found.wanted, default=0)
        for ordinal in sorted(found.wanted, reverse=True):
            if ordinal - first < partition_of(stateful_set):
                return
            pod = found.wanted[ordinal]
            if pod is None:
                return
            if revision_name_of(pod) != update.name and not is_terminating(pod):
                await self._delete(stateful_set, pod)
                return
            if is_terminating(pod) or not self._is_available(stateful_set, pod):
                return

    def _is_available(self, stateful_set: Json, pod: Json) -> bool:
        patience = number(spec_of(stateful_set), "minReadySeconds")
        return is_running_and_ready(pod) and self._readiness.is_available(pod, patience)

    async def _create(self, stateful_set: Json, ordinal: int, versions: _Versions) -> None:
        revision = revision_for(
            stateful_set, ordinal, current=versions.current, update=versions.update
        )
        pod = new_pod(stateful_set, ordinal, revision)
        said = f"Pod {name_of(pod)} in StatefulSet {name_of(stateful_set)}"
        try:
            await self._server.create(PODS, pod, namespace=namespace_of(stateful_set))
        except ApiError as error:
            text = f"create {said} failed error: {error.message}"
            await self._events.warning(STATEFULSETS, stateful_set, "FailedCreate", text)
            raise
        text = f"create {said} successful"
        await self._events.normal(STATEFULSETS, stateful_set, "SuccessfulCreate", text)

    async def _delete(self, stateful_set: Json, pod: Json) -> None:
        if await end(self._server, PODS, pod):
            said = f"Pod {name_of(pod)} in StatefulSet {name_of(stateful_set)}"
            text = f"delete {said} successful"
            await self._events.normal(STATEFULSETS, stateful_set, "SuccessfulDelete", text)

    async def _write_status(self, key: Key, versions: _Versions) -> None:
        stateful_set = self._server.store.get(STATEFULSETS, key.name, key.namespace)
        if stateful_set is not None:
            status = self._status(stateful_set, self._pods(stateful_set), versions)
            await write_status(self._server, STATEFULSETS, stateful_set, status)

    def _status(self, stateful_set: Json, pods: Sequence[Json], versions: _Versions) -> Json:
        staying = [revision_name_of(pod) for pod in pods if not is_terminating(pod)]
        status: Json = {
            "observedGeneration": metadata_of(stateful_set).get("generation", 0),
            "replicas": len(pods),
            "readyReplicas": sum(map(is_running_and_ready, pods)),
            "currentReplicas": staying.count(versions.current.name),
            "updatedReplicas": staying.count(versions.update.name),
            "currentRevision": versions.current.name,
            "updateRevision": versions.update.name,
            "collisionCount": number(status_of(stateful_set), "collisionCount"),
            "availableReplicas": sum(self._is_available(stateful_set, pod) for pod in pods),
        }
        _complete(stateful_set, status)
        return without_zeros(
            status, "observedGeneration", "readyReplicas", *("currentReplicas", "updatedReplicas")
        )


_ALL_NEW: Final = ("updatedReplicas", "readyReplicas", "replicas")


def _complete(stateful_set: Json, status: Json) -> None:
    """Call the update the current revision, once all pods are new and ready. Not for OnDelete."""
    wanted = replicas_of(stateful_set)
    if not is_on_delete(stateful_set) and all(status[name] == wanted for name in _ALL_NEW):
        status["currentReplicas"] = status["updatedReplicas"]
        status["currentRevision"] = status["updateRevision"]
