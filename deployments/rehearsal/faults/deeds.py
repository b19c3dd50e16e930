"""
What faults do to the cluster behind the upgrade's back, as a person or a node would: each once.

Each waits for an istiod, the one to kill or the new one. By the time that the new one is there the upgrade
has made its plan: labels that change before that are nothing that it could overlook.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import Json, is_true, labels_of, name_of, namespace_of
from deployments.rehearsal.cluster.patching import PatchKind
from deployments.rehearsal.cluster.resources import NAMESPACES, PODS
from deployments.rehearsal.cluster.verbs import Server
from deployments.rehearsal.faults.kinds import Fault
from deployments.rehearsal.faults.troubles import Troubles

# Returns whether there was something to do it to.
Deed = Callable[[Server, Fault, str], Awaitable[bool]]
_LOOK_EVERY: Final = 0.2
_CHANGE: Final[Json] = {"metadata": {"labels": {"istio-injection": "disabled"}}}


async def do_deeds(server: Server, troubles: Troubles) -> None:
    """Do so until cancelled."""
    done: set[Fault] = set()
    while True:
        for fault in troubles.active(*_DEEDS):
            if fault not in done and await _DEEDS[fault.kind.name](
                server, fault, troubles.new_revision
            ):
                done.add(fault)
        await asyncio.sleep(_LOOK_EVERY)


async def _kill_istiods(server: Server, fault: Fault, _new: str) -> bool:
    ready = [pod for pod in _istiods(server, fault.target) if is_true(pod, "Ready")]
    for pod in ready:
        with suppress(ApiError):  # gone meanwhile
            await server.delete(PODS, name_of(pod), namespace=namespace_of(pod), grace_seconds=0)
    return bool(ready)


async def _change_labels(server: Server, fault: Fault, new: str) -> bool:
    if not _istiods(server, new):
        return False
    with suppress(ApiError):  # gone meanwhile
        await server.patch(
            NAMESPACES, fault.namespace, _CHANGE, kind=PatchKind.MERGE, manager="kubectl-label"
        )
    return True


def _istiods(server: Server, revision: str) -> Sequence[Json]:
    wanted = {"app": "istiod", "istio.io/rev": revision}
    return [pod for pod in server.store.list(PODS) if wanted.items() <= labels_of(pod).items()]


_DEEDS: Final[Mapping[str, Deed]] = {
    "istiod-dies": _kill_istiods,
    "labels-changed": _change_labels,
}
