"""
An API server that has a bad day: it refuses, breaks, forgets, is slow, or hangs up.

It stands between the clients and the API, so the cluster's own controllers notice nothing. istioctl
is spared: it gives up at the first error, and would not get through however often it was repeated.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from urllib.parse import parse_qsl

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.rehearsal.cluster.errors import (
    ApiError,
    conflict,
    internal,
    token_too_old,
    too_many_requests,
    too_old,
)
from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.web.paths import place_of
from deployments.rehearsal.faults.kinds import Fault

Active = Callable[[str], Sequence[Fault]]  # the faults of one kind that have begun
_SPARED: Final = b"istioctl/"
_SLOW: Final = (1.0, 4.0)  # seconds
_RETRY_AFTER: Final = b"1"
_HALF: Final = b'{"kind":'
_CHANGES: Final = frozenset({"PATCH", "PUT"})
_TRUE: Final = frozenset({"1", "true"})
_REFUSED: Final = too_many_requests("the server has received too many requests")
_BROKEN: Final = internal("the rehearsal wants it so")


class Weather:
    """Lets the faults of the API happen."""

    def __init__(self, application: ASGIApp, active: Active, *, seed: int) -> None:
        self._application = application
        self._active = active
        self._dice = random.Random(seed)  # noqa: S311 - the same rehearsal twice

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_spared(scope):
            await self._application(scope, receive, send)
        elif self._befalls("api-429"):
            await _answer(send, _REFUSED, more=[(b"retry-after", _RETRY_AFTER)])
        elif self._befalls("api-500"):
            await _answer(send, _BROKEN)
        elif (found := _conflict(scope)) and self._befalls("api-409"):
            await _answer(send, found)
        elif (forgotten := _forgotten(scope)) and self._befalls("api-410"):
            await _tell(send, *forgotten)
        elif self._befalls("api-cut"):
            await _hang_up(send)
        else:
            if self._befalls("api-slow"):
                await asyncio.sleep(self._dice.uniform(*_SLOW))
            await self._application(scope, receive, send)

    def _befalls(self, kind: str) -> bool:
        return any(self._dice.uniform(0, 100) < fault.percent for fault in self._active(kind))


def _is_spared(scope: Scope) -> bool:
    return any(
        name == b"user-agent" and value.startswith(_SPARED) for name, value in scope["headers"]
    )


def _conflict(scope: Scope) -> ApiError | None:
    """Return what the server says to a change of an object that another one changed just before."""
    place = place_of(scope["path"])
    if scope["method"] not in _CHANGES or place is None or not place.name:
        return None
    resource = Resource(
        group=place.group, version=place.version, plural=place.plural, kind="", singular=""
    )
    return conflict(resource, place.name)


def _forgotten(scope: Scope) -> tuple[int, Json] | None:
    """Return how the server tells that it has forgotten the moment that a request goes on from."""
    asked = dict(parse_qsl(scope["query_string"].decode()))
    if scope["method"] != "GET":
        return None
    if asked.get("watch") in _TRUE:
        version = asked.get("resourceVersion", "")
        # A watch from 0, or from nowhere, begins with what there is now, and cannot be too late.
        if not version.isdigit() or not int(version):
            return None
        # It is told in an event, as a watch has been answered by then.
        error = too_old(int(version), int(version) + 1)
        return 200, {"type": "ERROR", "object": error.status}
    error = token_too_old()
    return (error.code, error.status) if asked.get("continue") else None


Header = tuple[bytes, bytes]


async def _answer(send: Send, error: ApiError, *, more: Sequence[Header] = ()) -> None:
    await _tell(send, error.code, error.status, more)


async def _tell(send: Send, code: int, document: Json, more: Sequence[Header] = ()) -> None:
    body = msgspec.json.encode(document) + b"\n"
    await _send(send, _start(code, len(body), more), {"type": "http.response.body", "body": body})


async def _hang_up(send: Send) -> None:
    """Begin an answer and leave: the server ends the connection, since some of it is missing."""
    part: Message = {"type": "http.response.body", "body": _HALF, "more_body": True}
    await _send(send, _start(200, 10 * len(_HALF), ()), part)


def _start(status: int, length: int, more: Sequence[Header]) -> Message:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(length).encode()),
        *more,
    ]
    return {"type": "http.response.start", "status": status, "headers": headers}


async def _send(send: Callable[[Message], Awaitable[None]], *messages: Message) -> None:
    for message in messages:
        await send(message)
