"""
The ASGI application: who asks, whether they may, and who answers.

There is one handler for everything that a program can do wrong; all that a client does wrong is an
ApiError, which is its own answer.
"""

import logging
from collections.abc import Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from deployments.rehearsal.cluster.access import Access
from deployments.rehearsal.cluster.callers import Caller
from deployments.rehearsal.cluster.errors import ApiError, method_not_allowed, unknown_path
from deployments.rehearsal.cluster.rbac import Attributes
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import PODS
from deployments.rehearsal.cluster.verbs import Server
from deployments.rehearsal.cluster.views import VIEWS
from deployments.rehearsal.cluster.web.answers import refused, told
from deployments.rehearsal.cluster.web.asks import Ask, Cluster, Handler
from deployments.rehearsal.cluster.web.bells import Bells
from deployments.rehearsal.cluster.web.connecting import connect
from deployments.rehearsal.cluster.web.discovery import Discovery
from deployments.rehearsal.cluster.web.openapi import openapi
from deployments.rehearsal.cluster.web.pages import Pages
from deployments.rehearsal.cluster.web.paths import Place, place_of
from deployments.rehearsal.cluster.web.proxying import proxy
from deployments.rehearsal.cluster.web.reads import get, list_
from deployments.rehearsal.cluster.web.reviews import REVIEWS, review
from deployments.rehearsal.cluster.web.subresources import bind, evict, issue_token, log
from deployments.rehearsal.cluster.web.watching import watch
from deployments.rehearsal.cluster.web.writes import (
    create,
    delete,
    delete_collection,
    patch,
    update,
)

VERSION: Final = {
    "major": "1",
    "minor": "34",
    "emulationMajor": "1",
    "emulationMinor": "34",
    "minCompatibilityMajor": "1",
    "minCompatibilityMinor": "33",
    "gitVersion": "v1.34.4",
    "gitCommit": "0000000000000000000000000000000000000000",
    "gitTreeState": "clean",
    "buildDate": "2026-02-10T12:00:00Z",
    "goVersion": "go1.24.12",
    "compiler": "gc",
    "platform": "linux/amd64",
}
_HEALTH: Final = frozenset({"/healthz", "/livez", "/readyz"})
_NOWHERE: Final = "404 page not found\n"
_PANIC: Final = "This request caused apiserver to panic. Look in the logs for details."

_ON_MANY: Final[Mapping[str, Handler]] = {
    "create": create,
    "deletecollection": delete_collection,
    "list": list_,
    "watch": watch,
}
_ON_ONE: Final[Mapping[str, Handler]] = {
    "delete": delete,
    "get": get,
    "patch": patch,
    "update": update,
}
_BINDING: Final = "binding"  # a view that is only written, by creating it
_ON_PARTS: Final[Mapping[tuple[str, str], Handler]] = {
    ("create", _BINDING): bind,
    ("create", "eviction"): evict,
    ("get", "log"): log,
    ("get", "proxy"): proxy,
}
_VERBS: Final = {"PUT": "update", "PATCH": "patch", "POST": "create", "GET": "get"}


class Application:
    """The Kubernetes API of one cluster over HTTP."""

    def __init__(self, server: Server, access: Access) -> None:
        self._server = server
        self._access = access
        self._discovery = Discovery(server.registry)
        self._cluster = Cluster(server=server, bells=Bells(server.store), pages=Pages())
        self._log = logging.getLogger(__name__)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            response = await self._answered(Request(scope, receive))
            await response(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._connected(WebSocket(scope, receive, send))

    async def _answered(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except ApiError as error:
            return refused(error)
        except Exception:  # noqa: BLE001  # the one place where a bug of ours ends
            self._log.exception("%s %s", request.method, request.url.path)
            return refused(ApiError(500, "InternalError", _PANIC))

    async def _answer(self, request: Request) -> Response:
        caller = self._access.caller(request.headers)
        place = place_of(request.url.path)
        if place is None:
            return self._apart(request, caller)
        self._check(caller, _verb(request, place), place)
        if place.version not in self._discovery.versions(place.group):
            return PlainTextResponse(_NOWHERE, status_code=404)
        resource = self._resource(place)
        if resource in REVIEWS:
            return await self._review(request, caller, place, resource)
        ask = Ask(
            cluster=self._cluster,
            connection=request,
            place=place,
            resource=resource,
            caller=caller,
        )
        if place.subresource == "token":
            return await issue_token(ask, self._access)
        return await _handler(_verb(request, place), ask)(ask)

    def _apart(self, request: Request, caller: Caller) -> Response:
        """Answer at a path that is not one of resources."""
        path = request.url.path.rstrip("/") or "/"
        attributes = Attributes(verb=request.method.lower(), path=path)
        self._access.rights.check(caller, attributes)
        if path in _HEALTH or path.rpartition("/")[0] in _HEALTH:
            return PlainTextResponse("ok")
        if path == "/version":
            return told(VERSION)
        found = openapi(self._discovery, path) or self._discovery.answer(request)
        return found or PlainTextResponse(_NOWHERE, status_code=404)

    def _check(self, caller: Caller, verb: str, place: Place) -> None:
        attributes = Attributes(
            verb=verb,
            group=place.group,
            resource=place.plural,
            subresource=place.subresource,
            # A namespace is taken to lie within itself, so a role there may be about it.
            namespace=place.namespace or (place.name if place.plural == "namespaces" else ""),
            name=place.name,
        )
        self._access.rights.check(caller, attributes)

    def _resource(self, place: Place) -> Resource:
        """Return the resource at a place. Raises ApiError (404)."""
        for review_of in REVIEWS:
            if (review_of.group, review_of.plural) == (place.group, place.plural):
                return review_of
        found = self._server.registry.find(place.group, place.version, place.plural)
        if found is None or (place.subresource and place.subresource not in found.subresources):
            raise unknown_path()
        if found.namespaced and place.name and not place.namespace:
            raise unknown_path()
        if place.namespace and not found.namespaced:
            raise unknown_path()
        return found

    async def _review(
        self, request: Request, caller: Caller, place: Place, resource: Resource
    ) -> Response:
        if request.method != "POST":
            raise method_not_allowed()
        ask = Ask(
            cluster=self._cluster,
            connection=request,
            place=place,
            resource=resource,
            caller=caller,
        )
        return review(self._access, resource, caller, await ask.object())

    async def _connected(self, websocket: WebSocket) -> None:
        try:
            caller = self._access.caller(websocket.headers)
            place = place_of(websocket.url.path)
            if place is None or place.plural != PODS.plural or place.group:
                raise unknown_path()
            self._check(caller, "get", place)
            await connect(websocket, self._server, place)
        except ApiError as error:
            await websocket.send_denial_response(refused(error))


def _verb(request: Request, place: Place) -> str:
    """Return what a request does, in the words of RBAC."""
    if place.name:
        return "delete" if request.method == "DELETE" else _VERBS.get(request.method, "")
    if request.method == "GET":
        is_watch = request.query_params.get("watch", "") in {"true", "1"}
        return "watch" if is_watch else "list"
    return "deletecollection" if request.method == "DELETE" else _VERBS.get(request.method, "")


def _handler(verb: str, ask: Ask) -> Handler:
    """Return who answers. Raises ApiError (405) if nobody does."""
    place = ask.place
    if not place.name:
        is_refused = verb == "deletecollection" and not ask.resource.is_deleted_together
        found = None if is_refused else _ON_MANY.get(verb)
    elif place.subresource in VIEWS and place.subresource != _BINDING:
        found = _ON_ONE.get(verb)
    else:
        found = _ON_PARTS.get((verb, place.subresource))
    if found is None:
        raise method_not_allowed()
    return found
