"""A cluster with its controllers at work, a hundred times as fast as life, for tests of both."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import cast

from deployments.rehearsal.cluster.clock import Clock
from deployments.rehearsal.cluster.controllers.assembly import Controllers
from deployments.rehearsal.cluster.controllers.fates import Fates
from deployments.rehearsal.cluster.controllers.nodes import NODE, add_nodes
from deployments.rehearsal.cluster.objects import (
    Json,
    copied,
    is_true,
    labels_of,
    metadata_of,
    name_of,
    spec_of,
    status_of,
)
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import (
    DAEMONSETS,
    DEPLOYMENTS,
    NAMESPACES,
    PODS,
    REPLICASETS,
)
from deployments.rehearsal.cluster.verbs import Server

PATIENCE = 60.0  # seconds: for a busy machine, never waited out when all is well
PLACE = "shop"  # the namespace in which everything happens
SERVE = "exec httpd -f -p 8080 -h /www"
NEVER = "exec sleep 100000"


def container(script: str = SERVE, *, name: str = "web", probed: bool = True) -> Json:
    found: Json = {
        "name": name,
        "image": "docker.io/library/busybox:1",
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", script],
    }
    if probed:
        found["readinessProbe"] = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}
    return found


def pod_spec(script: str = SERVE, *, probed: bool = True, grace: int = 1) -> Json:
    return {
        "terminationGracePeriodSeconds": grace,
        "containers": [container(script, probed=probed)],
    }


def workload(name: str, *, spec: Json | None = None, replicas: int = 1, **more: object) -> Json:
    """Return a Deployment, StatefulSet or DaemonSet; the kind is filled in by whoever makes it."""
    template = {"metadata": {"labels": {"app": name}}, "spec": spec or pod_spec()}
    wanted: Json = {"selector": {"matchLabels": {"app": name}}, "template": template}
    return {"metadata": {"name": name}, "spec": wanted | {"replicas": replicas} | more}


def rolling(surge: int | str = 1, unavailable: int | str = 0) -> Json:
    values = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {"type": "RollingUpdate", "rollingUpdate": values}


class Cluster:
    """What a test may do with a cluster."""

    def __init__(self, server: Server, controllers: Controllers) -> None:
        self.server = server
        self.controllers = controllers

    async def make(self, resource: Resource, body: Json, *, settled: bool = True) -> Json:
        whole: Json = {"apiVersion": resource.api_version, "kind": resource.kind} | body
        if resource == DAEMONSETS:
            whole["spec"] = {k: v for k, v in spec_of(whole).items() if k != "replicas"}
        made = await self.server.create(resource, whole, namespace=self._place(resource))
        if settled:
            await self.settled()
        return made

    async def deploy(
        self, name: str = "web", *, spec: Json | None = None, replicas: int = 1, **more: object
    ) -> Json:
        """Make a Deployment that loses no pod before it has a new one, and wait for it."""
        body = workload(name, spec=spec, replicas=replicas)
        body["spec"] |= {"strategy": rolling()} | more
        return await self.make(DEPLOYMENTS, body)

    async def change(
        self, resource: Resource, name: str, how: Callable[[Json], None], *, settled: bool = True
    ) -> None:
        changed = copied(self.get(resource, name))
        how(changed)
        await self.server.update(resource, changed, namespace=self._place(resource))
        if settled:
            await self.settled()

    async def restart(self, resource: Resource, name: str, *, settled: bool = True) -> None:
        """Do what `kubectl rollout restart` does."""
        await self.change(resource, name, restarted, settled=settled)

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        propagation: str | None = None,
        grace_seconds: int | None = None,
    ) -> None:
        await self.server.delete(
            resource,
            name,
            namespace=self._place(resource),
            propagation=propagation,
            grace_seconds=grace_seconds,
        )

    async def settled(self) -> None:
        await asyncio.wait_for(self.controllers.settled(), PATIENCE)

    async def until(self, holds: Callable[[], object], *, seconds: float = PATIENCE) -> None:
        """Wait until a change of the cluster makes something hold."""
        changed = asyncio.Event()
        leave = self.server.store.listen(lambda _: changed.set())
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    changed.clear()
                    await changed.wait()
        finally:
            leave()

    def get(self, resource: Resource, name: str) -> Json:
        found = self.server.store.get(resource, name, self._place(resource))
        assert found is not None, f"no {resource.qualified} {name}"
        return found

    def all(self, resource: Resource) -> list[Json]:
        return self.server.store.list(resource, PLACE)

    def status(self, resource: Resource, name: str = "web") -> Json:
        return status_of(self.get(resource, name))

    def pods(self, app: str = "web") -> list[Json]:
        return [pod for pod in self.all(PODS) if labels_of(pod).get("app") == app]

    def ready(self, app: str = "web") -> list[str]:
        return [name_of(pod) for pod in self.pods(app) if is_true(pod, "Ready")]

    def condition(self, kind: str, *, of: Resource = DEPLOYMENTS, name: str = "web") -> Json:
        conditions = cast("list[Json]", self.status(of, name).get("conditions") or [])
        return next((one for one in conditions if one["type"] == kind), {})

    def sizes(self) -> list[int]:
        """Return the sizes of all ReplicaSets, the oldest first."""
        found = sorted(
            self.all(REPLICASETS), key=lambda one: int(metadata_of(one)["resourceVersion"])
        )
        return [spec_of(one)["replicas"] for one in found]

    @staticmethod
    def _place(resource: Resource) -> str:
        return PLACE if resource.namespaced else ""


def restarted(obj: Json) -> None:
    metadata = spec_of(obj)["template"].setdefault("metadata", {})
    notes = metadata.setdefault("annotations", {})
    number = int(notes.get("kubectl.kubernetes.io/restartedAt", "0")) + 1
    notes["kubectl.kubernetes.io/restartedAt"] = str(number)


@asynccontextmanager
async def running(
    *, speed: float = 100, fates: Fates | None = None, nodes: tuple[str, ...] = (NODE,)
) -> AsyncIterator[Cluster]:
    server = Server(clock=Clock(speed))
    controllers = Controllers(server, seed=1, fates=fates)
    controllers.start()
    try:
        await add_nodes(server, nodes)
        await server.create(NAMESPACES, {"metadata": {"name": PLACE}})
        cluster = Cluster(server, controllers)
        await cluster.settled()
        yield cluster
    finally:
        await controllers.stop()


def run(story: Callable[[], Awaitable[None]]) -> None:
    """Let a test's story happen, in at most two minutes."""

    async def told() -> None:
        await asyncio.wait_for(story(), 2 * PATIENCE)

    asyncio.run(told())
