"""Says in each ResourceQuota how much of it is used. What may be created, admission decides."""

from typing import Final

from deployments.rehearsal.cluster.controllers.owning import key_of, own_key
from deployments.rehearsal.cluster.controllers.pods import is_over
from deployments.rehearsal.cluster.controllers.queueing import Key
from deployments.rehearsal.cluster.controllers.reading import pairs
from deployments.rehearsal.cluster.controllers.running import EVERY, Interests
from deployments.rehearsal.cluster.controllers.writing import write_status
from deployments.rehearsal.cluster.objects import namespace_of, spec_of
from deployments.rehearsal.cluster.resources import PODS, QUOTAS
from deployments.rehearsal.cluster.store import Change, ChangeKind
from deployments.rehearsal.cluster.verbs import Server

_COUNT: Final = "count/"


class Quotas:
    """The resource quota controller, as far as it counts objects."""

    workers = 1

    def __init__(self, server: Server) -> None:
        self._server = server

    @property
    def interests(self) -> Interests:
        return {QUOTAS: own_key, EVERY: self._of_content}

    def _of_content(self, change: Change) -> list[Key]:
        before, namespace = change.previous, namespace_of(change.object)
        if (
            change.kind is ChangeKind.MODIFIED
            and before is not None
            and is_over(before) == is_over(change.object)
        ):
            return []
        return [key_of(one) for one in self._server.store.list(QUOTAS, namespace)]

    async def settle(self, key: Key) -> float | None:
        quota = self._server.store.get(QUOTAS, key.name, key.namespace)
        if quota is None:
            return None
        hard = pairs(spec_of(quota), "hard")
        used = {name: str(self._used(name, key.namespace)) for name in hard}
        status = {"hard": hard, "used": used}
        await write_status(self._server, QUOTAS, quota, status)
        return None

    def _used(self, name: str, namespace: str) -> int:
        """Count the objects that a name of a quota means; what is no count is none."""
        if name == PODS.plural:
            return sum(not is_over(pod) for pod in self._server.store.list(PODS, namespace))
        counted = name.removeprefix(_COUNT)
        for resource in self._server.registry:
            if resource.qualified == counted and resource.namespaced:
                return len(self._server.store.list(resource, namespace))
        return 0
