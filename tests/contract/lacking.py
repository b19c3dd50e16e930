"""
A rehearsal cluster that lacks a part of itself, for as long as it is told so.

Nothing is patched: every part is taken out where the cluster is put together anyway, by what stands
around its API, its controllers, its admission and its mesh. Parts have these names:

- `query:NAME`: a parameter of requests that nobody reads
- `METHOD plural`: a request that is answered, and does nothing
- a controller's class, such as `Deployments`
- `admission`: the webhooks are not called
- `sidecars`: injectors let every pod pass; `acks`: proxies acknowledge nothing
"""

import json
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from deployments.rehearsal.cluster.admission import Admission, Review
from deployments.rehearsal.cluster.controllers.queueing import Key
from deployments.rehearsal.cluster.controllers.running import Controller, Interests
from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.cluster.verbs import Server
from deployments.rehearsal.istio.mood import Calm

PATH: Final = "/lacking"
_QUERY: Final = "query:"
_DONE: Final = {"kind": "Status", "apiVersion": "v1", "status": "Success"}


class Lacking:
    """What is missing now."""

    def __init__(self, *, is_possible: bool) -> None:
        self.parts: set[str] = set()
        self._is_possible = is_possible
        self.mood = _Mood(self.parts)

    def around(self, api: ASGIApp) -> ASGIApp:
        return _Deaf(api, self.parts) if self._is_possible else api

    def controller(self, one: Controller) -> Controller:
        return _Idle(one, self.parts) if self._is_possible else one

    def admission(self, server: Server) -> Admission:
        if not self._is_possible:
            return server.admission
        return _Waved(server, self.parts)


class _Deaf:
    """An API that overhears parts of what it is asked."""

    def __init__(self, api: ASGIApp, parts: set[str]) -> None:
        self._api = api
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not (self._parts or scope["path"] == PATH):
            await self._api(scope, receive, send)
        elif scope["path"] == PATH:
            self._parts.clear()
            self._parts.update(json.loads(await Request(scope, receive).body()))
            await JSONResponse(_DONE)(scope, receive, send)
        elif self._parts & _names(scope):
            await JSONResponse(_DONE)(scope, receive, send)
        else:
            pairs = parse_qsl(scope["query_string"].decode(), keep_blank_values=True)
            kept = [pair for pair in pairs if _QUERY + pair[0] not in self._parts]
            await self._api({**scope, "query_string": urlencode(kept).encode()}, receive, send)


def _names(scope: Scope) -> set[str]:
    """Return what a request may be called: by its method, and each word of its path."""
    method = str(scope["method"])
    return {f"{method} {word}" for word in str(scope["path"]).split("/")}


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
