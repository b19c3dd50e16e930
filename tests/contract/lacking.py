"""
A rehearsal cluster that lacks a part of itself, for as long as it is told so.

Nothing is patched: every part is taken out where the cluster is put together anyway, by what stands
around its API, its controllers, its admission and its mesh. Parts have these names:

- `query:NAME`: a parameter of requests that nobody reads
- `memory`: what is written in a namespace is answered as ever, and not kept
- `texts`: refusals say nothing
- `making`: what is created is as it was sent, without defaults, names and addresses
- `forms`: whatever form an answer is asked for in, it is the plain one
- `METHOD plural`: a request that is answered, and does nothing
- a controller's class, such as `Deployments`
- `admission`: the webhooks are not called
- `sidecars`: injectors let every pod pass; `acks`: proxies acknowledge nothing
"""

from starlette.types import ASGIApp

from deployments.rehearsal.cluster.admission import Admission, Review
from deployments.rehearsal.cluster.controllers.queueing import Key
from deployments.rehearsal.cluster.controllers.running import Controller, Interests
from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.cluster.verbs import Server
from deployments.rehearsal.istio.mood import Calm
from tests.contract.deaf import Deaf


class Lacking:
    """What is missing now."""

    def __init__(self, *, is_possible: bool) -> None:
        self.parts: set[str] = set()
        self._is_possible = is_possible
        self.mood = _Mood(self.parts)

    def around(self, api: ASGIApp) -> ASGIApp:
        return Deaf(api, self.parts) if self._is_possible else api

    def controller(self, one: Controller) -> Controller:
        return _Idle(one, self.parts) if self._is_possible else one

    def admission(self, server: Server) -> Admission:
        if not self._is_possible:
            return server.admission
        return _Waved(server, self.parts)


class _Idle:
    """A controller that does nothing while it is missing."""

    def __init__(self, controller: Controller, parts: set[str]) -> None:
        self._controller = controller
        self._parts = parts

    @property
    def interests(self) -> Interests:
        return self._controller.interests

    @property
    def workers(self) -> int:
        return self._controller.workers

    async def settle(self, key: Key) -> float | None:
        if type(self._controller).__name__ in self._parts:
            return None
        return await self._controller.settle(key)


class _Waved(Admission):
    """Admission that lets everything pass while it is missing."""

    def __init__(self, server: Server, parts: set[str]) -> None:
        super().__init__(server.store, server.network)
        self._parts = parts

    async def mutate(self, review: Review) -> Json:
        if "admission" in self._parts and review.object is not None:
            return review.object
        return await super().mutate(review)

    async def validate(self, review: Review) -> None:
        if "admission" not in self._parts:
            await super().validate(review)


class _Mood(Calm):
    def __init__(self, parts: set[str]) -> None:
        self._parts = parts

    def loses_sidecar(self, pod: Json) -> bool:
        del pod
        return "sidecars" in self._parts

    def is_stale(self, pod: Json) -> bool:
        del pod
        return "acks" in self._parts
