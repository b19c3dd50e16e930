"""
What an istiod keeps in order in the cluster, for as long as it runs.

Webhook configurations that name its revision get its CA bundle, validators their closed door; every
namespace gets the root certificate. Only differences are written.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, cast

from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import (
    Json,
    copied,
    is_terminating,
    labels_of,
    name_of,
    now_micro,
)
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import (
    CONFIGMAPS,
    LEASES,
    MUTATING_WEBHOOKS,
    NAMESPACES,
    SECRETS,
    VALIDATING_WEBHOOKS,
)
from deployments.rehearsal.cluster.store import Change
from deployments.rehearsal.cluster.verbs import Server
from deployments.rehearsal.istio import names
from deployments.rehearsal.istio.authority import ROOT_KEY, SECRET, Authority

_INJECTS: Final = "sidecar-injector.istio.io"
_ROOT: Final = "istio-ca-root-cert"
_REVOKED: Final = "istio-ca-crl"
_LEADERS: Final = ("istio-leader", "istio-namespace-controller-election", "istio-ip-autoallocate")
_LEASES: Final = ("istio-gateway-deployment", "istio-gateway-status-leader")
_MINDED: Final = (MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS, NAMESPACES)
_RENEWED_EVERY: Final = 10.0
_CONFLICT: Final = (404, 409)


class Housekeeping:
    """One istiod's."""

    def __init__(self, server: Server, *, pod: str, revision: str, namespace: str) -> None:
        self._server = server
        self._pod = pod
        self._revision = revision
        self._namespace = namespace
        self._due = asyncio.Event()
        self._authority: Authority | None = None

    def hear(self, change: Change) -> None:
        """Take note of anything that may have to be put in order."""
        if change.resource in _MINDED:
            self._due.set()

    async def run(self, trust_domain: str) -> None:
        """Keep order until cancelled."""
        self._authority = await self._shared_authority(trust_domain)
        await self._stand_for_election()
        self._due.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_order())
            group.create_task(self._renew())

    async def _keep_order(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            for one in self._server.store.list(MUTATING_WEBHOOKS):
                await self._adopt(MUTATING_WEBHOOKS, one, self._patched_injector)
            for one in self._server.store.list(VALIDATING_WEBHOOKS):
                await self._adopt(VALIDATING_WEBHOOKS, one, self._patched_validator)
            for one in self._server.store.list(NAMESPACES):
                await self._certify(one)

    async def _adopt(
        self, resource: Resource, configuration: Json, patched: Callable[[Json], Json]
    ) -> None:
        if labels_of(configuration).get(names.REVISION) != self._revision:
            return
        wanted = patched(copied(configuration))
        if wanted != configuration:
            await self._tried(
                self._server.update(resource, wanted, manager=names.MANAGER), again=True
            )

    def _patched_injector(self, configuration: Json) -> Json:
        for hook in cast("Iterable[Json]", configuration.get("webhooks") or ()):
            if str(hook["name"]).endswith(_INJECTS):
                hook["clientConfig"]["caBundle"] = self._bundle
        return configuration

    def _patched_validator(self, configuration: Json) -> Json:
        for hook in cast("Iterable[Json]", configuration.get("webhooks") or ()):
            hook["clientConfig"]["caBundle"] = self._bundle
            hook["failurePolicy"] = "Fail"
        return configuration

    @property
    def _bundle(self) -> str:
        return self._authority.bundle if self._authority is not None else ""

    async def _certify(self, namespace: Json) -> None:
        """Put the root certificate, and the list of revoked ones, into a namespace."""
        name = name_of(namespace)
        if name in names.IGNORED_NAMESPACES or is_terminating(namespace) or not self._authority:
            return
        for config_map, data in (
            (_ROOT, {ROOT_KEY: self._authority.certificate.decode()}),
            (_REVOKED, {"ca-crl.pem": ""}),
        ):
            found = self._server.store.get(CONFIGMAPS, config_map, name)
            if found is None:
                body = _config_map(config_map, name, data)
                await self._tried(
                    self._server.create(CONFIGMAPS, body, namespace=name, manager=names.MANAGER)
                )
            elif found.get("data") != data:
                await self._tried(
                    self._server.update(
                        CONFIGMAPS, {**found, "data": data}, namespace=name, manager=names.MANAGER
                    ),
                    again=True,
                )

    async def _shared_authority(self, trust_domain: str) -> Authority:
        """Return the authority that all revisions share, made by whoever came first."""
        found = self._server.store.get(SECRETS, SECRET, self._namespace)
        if found is not None:
            return Authority.of_secret(found)
        made = Authority.made(trust_domain)
        body = made.secret(self._namespace)
        await self._tried(self._server.create(SECRETS, body, namespace=self._namespace))
        found = self._server.store.get(SECRETS, SECRET, self._namespace)
        return Authority.of_secret(found) if found is not None else made

    async def _stand_for_election(self) -> None:
        for name in _LEADERS:
            if self._server.store.get(CONFIGMAPS, name, self._namespace) is None:
                body = _config_map(name, self._namespace, {})
                await self._tried(self._server.create(CONFIGMAPS, body, namespace=self._namespace))
        for stem in _LEASES:
            await self._hold(f"{stem}-{self._revision}", holder=self._pod)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(_RENEWED_EVERY)
            for stem in _LEASES:
                await self._hold(f"{stem}-{self._revision}", holder=self._pod)

    async def resign(self) -> None:
        """Leave the leases behind with nobody's name on them."""
        for stem in _LEASES:
            name = f"{stem}-{self._revision}"
            found = self._server.store.get(LEASES, name, self._namespace)
            if found is not None and found["spec"].get("holderIdentity") == self._pod:
                await self._hold(name, holder="")

    async def _hold(self, name: str, *, holder: str) -> None:
        found = self._server.store.get(LEASES, name, self._namespace)
        spec = {"holderIdentity": holder, "leaseDurationSeconds": 30, "renewTime": now_micro()}
        if found is None:
            body = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": {"name": name, "namespace": self._namespace},
                "spec": {**spec, "acquireTime": spec["renewTime"], "leaseTransitions": 0},
            }
            await self._tried(self._server.create(LEASES, body, namespace=self._namespace))
        elif found["spec"].get("holderIdentity") in {"", None, self._pod} or not holder:
            body = {**found, "spec": {**found["spec"], **spec}}
            await self._tried(self._server.update(LEASES, body, namespace=self._namespace))

    async def _tried(self, change: Awaitable[Json], *, again: bool = False) -> None:
        """Make a change; whoever was first keeps it, and a namespace that ends is left alone."""
        try:
            await change
        except ApiError as error:
            if again and error.code in _CONFLICT:
                self._due.set()


def _config_map(name: str, namespace: str, data: dict[str, str]) -> Json:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if data:
        metadata["labels"] = {"istio.io/config": "true"}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
