"""Gives each namespace what pods in it expect: the default ServiceAccount and the cluster's CA."""

from typing import Final

from deployments.rehearsal.cluster.controllers.queueing import Key
from deployments.rehearsal.cluster.controllers.running import Interests
from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import Json, is_terminating, name_of, namespace_of
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import CONFIGMAPS, NAMESPACES, SERVICEACCOUNTS
from deployments.rehearsal.cluster.store import Change, ChangeKind
from deployments.rehearsal.cluster.verbs import Server

_ACCOUNT: Final = "default"
_CA: Final = "kube-root-ca.crt"


class NamespaceFurniture:
    """The service account controller and the root CA publisher."""

    workers = 1

    def __init__(self, server: Server, *, ca: str = "") -> None:
        self._server = server
        self._ca = ca

    @property
    def interests(self) -> Interests:
        return {NAMESPACES: _of_namespace, SERVICEACCOUNTS: _of_lost, CONFIGMAPS: _of_lost}

    async def settle(self, key: Key) -> float | None:
        namespace = self._server.store.get(NAMESPACES, key.name)
        if namespace is None or is_terminating(namespace):
            return None
        await self._ensure(SERVICEACCOUNTS, {"metadata": {"name": _ACCOUNT}}, key.name)
        description = "Contains a CA bundle that can be used to verify the kube-apiserver"
        config_map: Json = {
            "metadata": {
                "name": _CA,
                "annotations": {"kubernetes.io/description": description},
            },
            "data": {"ca.crt": self._ca},
        }
        await self._ensure(CONFIGMAPS, config_map, key.name)
        return None

    async def _ensure(self, resource: Resource, obj: Json, namespace: str) -> None:
        if self._server.store.get(resource, name_of(obj), namespace) is not None:
            return
        body = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        try:
            await self._server.create(resource, body, namespace=namespace)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise


def _of_namespace(change: Change) -> list[Key]:
    return [Key("", name_of(change.object))] if change.kind is ChangeKind.ADDED else []


def _of_lost(change: Change) -> list[Key]:
    if change.kind is not ChangeKind.DELETED or name_of(change.object) not in {_ACCOUNT, _CA}:
        return []
    return [Key("", namespace_of(change.object))]
