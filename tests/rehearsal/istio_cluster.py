"""A cluster at work with one or two revisions of Istio in it, installed without an istioctl."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from deployments.rehearsal.cluster.objects import (
    Json,
    annotations_of,
    copied,
    is_true,
    labels_of,
    name_of,
)
from deployments.rehearsal.cluster.patching import PatchKind
from deployments.rehearsal.cluster.programs import Request, Response
from deployments.rehearsal.cluster.resources import (
    MUTATING_WEBHOOKS,
    NAMESPACES,
    PODS,
    VALIDATING_WEBHOOKS,
)
from deployments.rehearsal.istio.mesh import Mesh
from deployments.rehearsal.istio.mood import Mood
from deployments.rehearsal.istioctl import configuration, manifest, tag_objects
from deployments.rehearsal.istioctl.descriptions import Description
from tests.rehearsal.running_cluster import Cluster, running

SYSTEM = "istio-system"
VERSIONS = {"1-28-3": "1.28.3", "1-29-1": "1.29.1", "default": "1.28.3"}


class IstioCluster:
    """What a test may do with it."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.server = cluster.server

    async def apply(self, *objects: Json) -> None:
        for obj in objects:
            metadata = obj["metadata"]
            resource = self.server.registry.of_kind(obj["apiVersion"], obj["kind"])
            assert resource is not None, f"no {obj['kind']} of {obj['apiVersion']}"
            await self.server.patch(
                resource,
                metadata["name"],
                copied(obj),
                namespace=metadata.get("namespace", ""),
                kind=PatchKind.APPLY,
                manager="test",
                force=True,
            )

    async def install(self, revision: str, *settings: str) -> None:
        """Install one and wait until it injects."""
        version = VERSIONS[revision]
        given = ["profile=minimal", "values.pilot.autoscaleEnabled=false", *settings]
        wanted = configuration.configuration(
            version=version, files=[], settings=given, revision=revision
        )
        for one in manifest.objects(Description.of(version), wanted):
            await self.apply(one.object)
        await self.until(lambda: self.bundle(revision) and self.istiods(revision))

    async def make_default(self, revision: str) -> None:
        description = Description.of(VERSIONS[revision])
        called = tag_objects.called_by(self.injector(revision))
        assert called is not None
        wish = tag_objects.Wish(tag="default", revision=revision, labels={})
        await self.apply(
            tag_objects.injector(description, wish, called),
            tag_objects.validator(description, wish, called, failure_policy="Ignore"),
            tag_objects.service(description, wish),
        )
        await self.until(lambda: self.failure_policies() == {"Fail"})

    def injector(self, revision: str) -> Json:
        stem = "istio-sidecar-injector"
        name = stem if revision == "default" else f"{stem}-{revision}"
        found = self.server.store.get(MUTATING_WEBHOOKS, name)
        assert found is not None, f"no {name}"
        return found

    def bundle(self, revision: str) -> str:
        bundle: str = self.injector(revision)["webhooks"][0]["clientConfig"].get("caBundle", "")
        return bundle

    def failure_policies(self) -> set[str]:
        """Return what Kubernetes does where a validator cannot be called."""
        found = self.server.store.list(VALIDATING_WEBHOOKS)
        return {hook["failurePolicy"] for one in found for hook in one["webhooks"]}

    async def label(self, namespace: str, **labels: str | None) -> None:
        """Change a namespace's labels; `_` stands for what a keyword cannot hold."""
        names = {"rev": "istio.io/rev", "injection": "istio-injection"}
        patch = {"metadata": {"labels": {names[key]: value for key, value in labels.items()}}}
        await self.server.patch(NAMESPACES, namespace, patch, kind=PatchKind.MERGE)

    def istiods(self, revision: str) -> list[Json]:
        found = self.server.store.list(PODS, SYSTEM)
        return [
            pod
            for pod in found
            if labels_of(pod).get("istio.io/rev") == revision and is_true(pod, "Ready")
        ]

    async def ask(
        self, pod: Json, path: str, *, port: int = 15014, peer: str = "127.0.0.1"
    ) -> Response:
        program = self.server.programs.of(pod)
        assert program is not None, f"nothing runs in {name_of(pod)}"
        return await program.answer(Request(port=port, method="GET", path=path, peer=peer))

    async def rows(self, revision: str) -> dict[str, Json]:
        """Return what the istiods of a revision say of their proxies."""
        found: dict[str, Json] = {}
        for pod in self.istiods(revision):
            answer = await self.ask(pod, "/debug/syncz")
            found.update({row["proxy"]: row for row in json.loads(answer.body)})
        return found

    async def until(self, holds: Callable[[], object]) -> None:
        await self.cluster.until(holds)


def revision_of(pod: Json) -> str | None:
    """Return the revision that injected a pod."""
    status = annotations_of(pod).get("sidecar.istio.io/status")
    revision: str | None = json.loads(status)["revision"] if status else None
    return revision


@asynccontextmanager
async def istio(*, mood: Mood | None = None, speed: float = 100) -> AsyncIterator[IstioCluster]:
    async with running(speed=speed) as cluster:
        mesh = Mesh(cluster.server, mood=mood, seed=1)
        mesh.start()
        await cluster.server.create(NAMESPACES, {"metadata": {"name": SYSTEM}})
        yield IstioCluster(cluster)
        mesh.stop()
