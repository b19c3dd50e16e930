"""A fault that kills does it once, when there is something to kill, and spares the rest."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deployments.rehearsal.cluster.objects import name_of
from deployments.rehearsal.faults.killing import kill_istiods
from deployments.rehearsal.faults.parsing import parse_faults
from deployments.rehearsal.faults.troubles import Troubles
from deployments.rehearsal.scenario.finding import find
from tests.rehearsal.istio_cluster import IstioCluster, istio
from tests.rehearsal.running_cluster import run

OLD, NEW = "1-28-3", "1-29-1"


@asynccontextmanager
async def befallen(fault: str) -> AsyncIterator[IstioCluster]:
    """Return a cluster whose istiods a fault befalls from now on."""
    found = Troubles(parse_faults([fault], find("shop")), late={}, new=NEW)
    async with istio() as mesh:
        found.begin()
        killing = asyncio.create_task(kill_istiods(mesh.server, found))
        yield mesh
        killing.cancel()
        await asyncio.wait([killing])


def test_an_istiod_dies_once_and_the_next_one_lives() -> None:
    async def story() -> None:
        async with befallen(f"istiod-dies:{NEW}") as mesh:
            await mesh.install(OLD)
            await mesh.install(NEW)
            (old,), (first,) = mesh.istiods(OLD), mesh.istiods(NEW)

            await mesh.until(lambda: {name_of(one) for one in mesh.istiods(NEW)} - {name_of(first)})
            (second,) = mesh.istiods(NEW)
            await asyncio.sleep(1.2)  # two more looks

            assert [name_of(one) for one in mesh.istiods(NEW)] == [name_of(second)]
            assert [name_of(one) for one in mesh.istiods(OLD)] == [name_of(old)]

    run(story)
