"""Faults that do something to the cluster do it once, when there is something to do it to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deployments.rehearsal.cluster.objects import Json, labels_of, name_of
from deployments.rehearsal.cluster.resources import NAMESPACES
from deployments.rehearsal.faults.deeds import do_deeds
from deployments.rehearsal.faults.parsing import parse_faults
from deployments.rehearsal.faults.troubles import Troubles
from deployments.rehearsal.scenario.finding import find
from tests.rehearsal.istio_cluster import IstioCluster, istio
from tests.rehearsal.running_cluster import run

OLD, NEW = "1-28-3", "1-29-1"


@asynccontextmanager
async def befallen(fault: str) -> AsyncIterator[IstioCluster]:
    """Return a cluster of two namespaces, which a fault befalls from now on."""
    found = Troubles(parse_faults([fault], find("shop")), late={}, new=NEW)
    async with istio() as mesh:
        for name in ("bank", "web"):
            labels = {"istio-injection": "enabled", "team": name}
            await mesh.server.create(NAMESPACES, {"metadata": {"name": name, "labels": labels}})
        found.begin()
        doing = asyncio.create_task(do_deeds(mesh.server, found))
        yield mesh
        doing.cancel()
        await asyncio.wait([doing])


def labels(mesh: IstioCluster, name: str) -> Json:
    found = mesh.server.store.get(NAMESPACES, name)
    assert found is not None
    return {key: value for key, value in labels_of(found).items() if "/" not in key}


def test_an_istiod_dies_once_and_the_next_one_lives() -> None:
    async def story() -> None:
        async with befallen(f"istiod-dies:{NEW}") as mesh:
            await mesh.install(OLD)
            await mesh.install(NEW)
            (old,), (first,) = mesh.istiods(OLD), mesh.istiods(NEW)

            await mesh.until(
                lambda: {name_of(one) for one in mesh.istiods(NEW)} - {name_of(first), ""}
            )
            (second,) = mesh.istiods(NEW)
            await asyncio.sleep(1.2)  # two more looks

            assert [name_of(one) for one in mesh.istiods(NEW)] == [name_of(second)]
            assert [name_of(one) for one in mesh.istiods(OLD)] == [name_of(old)]

    run(story)


def test_labels_change_once_there_is_a_new_istiod_in_one_namespace_and_once() -> None:
    async def story() -> None:
        async with befallen("labels-changed:bank") as mesh:
            await mesh.install(OLD)
            await asyncio.sleep(0.5)
            assert labels(mesh, "bank") == {"istio-injection": "enabled", "team": "bank"}

            await mesh.install(NEW)
            await mesh.until(lambda: labels(mesh, "bank")["istio-injection"] == "disabled")
            assert labels(mesh, "bank")["team"] == "bank"
            assert labels(mesh, "web") == {"istio-injection": "enabled", "team": "web"}

            await mesh.label("bank", injection="enabled")
            await asyncio.sleep(0.5)
            assert labels(mesh, "bank")["istio-injection"] == "enabled"

    run(story)


def test_labels_of_a_namespace_that_has_gone_meanwhile_change_nothing() -> None:
    async def story() -> None:
        async with befallen("labels-changed:bank") as mesh:
            await mesh.server.delete(NAMESPACES, "bank")
            await mesh.until(lambda: mesh.server.store.get(NAMESPACES, "bank") is None)
            await mesh.install(NEW)
            await asyncio.sleep(0.5)

            assert mesh.server.store.get(NAMESPACES, "bank") is None

    run(story)
