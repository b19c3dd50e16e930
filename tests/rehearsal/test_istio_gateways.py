"""A Gateway of the Gateway API follows its label, its namespace, the default: by itself."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deployments.rehearsal.cluster.objects import Json, annotations_of, labels_of, spec_of
from deployments.rehearsal.cluster.patching import PatchKind
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import CRDS, DEPLOYMENTS
from tests.rehearsal.istio_cluster import IstioCluster, istio
from tests.rehearsal.running_cluster import PATIENCE, PLACE, run

OLD, NEW = "1-28-3", "1-29-1"
GROUP = "gateway.networking.k8s.io"


def definition() -> Json:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"plural": "gateways", "singular": "gateway", "kind": "Gateway"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"gateways.{GROUP}",
            "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs"},
        },
        "spec": {"group": GROUP, "names": names, "scope": "Namespaced", "versions": [version]},
    }


def resource(mesh: IstioCluster) -> Resource:
    found = mesh.server.registry.find(GROUP, "v1", "gateways")
    assert found is not None
    return found


@asynccontextmanager
async def with_gateway() -> AsyncIterator[IstioCluster]:
    async with istio() as mesh:
        await mesh.install(OLD)
        await mesh.make_default(OLD)
        await mesh.install(NEW)
        await mesh.server.create(CRDS, definition())
        listeners = [{"name": "http", "port": 80, "protocol": "HTTP"}]
        body: Json = {
            "apiVersion": f"{GROUP}/v1",
            "kind": "Gateway",
            "metadata": {"name": "plain"},
            "spec": {"gatewayClassName": "istio", "listeners": listeners},
        }
        await mesh.server.create(resource(mesh), body, namespace=PLACE)
        await mesh.until(lambda: revision(mesh) == OLD)
        yield mesh


def template(mesh: IstioCluster) -> Json:
    found = mesh.server.store.get(DEPLOYMENTS, "plain-istio", PLACE)
    made: Json = spec_of(found or {}).get("template") or {}
    return made


def revision(mesh: IstioCluster) -> str | None:
    return annotations_of(template(mesh)).get("istio.io/rev")


def test_an_unlabelled_gateway_is_the_default_revision_s_and_not_injected() -> None:
    async def story() -> None:
        async with with_gateway() as mesh:
            assert labels_of(template(mesh))["sidecar.istio.io/inject"] == "false"
            (container,) = spec_of(template(mesh))["containers"]
            assert container["image"].endswith("proxyv2:1.28.3")

            async with asyncio.timeout(PATIENCE):
                while not (rows := await mesh.rows(OLD)):  # noqa: ASYNC110 - nobody tells when
                    await asyncio.sleep(0.01)
            assert {row["proxy_type"] for row in rows.values()} == {"router"}

    run(story)


def test_moving_the_default_rolls_it() -> None:
    async def story() -> None:
        async with with_gateway() as mesh:
            await mesh.make_default(NEW)

            await mesh.until(lambda: revision(mesh) == NEW)

    run(story)


def test_its_namespace_s_label_rolls_it_and_its_own_label_wins() -> None:
    async def story() -> None:
        async with with_gateway() as mesh:
            await mesh.label(PLACE, rev=NEW)
            await mesh.until(lambda: revision(mesh) == NEW)

            own = {"metadata": {"labels": {"istio.io/rev": OLD}}}
            await mesh.server.patch(
                resource(mesh), "plain", own, namespace=PLACE, kind=PatchKind.MERGE
            )

            await mesh.until(lambda: revision(mesh) == OLD)

    run(story)
