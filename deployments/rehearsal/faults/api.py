"""
An API server that has a bad day: it refuses, breaks, is slow, or hangs up.

It stands between the clients and the API, so the cluster's own controllers notice nothing. istioctl
is spared: it gives up at the first error, and would not get through however often it was repeated.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deployments.rehearsal.faults.kinds import Fault

Active = Callable[[str], Sequence[Fault]]  # the faults of one kind that have begun
_SPARED: Final = b"istioctl/"
_SLOW: Final = (1.0, 4.0)  # seconds
_RETRY_AFTER: Final = b"1"
_HALF: Final = b'{"kind":'
_REFUSED: Final = (429, "TooManyRequests", "the server has received too many requests")
_BROKEN: Final = (500, "InternalError", "Internal error occurred: the rehearsal wants it so")


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
            await _answer(send, *_REFUSED, more=[(b"retry-after", _RETRY_AFTER)])
        elif self._befalls("api-500"):
            await _answer(send, *_BROKEN)
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


Header = tuple[bytes, bytes]


async def _answer(
    send: Send, status: int, reason: str, message: str, *, more: Sequence[Header] = ()
) -> None:
    body = msgspec.json.encode(
        {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": status,
        }
    )
    await _send(send, _start(status, len(body), more), {"type": "http.response.body", "body": body})


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
