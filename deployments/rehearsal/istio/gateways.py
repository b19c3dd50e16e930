"""
Gateway API: an istiod makes a Deployment and a Service for each Gateway that is its revision's.

Whose a Gateway is, its own label says, then its namespace's, then the default. So a label or a moved
tag rolls it without anybody's restart. Its status is not written.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import (
    Json,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    spec_of,
    uid_of,
)
from deployments.rehearsal.cluster.patching import PatchKind
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import (
    DEPLOYMENTS,
    MUTATING_WEBHOOKS,
    NAMESPACES,
    SERVICEACCOUNTS,
    SERVICES,
)
from deployments.rehearsal.cluster.store import Change, Store
from deployments.rehearsal.cluster.verbs import Server
from deployments.rehearsal.istio import injected, names
from deployments.rehearsal.istio.injected import Recipe

GROUP: Final = "gateway.networking.k8s.io"
_CLASS: Final = "istio"
_NAME: Final = f"{GROUP}/gateway-name"
_MANAGER: Final = "istio.io/gateway-controller"
_STATUS_PORT: Final[Json] = {
    "name": "status-port", "port": 15021, "protocol": "TCP", "appProtocol": "tcp",
}  # fmt: skip

NewRecipe = Callable[[str, str], Recipe]  # for a namespace and a workload's name


class Gateways:
    """One istiod's."""

    def __init__(self, server: Server, *, revision: str, new_recipe: NewRecipe) -> None:
        self._server = server
        self._revision = revision
        self._new_recipe = new_recipe
        self._due = asyncio.Event()
        self._due.set()

    def hear(self, change: Change) -> None:
        """Take note of what may make a Gateway somebody else's."""
        is_gateway = change.resource.group == GROUP
        if is_gateway or change.resource in (NAMESPACES, MUTATING_WEBHOOKS):
            self._due.set()

    async def run(self) -> None:
        """Keep the Deployments of its Gateways until cancelled."""
        while True:
            await self._due.wait()
            self._due.clear()
            resource = self._server.registry.find(GROUP, "v1", "gateways")
            for gateway in self._server.store.list(resource) if resource is not None else ():
                if self._is_ours(gateway):
                    await self._make(gateway)

    def _is_ours(self, gateway: Json) -> bool:
        is_istio_s = spec_of(gateway).get("gatewayClassName") == _CLASS
        is_here = is_istio_s and not is_terminating(gateway)
        return is_here and wanted_revision(self._server.store, gateway) == self._revision

    async def _make(self, gateway: Json) -> None:
        name, namespace = f"{name_of(gateway)}-{_CLASS}", namespace_of(gateway)
        recipe = self._new_recipe(namespace, name)
        account: Json = {"apiVersion": "v1", "kind": "ServiceAccount"}
        for resource, body in (
            (SERVICEACCOUNTS, account),
            (DEPLOYMENTS, _deployment(gateway, recipe)),
            (SERVICES, _service(gateway)),
        ):
            await self._apply(resource, {**body, "metadata": _metadata(gateway, name)}, namespace)

    async def _apply(self, resource: Resource, body: Json, namespace: str) -> None:
        # A namespace may end meanwhile; whatever else is wrong, the next change tries again.
        with suppress(ApiError):
            await self._server.patch(
                resource,
                name_of(body),
                body,
                namespace=namespace,
                kind=PatchKind.APPLY,
                manager=_MANAGER,
                force=True,
            )


def wanted_revision(store: Store, gateway: Json) -> str:
    """Return whose a Gateway is; a tag is followed to its revision."""
    namespace = store.get(NAMESPACES, namespace_of(gateway)) or {}
    said = labels_of(gateway).get(names.REVISION) or labels_of(namespace).get(names.REVISION)
    tag = said or names.DEFAULT
    for one in store.list(MUTATING_WEBHOOKS):
        if labels_of(one).get(names.TAG) == tag:
            return names.revision_of(one)
    return tag


def _metadata(gateway: Json, name: str) -> Json:
    owner: Json = {
        "apiVersion": gateway.get("apiVersion") or f"{GROUP}/v1",
        "kind": "Gateway",
        "name": name_of(gateway),
        "uid": uid_of(gateway),
    }
    labels = {_NAME: name_of(gateway), "gateway.istio.io/managed": "istio.io-gateway-controller"}
    return {"name": name, "labels": labels, "ownerReferences": [owner]}


def _deployment(gateway: Json, recipe: Recipe) -> Json:
    selected = {_NAME: name_of(gateway)}
    marks = {
        names.INJECT: "false",  # it is a proxy already
        "service.istio.io/canonical-name": recipe.workload,
        "service.istio.io/canonical-revision": "latest",
    }
    spec: dict[str, Any] = {
        "serviceAccountName": recipe.workload,
        "containers": [injected.gateway(recipe)],
        "volumes": injected.volumes(is_gateway=True),
    }
    metadata = {
        "labels": selected | marks,
        "annotations": {names.REVISION: recipe.revision or names.DEFAULT},
    }
    template = {"metadata": metadata, "spec": spec}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "spec": {"selector": {"matchLabels": selected}, "template": template},
    }


def _service(gateway: Json) -> Json:
    listeners: list[Json] = spec_of(gateway).get("listeners") or []
    ports = [
        {"name": str(one["name"]), "port": one["port"], "protocol": "TCP"} for one in listeners
    ]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "spec": {
            "type": "LoadBalancer",
            "selector": {_NAME: name_of(gateway)},
            "ports": [_STATUS_PORT, *ports],
        },
    }
