"""Puts a scenario's objects into the cluster, and waits until its pods are as well as they can be."""

import asyncio
from typing import Final

from deployments.rehearsal.cluster.controllers.assembly import Controllers
from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import Json, is_true, name_of, namespace_of
from deployments.rehearsal.cluster.resources import DEPLOYMENTS, PODS
from deployments.rehearsal.cluster.verbs import PatchKind, Server
from deployments.rehearsal.errors import WrongInputError
from deployments.rehearsal.scenario.objects import objects_of, paused_of
from deployments.rehearsal.scenario.values import Scenario

_LOOK_EVERY: Final = 0.1
_PATIENCE: Final = 1.5  # seconds without a pod that became ready


async def load(server: Server, controllers: Controllers, scenario: Scenario) -> None:
    """Make all objects, and wait. Raises WrongInputError for one that the API refuses."""
    for obj in objects_of(scenario):
        await _create(server, obj, scenario)
    await controllers.settled()
    await _ready(server)
    for namespace, name in paused_of(scenario):
        pause = {"spec": {"paused": True}}
        await server.patch(DEPLOYMENTS, name, pause, namespace=namespace, kind=PatchKind.MERGE)
    await controllers.settled()


async def _create(server: Server, obj: Json, scenario: Scenario) -> None:
    what = f"{obj['kind']} {namespace_of(obj)}/{name_of(obj)}".replace(" /", " ")
    resource = server.registry.of_kind(obj["apiVersion"], obj["kind"])
    if resource is None:
        raise WrongInputError(
            f"scenario {scenario.name}: {what}: this cluster knows no {obj['apiVersion']} "
            f"{obj['kind']}"
        )
    try:
        await server.create(resource, obj, namespace=namespace_of(obj))
    except ApiError as error:
        raise WrongInputError(f"scenario {scenario.name}: {what}: {error}") from error


async def _ready(server: Server) -> None:
    """Return when all pods are ready, or no more of them become so."""
    loop = asyncio.get_running_loop()
    best, since = -1, loop.time()
    while True:
        looked_at = loop.time()
        pods = server.store.list(PODS)
        ready = sum(is_true(pod, "Ready") for pod in pods)
        if ready > best:
            best, since = ready, loop.time()
        if ready == len(pods) or loop.time() - since >= _PATIENCE:
            return
        # A look at fifty thousand pods takes a while in which none of them gets on.
        await asyncio.sleep(max(_LOOK_EVERY, 10 * (loop.time() - looked_at)))
