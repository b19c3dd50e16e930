"""
Who injects a pod: what namespace and pod say, and what tags and the default make of it.

The table is the one that was seen on a real mesh; the webhooks' selectors and the API server's
rules decide, and nothing here knows them.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.cluster.resources import MUTATING_WEBHOOKS, NAMESPACES, PODS
from deployments.rehearsal.istioctl import tag_objects
from deployments.rehearsal.istioctl.descriptions import Description
from tests.rehearsal.istio_cluster import IstioCluster, istio, revision_of
from tests.rehearsal.running_cluster import run

OLD, NEW = "1-28-3", "1-29-1"
INJECT, REVISION, INJECTION = "sidecar.istio.io/inject", "istio.io/rev", "istio-injection"

PLAIN: Json = {}
YES, NO = {INJECT: "true"}, {INJECT: "false"}
OF_NEW, OF_PROD, OF_NOBODY = {REVISION: NEW}, {REVISION: "prod"}, {REVISION: "nosuch"}
PODS_SEEN = (PLAIN, YES, NO, OF_NEW, OF_PROD, YES | OF_NEW, OF_NOBODY)

# Namespace labels, and who injects each of the pods above. The default is 1-28-3, prod 1-29-1.
TABLE: list[tuple[Json, tuple[str | None, ...]]] = [
    ({INJECTION: "enabled"}, (OLD, OLD, None, OLD, OLD, OLD, OLD)),
    ({INJECTION: "enabled", REVISION: NEW}, (OLD, OLD, None, OLD, OLD, OLD, OLD)),
    ({INJECTION: "disabled"}, (None,) * 7),
    ({INJECTION: "disabled", REVISION: NEW}, (None,) * 7),
    ({INJECTION: "yes"}, (None,) * 7),
    ({INJECTION: "yes", REVISION: NEW}, (None,) * 7),
    ({REVISION: OLD}, (OLD, OLD, None, OLD, OLD, OLD, OLD)),
    ({REVISION: "default"}, (OLD, OLD, None, OLD, OLD, OLD, OLD)),
    ({REVISION: NEW}, (NEW, NEW, None, NEW, NEW, NEW, NEW)),
    ({REVISION: "prod"}, (NEW, NEW, None, NEW, NEW, NEW, NEW)),
    ({REVISION: "nosuch"}, (None,) * 7),
    ({}, (None, OLD, None, NEW, NEW, NEW, None)),
]


async def injected_by(mesh: IstioCluster, namespace: str, labels: Json) -> str | None:
    """Return whose sidecar a pod made now would get."""
    containers = [{"name": "web", "image": "busybox:1"}]
    body = {"metadata": {"name": "probe", "labels": labels}, "spec": {"containers": containers}}
    return revision_of(await mesh.server.create(PODS, body, namespace=namespace, dry_run=True))


async def tag(mesh: IstioCluster, name: str, revision: str) -> None:
    """Make a tag as people do."""
    called = tag_objects.called_by(mesh.injector(revision))
    assert called is not None
    wish = tag_objects.Wish(tag=name, revision=revision)
    description = Description.of("1.29.1")
    await mesh.apply(
        tag_objects.injector(description, wish, called), tag_objects.service(description, wish)
    )


@asynccontextmanager
async def two_revisions() -> AsyncIterator[IstioCluster]:
    async with istio() as mesh:
        await mesh.install(OLD)
        await mesh.make_default(OLD)
        await mesh.install(NEW)
        await tag(mesh, "prod", NEW)
        yield mesh


def test_the_whole_table_of_precedence_is_istio_s() -> None:
    async def story() -> None:
        async with two_revisions() as mesh:
            for number, (labels, expected) in enumerate(TABLE):
                name = f"ns-{number}"
                await mesh.server.create(NAMESPACES, {"metadata": {"name": name, "labels": labels}})
                seen = [await injected_by(mesh, name, pod) for pod in PODS_SEEN]
                assert seen == list(expected), labels

    run(story)


def test_a_relabelled_namespace_is_the_new_revision_s_at_once() -> None:
    async def story() -> None:
        async with two_revisions() as mesh:
            await mesh.label("shop", injection="enabled")
            assert await injected_by(mesh, "shop", PLAIN) == OLD

            await mesh.label("shop", injection=None, rev=NEW)

            assert await injected_by(mesh, "shop", PLAIN) == NEW

    run(story)


def test_whoever_is_the_default_injects_those_who_follow_it() -> None:
    async def story() -> None:
        async with two_revisions() as mesh:
            await mesh.label("shop", injection="enabled")

            await mesh.make_default(NEW)

            assert await injected_by(mesh, "shop", PLAIN) == NEW

    run(story)


def test_an_unrevisioned_istio_gives_way_once_it_is_deactivated() -> None:
    async def story() -> None:
        async with istio() as mesh:
            await mesh.install("default")
            await mesh.label("shop", injection="enabled")
            assert await injected_by(mesh, "shop", PLAIN) == "default"

            await mesh.install(NEW)
            await mesh.make_default(NEW)
            shut = tag_objects.deactivated(mesh.injector("default"))
            await mesh.server.update(MUTATING_WEBHOOKS, shut)

            assert await injected_by(mesh, "shop", PLAIN) == NEW

    run(story)
