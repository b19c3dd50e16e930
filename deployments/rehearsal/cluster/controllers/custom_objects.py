"""Deletes the objects of a kind whose CustomResourceDefinition is gone: nobody can reach them."""

from deployments.rehearsal.cluster.controllers.queueing import Key
from deployments.rehearsal.cluster.controllers.running import Interests
from deployments.rehearsal.cluster.custom import custom_resource
from deployments.rehearsal.cluster.objects import name_of, namespace_of
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import CRDS
from deployments.rehearsal.cluster.store import Change, ChangeKind
from deployments.rehearsal.cluster.verbs import Server


class CustomObjects:
    """The finalizer of CRDs. Here the objects go after their definition, not before it."""

    workers = 1

    def __init__(self, server: Server) -> None:
        self._server = server
        self._lost: dict[str, Resource] = {}

    @property
    def interests(self) -> Interests:
        return {CRDS: self._of_definition}

    def _of_definition(self, change: Change) -> list[Key]:
        if change.kind is not ChangeKind.DELETED:
            self._lost.pop(name_of(change.object), None)
            return []
        self._lost[name_of(change.object)] = custom_resource(change.object)
        return [Key("", name_of(change.object))]

    async def settle(self, key: Key) -> float | None:
        resource = self._lost.get(key.name)
        if resource is None:
            return None
        for obj in self._server.store.list(resource):
            self._server.store.remove(resource, name_of(obj), namespace_of(obj))
        self._lost.pop(key.name, None)
        return None
