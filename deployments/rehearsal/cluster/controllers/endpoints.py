"""Says behind which addresses a Service is: EndpointSlices, and Endpoints for those who ask so."""

from collections.abc import Sequence

from deployments.rehearsal.cluster.controllers.endpoint_parts import (
    CONTROLLER,
    MANAGED_BY,
    SERVICE_NAME,
    Part,
    endpoint,
    has_address,
    matter,
    new_slice,
    packed,
    parts_of,
    slice_ports,
    subset,
    take_like,
)
from deployments.rehearsal.cluster.controllers.owning import own_key
from deployments.rehearsal.cluster.controllers.queueing import Key
from deployments.rehearsal.cluster.controllers.running import Interests
from deployments.rehearsal.cluster.controllers.selecting import ByLabel, Selectors
from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import (
    Json,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from deployments.rehearsal.cluster.resources import ENDPOINTS, ENDPOINTSLICES, PODS, SERVICES
from deployments.rehearsal.cluster.store import Change, ChangeKind
from deployments.rehearsal.cluster.verbs import Server


class EndpointSlices:
    """The controllers of both kinds."""

    workers = 1

    def __init__(self, server: Server, pods: ByLabel) -> None:
        self._server = server
        self._pods = pods
        self._selecting = Selectors(server.store, SERVICES, plain=True)

    @property
    def interests(self) -> Interests:
        return {SERVICES: own_key, PODS: self._of_pod, ENDPOINTSLICES: _of_slice}

    def _of_pod(self, change: Change) -> list[Key]:
        before = change.previous
        if (
            change.kind is ChangeKind.MODIFIED
            and before is not None
            and matter(before) == matter(change.object)
        ):
            return []
        return self._selecting.choosing(change)

    async def settle(self, key: Key) -> float | None:
        service = self._server.store.get(SERVICES, key.name, key.namespace)
        if service is None:
            await self._delete_endpoints(key)
            return None
        if is_terminating(service) or not self._selecting.selector(service):
            return None
        pods = self._pods.chosen(key.namespace, self._selecting.selector(service))
        found = parts_of(service, [pod for pod in pods if has_address(pod)])
        await self._write_slices(service, found)
        await self._write_endpoints(service, found)
        return None

    async def _write_slices(self, service: Json, parts: Sequence[Part]) -> None:
        unused = self._slices(service)
        for part in parts or [Part((), [])]:
            ports = slice_ports(service, part.ports)
            for endpoints in packed([endpoint(pod, service) for pod in part.pods]):
                taken = take_like(unused, ports, endpoints)
                await self._write_slice(service, taken, ports, endpoints)
        for one in unused:
            namespace = namespace_of(one)
            await self._server.delete(ENDPOINTSLICES, name_of(one), namespace=namespace)

    def _slices(self, service: Json) -> list[Json]:
        owned = self._server.store.owned_by(uid_of(service))
        slices = [one for kind, one in owned if kind == ENDPOINTSLICES]
        return [one for one in slices if labels_of(one).get(MANAGED_BY) == CONTROLLER]

    async def _write_slice(
        self, service: Json, before: Json | None, ports: list[Json], endpoints: list[Json]
    ) -> None:
        namespace = namespace_of(service)
        if before is not None:
            if before.get("endpoints") != endpoints or (before.get("ports") or []) != ports:
                body = before | {"endpoints": endpoints, "ports": ports}
                await self._server.update(ENDPOINTSLICES, body, namespace=namespace)
            return
        body = new_slice(service) | {"endpoints": endpoints, "ports": ports}
        await self._server.create(ENDPOINTSLICES, body, namespace=namespace)

    async def _write_endpoints(self, service: Json, parts: Sequence[Part]) -> None:
        subsets = [one for part in parts if (one := subset(part))]
        name, namespace = name_of(service), namespace_of(service)
        before = self._server.store.get(ENDPOINTS, name, namespace)
        if before is not None:
            if (before.get("subsets") or []) != subsets:
                changed = before | {"subsets": subsets}
                await self._server.update(ENDPOINTS, changed, namespace=namespace)
            return
        labels = labels_of(service) | {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}
        metadata = {"name": name, "namespace": namespace, "labels": labels}
        body: Json = {"apiVersion": "v1", "kind": "Endpoints", "metadata": metadata}
        if subsets:
            body["subsets"] = subsets
        await self._server.create(ENDPOINTS, body, namespace=namespace)

    async def _delete_endpoints(self, key: Key) -> None:
        if self._server.store.get(ENDPOINTS, key.name, key.namespace) is None:
            return
        try:
            await self._server.delete(ENDPOINTS, key.name, namespace=key.namespace)
        except ApiError as error:
            if error.reason != "NotFound":
                raise


def _of_slice(change: Change) -> list[Key]:
    """Return the Service of a slice that somebody else deleted."""
    service = labels_of(change.object).get(SERVICE_NAME)
    if change.kind is not ChangeKind.DELETED or not service:
        return []
    return [Key(namespace_of(change.object), service)]
