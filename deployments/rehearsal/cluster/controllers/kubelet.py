"""Brings pods to life that have a node, whichever node that is."""

import asyncio
import ipaddress
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from deployments.rehearsal.cluster.controllers.container_states import Address
from deployments.rehearsal.cluster.controllers.pod_lives import Host, Life
from deployments.rehearsal.cluster.controllers.pods import is_over, node_of
from deployments.rehearsal.cluster.objects import Json, is_terminating, spec_of, status_of, uid_of
from deployments.rehearsal.cluster.resources import NODES, PODS
from deployments.rehearsal.cluster.store import Change, ChangeKind, Store

_FIRST_POD: Final = int(ipaddress.ip_address("10.244.0.2"))
_LOOKS: Final = 0.25  # seconds between two looks at what programs say of their readiness
_SHORTEST_PAUSE: Final = 0.05  # on the clock on the wall
_AT_A_LOOK: Final = 500  # of the programs that were ready: they are asked in turn

logger: Final = logging.getLogger(__name__)


class Addresses:
    """Gives pods the addresses of their nodes' network."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._next = _FIRST_POD

    def of(self, pod: Json) -> Address:
        node = self._store.get(NODES, node_of(pod)) or {}
        known = status_of(node).get("addresses") or ()
        host = next((one["address"] for one in known if one["type"] == "InternalIP"), "127.0.0.1")
        if spec_of(pod).get("hostNetwork"):
            return Address(host=host, pod=host)
        if given := status_of(pod).get("podIP"):
            return Address(host=host, pod=given)
        self._next += 1
        return Address(host=host, pod=str(ipaddress.ip_address(self._next - 1)))


@dataclass(slots=True)
class _Living:
    """A pod's life, and the task that lives it."""

    life: Life
    task: asyncio.Task[None]


class Kubelet:
    """The kubelets of all nodes."""

    def __init__(self, host: Host, failures: list[Exception]) -> None:
        self._host = host
        self._failures = failures
        self._living: dict[str, _Living] = {}
        self._round: Iterator[Life] = iter(())
        self._polling: asyncio.Task[None] | None = None

    def hear(self, change: Change) -> None:
        """Begin, wake or end a life."""
        if change.resource == NODES and change.kind is ChangeKind.ADDED:
            for waiting in self._living.values():
                waiting.life.wake()
        if change.resource != PODS or not node_of(change.object):
            return
        pod, uid = change.object, uid_of(change.object)
        living = self._living.get(uid)
        if living is None:
            if change.kind is not ChangeKind.DELETED and not is_over(pod):
                self._begin(pod)
            return
        if change.kind is ChangeKind.DELETED:
            del self._living[uid]
            living.life.wake()
        elif is_terminating(pod) and not living.task.done():
            living.life.ask_to_end()

    def _begin(self, pod: Json) -> None:
        life = Life(self._host, pod)
        task = asyncio.create_task(life.live())
        task.add_done_callback(self._see_end)
        self._living[uid_of(pod)] = _Living(life, task)

    def _see_end(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            logger.error("a pod's life ended", exc_info=error)
            self._failures.append(error)

    def start(self) -> None:
        self._polling = asyncio.create_task(self._poll())

    async def stop(self) -> None:
        tasks = [living.task for living in self._living.values()]
        if self._polling is not None:
            tasks.append(self._polling)
        self._living.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _poll(self) -> None:
        """Wake the lives whose program has become ready, or is not ready any more."""
        while True:
            await asyncio.sleep(max(self._host.clock.scaled(_LOOKS), _SHORTEST_PAUSE))
            for life in (*self._host.unready, *self._some()):
                if life.is_unsettled:
                    life.wake()

    def _some(self) -> list[Life]:
        """Return the next of a round through all lives. Some may have ended since it began."""
        some = list(islice(self._round, _AT_A_LOOK))
        if len(some) < _AT_A_LOOK:
            self._round = iter([living.life for living in self._living.values()])
        return some
