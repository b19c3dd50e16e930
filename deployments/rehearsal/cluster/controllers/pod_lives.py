"""
The life of one pod on its node.

It sleeps until something happens to the containers, or somebody wakes it, and then writes the pod's
status; asked to end, it lets the containers end and removes the pod.
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from deployments.rehearsal.cluster.clock import Clock
from deployments.rehearsal.cluster.controllers.agendas import Agenda
from deployments.rehearsal.cluster.controllers.container_lives import Containers
from deployments.rehearsal.cluster.controllers.container_states import Address, status
from deployments.rehearsal.cluster.controllers.events import Recorder
from deployments.rehearsal.cluster.controllers.fates import Fates
from deployments.rehearsal.cluster.controllers.pods import is_over, is_ready, node_of, phase_of
from deployments.rehearsal.cluster.controllers.queueing import Activity
from deployments.rehearsal.cluster.controllers.termination import seconds_to_end
from deployments.rehearsal.cluster.controllers.turns import Turns
from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import (
    Json,
    is_terminating,
    metadata_of,
    name_of,
    namespace_of,
    now_rfc3339,
    status_of,
    uid_of,
)
from deployments.rehearsal.cluster.programs import Program, Programs
from deployments.rehearsal.cluster.resources import NODES, PODS
from deployments.rehearsal.cluster.verbs import Server

_NEXT_TRY: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What pods live on: the node's side of the cluster."""

    server: Server
    clock: Clock
    programs: Programs
    activity: Activity
    turns: Turns
    fates: Fates
    random: random.Random
    missing_images: Sequence[str]
    events: Recorder
    address: Callable[[Json], Address]
    # Lives whose program was not ready when it was asked last: few of many, and asked often.
    unready: set["Life"] = field(default_factory=set["Life"])


class GoneError(Exception):
    """The pod is not there any more, or another one has its name."""


class Life:
    """One pod on a node, until it is over or gone."""

    def __init__(self, host: Host, pod: Json) -> None:
        self._host = host
        self._name, self._namespace, self._uid = name_of(pod), namespace_of(pod), uid_of(pod)
        self._agenda = Agenda(host.clock)
        self._containers = Containers(pod, self._agenda, is_known=self._know)
        self._address: Address | None = None
        self._program: Program | None = None
        self._was_started = False
        self._was_ready = True  # the program, when it was asked last
        self._is_known = False  # whether it gets ready; to be told yet
        self._is_busy = False
        self._begin_busy()  # before the task runs, lest somebody takes us for settled meanwhile

    @property
    def is_unsettled(self) -> bool:
        """Whether the program says something else of its readiness than it did."""
        return self._program is not None and self._program.is_ready is not self._was_ready

    def wake(self) -> None:
        """Have a look: the program is ready or not any more, or the pod is gone."""
        self._agenda.wake()

    def ask_to_end(self) -> None:
        """Have a look: the pod is to end, or in less time than before."""
        self._begin_busy()
        self._agenda.wake()

    async def live(self) -> None:
        """Start the containers, and let them run until they have ended for good, or must."""
        try:
            await self._have_node()
            self._begin(self._pod())
            while not is_terminating(self._pod()):
                if is_over(await self._tell()):
                    return
                await self._agenda.next()
                await self._host.turns.take()
            await self._end()
        except GoneError:
            return
        finally:
            self._end_busy()
            self._stop_program()

    async def _have_node(self) -> None:
        """Wait for the node: whoever names one may name one that is not there."""
        while not self._has_node(pod := self._pod()) and not is_terminating(pod):
            self._end_busy()
            await self._agenda.next()
        self._begin_busy()

    def _has_node(self, pod: Json) -> bool:
        return self._host.server.store.get(NODES, node_of(pod)) is not None

    def _begin(self, pod: Json) -> None:
        if phase_of(pod) == "Running":
            self._containers.go_on(are_ready=is_ready(pod))
            return
        host = self._host
        self._containers.begin(pod, host.fates.of(pod), host.random, host.missing_images)

    async def _end(self) -> None:
        """End as gracefully as there is time for, then remove the pod."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        is_idle = phase_of(self._pod()) == "Pending"
        wanted = 0.0 if is_idle else seconds_to_end(self._pod(), self._host.random)
        while True:
            grace = float(metadata_of(self._pod()).get("deletionGracePeriodSeconds") or 0)
            spent = (loop.time() - began) * self._host.clock.speed
            left = min(wanted, grace) - spent
            if left <= 0:
                break
            await self._agenda.pass_time(left)
        await self._host.turns.take()
        self._stop_program()
        await self._remove()

    async def _remove(self) -> None:
        """Remove the pod, again and again if a webhook is against it."""
        while True:
            self._pod()
            try:
                await self._host.server.delete(
                    PODS, self._name, namespace=self._namespace, grace_seconds=0, uid=self._uid
                )
            except ApiError as error:
                if error.reason == "NotFound":
                    raise GoneError from error
                await self._host.clock.sleep(_NEXT_TRY)
            else:
                return

    async def _tell(self) -> Json:
        """Write the status, and start the program of a pod that runs. Returns the pod."""
        pod = await self._write()
        if not self._was_started and phase_of(pod) == "Running":
            self._was_started = True
            self._program = self._host.programs.start(pod)
            pod = await self._write()
        while self._containers.warnings:
            await self._host.events.warning(PODS, pod, *self._containers.warnings.pop(0))
        if self._is_known and not is_terminating(self._pod()):
            self._is_known = False
            self._end_busy()
        return pod

    async def _write(self) -> Json:
        self._ask_program()
        self._containers.see_readiness(program_is_ready=self._was_ready)
        while True:
            pod = self._pod()
            new = status(pod, self._containers.runs, self._place(pod), now_rfc3339())
            if new == status_of(pod):
                return pod
            try:
                return await self._host.server.update(
                    PODS, pod | {"status": new}, namespace=self._namespace, subresource="status"
                )
            except ApiError as error:
                if error.reason == "NotFound":
                    raise GoneError from error
                if error.reason == "Conflict":
                    continue
                if error.reason != "InternalError":  # of a webhook, which may come back
                    raise
                await self._host.clock.sleep(_NEXT_TRY)

    def _place(self, pod: Json) -> Address | None:
        """Return the pod's address, which it has when its first container has."""
        if self._address is None and self._containers.have_begun:
            self._address = self._host.address(pod)
        return self._address

    def _pod(self) -> Json:
        pod = self._host.server.store.get(PODS, self._name, self._namespace)
        if pod is None or uid_of(pod) != self._uid:
            raise GoneError
        return pod

    def _ask_program(self) -> None:
        self._was_ready = self._program is None or self._program.is_ready
        if self._was_ready:
            self._host.unready.discard(self)
        else:
            self._host.unready.add(self)

    def _stop_program(self) -> None:
        if self._program is not None:
            self._program = None
            self._host.unready.discard(self)
            self._host.programs.stop({"metadata": {"uid": self._uid}})

    def _know(self) -> None:
        self._is_known = True

    def _begin_busy(self) -> None:
        if not self._is_busy:
            self._is_busy = True
            self._host.activity.begin()

    def _end_busy(self) -> None:
        if self._is_busy:
            self._is_busy = False
            self._host.activity.end()
