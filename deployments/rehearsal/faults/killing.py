"""Kills istiods, as a fault asks for it: once, as soon as there is one."""

import asyncio
from contextlib import suppress
from typing import Final

from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import Json, is_true, labels_of, name_of, namespace_of
from deployments.rehearsal.cluster.resources import PODS
from deployments.rehearsal.cluster.verbs import Server
from deployments.rehearsal.faults.kinds import Fault
from deployments.rehearsal.faults.troubles import Troubles

_LOOK_EVERY: Final = 0.5


async def kill_istiods(server: Server, troubles: Troubles) -> None:
    """Do so until cancelled."""
    done: set[Fault] = set()
    while True:
        for fault in troubles.active("istiod-dies"):
            if fault not in done and (pods := _istiods(server, fault.target)):
                done.add(fault)
                await _kill(server, pods)
        await asyncio.sleep(_LOOK_EVERY)


def _istiods(server: Server, revision: str) -> list[Json]:
    return [
        pod
        for pod in server.store.list(PODS)
        if labels_of(pod).get("app") == "istiod"
        and labels_of(pod).get("istio.io/rev") == revision
        and is_true(pod, "Ready")
    ]


async def _kill(server: Server, pods: list[Json]) -> None:
    for pod in pods:
        with suppress(ApiError):  # gone meanwhile
            await server.delete(PODS, name_of(pod), namespace=namespace_of(pod), grace_seconds=0)
