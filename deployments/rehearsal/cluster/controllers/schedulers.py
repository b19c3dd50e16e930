"""Gives each pod a node: the one with the fewest pods among those that it may run on."""

from deployments.rehearsal.cluster.controllers.conditions import (
    condition,
    replaced,
    without_update_time,
)
from deployments.rehearsal.cluster.controllers.events import Recorder
from deployments.rehearsal.cluster.controllers.owning import key_of
from deployments.rehearsal.cluster.controllers.pods import is_over, node_of
from deployments.rehearsal.cluster.controllers.queueing import Key
from deployments.rehearsal.cluster.controllers.running import Interests
from deployments.rehearsal.cluster.controllers.scheduling import complaint, fits
from deployments.rehearsal.cluster.objects import (
    Json,
    conditions_of,
    is_terminating,
    name_of,
    spec_of,
    status_of,
)
from deployments.rehearsal.cluster.resources import NODES, PODS
from deployments.rehearsal.cluster.store import Change, ChangeKind
from deployments.rehearsal.cluster.verbs import Server

_NEXT_TRY = 5.0
_NAME = "default-scheduler"


class Scheduler:
    """The scheduler."""

    workers = 1

    def __init__(self, server: Server) -> None:
        self._server = server
        self._events = Recorder(server, _NAME)
        self._counts: dict[str, int] = {}

    @property
    def interests(self) -> Interests:
        return {PODS: self._of_pod}

    def _of_pod(self, change: Change) -> list[Key]:
        node = node_of(change.object)
        if change.kind is ChangeKind.DELETED:
            self._count(node, -1)
        elif change.previous is None or not node_of(change.previous):
            self._count(node, 1)
        is_new = change.kind is ChangeKind.ADDED
        return [key_of(change.object)] if is_new and not node else []

    def _count(self, node: str, more: int) -> None:
        if node:
            self._counts[node] = self._counts.get(node, 0) + more

    async def settle(self, key: Key) -> float | None:
        pod = self._server.store.get(PODS, key.name, key.namespace)
        if pod is None or node_of(pod) or is_terminating(pod) or is_over(pod):
            return None
        if spec_of(pod).get("schedulerName", _NAME) != _NAME:
            return None  # somebody else's
        nodes = self._server.store.list(NODES)
        fitting = [
            node
            for node in nodes
            if fits(spec_of(pod), node) and not spec_of(node).get("unschedulable")
        ]
        if not fitting:
            await self._refuse(pod, complaint(spec_of(pod), nodes))
            return _NEXT_TRY
        chosen = min(map(name_of, fitting), key=lambda name: self._counts.get(name, 0))
        binding: Json = {
            "apiVersion": "v1",
            "kind": "Binding",
            "metadata": {"name": key.name, "namespace": key.namespace},
            "target": {"apiVersion": "v1", "kind": "Node", "name": chosen},
        }
        await self._server.update(PODS, binding, namespace=key.namespace, subresource="binding")
        return None

    async def _refuse(self, pod: Json, why: str) -> None:
        new = condition("PodScheduled", status="False", reason="Unschedulable", message=why)
        conditions = replaced(conditions_of(pod), without_update_time(new))
        if conditions == conditions_of(pod):
            return
        await self._events.warning(PODS, pod, "FailedScheduling", why)
        body = pod | {"status": status_of(pod) | {"conditions": conditions}}
        namespace = key_of(pod).namespace
        await self._server.update(PODS, body, namespace=namespace, subresource="status")
