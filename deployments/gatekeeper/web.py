"""
The gatekeeper's pages.

Whether it is well, what it has counted, and, with HTTP instead of a socket, where Slack sends what
people do.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, cast
from urllib.parse import parse_qs

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from deployments.gatekeeper.metrics import Metrics
from deployments.gatekeeper.receiving import Answer, Receiver, Settled
from tasks.domain.errors import BadInputError, RefusedError

# Slack's largest payloads are modals, of some ten thousand bytes.
_LARGEST: Final = 1_000_000
_READ_WITHIN: Final = 3.0  # seconds: Slack has no more patience, and others no claim to any
_SETTLED_WITHIN: Final = 2.8

_TAKEN: Final = 200

Verify = Callable[[bytes, Mapping[str, str]], None]
Ills = Callable[[], list[str]]


def pages(*, ills: Ills, metrics: Metrics, receiver: Receiver, verify: Verify | None) -> Starlette:
    """
    Return the application.

    `ills` says what is wrong with this process; `verify` raises RefusedError for a request that
    Slack has not signed, and is None where Slack is heard by a socket.
    """

    async def health(_: Request) -> Response:
        found = ills()
        status = 503 if found else 200
        return JSONResponse({"healthy": not found, "problems": found}, status_code=status)

    async def counted(_: Request) -> Response:
        return Response(metrics.exposition(), media_type="text/plain; version=0.0.4")

    routes = [Route("/healthz", health), Route("/metrics", counted)]
    if verify is not None:
        taking = _taking(receiver, metrics, verify)
        routes.append(Route("/slack/events", taking, methods=["POST"]))
    return Starlette(routes=routes)


def _taking(receiver: Receiver, metrics: Metrics, verify: Verify) -> Callable[[Request], Any]:
    async def take(request: Request) -> Response:
        came_at = time.monotonic()
        try:
            body = await _body(request)
            verify(body, request.headers)
            kind, payload = _parts(body)
        except RefusedError:
            metrics.refused("signature")
            return PlainTextResponse("not signed by Slack", status_code=401)
        except BadInputError as error:
            metrics.refused("junk")
            return PlainTextResponse(str(error), status_code=400)
        if payload.get("type") == "url_verification":
            return PlainTextResponse(str(payload.get("challenge", ""))[:200])
        answered = await _answered(receiver.receive(kind, payload), came_at)
        if answered.status_code == _TAKEN:
            metrics.acknowledged(time.monotonic() - came_at)
        return answered

    return take


async def _answered(answer: Answer | Settled | None, came_at: float) -> Response:
    if not isinstance(answer, asyncio.Future):
        return JSONResponse(answer) if answer else Response()
    await asyncio.wait([answer], timeout=_SETTLED_WITHIN - (time.monotonic() - came_at))
    if answer.done() and not answer.cancelled() and answer.exception() is None:
        return Response()
    # Nobody knows yet what becomes of it, and Slack says so to whoever it was.
    return PlainTextResponse("not done in time", status_code=503)


async def _body(request: Request) -> bytes:
    found = bytearray()
    try:
        async with asyncio.timeout(_READ_WITHIN):
            async for chunk in request.stream():
                found += chunk
                if len(found) > _LARGEST:
                    raise BadInputError(f"over {_LARGEST} bytes")
    except (TimeoutError, ClientDisconnect):
        raise BadInputError("it did not come to an end") from None
    return bytes(found)


def _parts(body: bytes) -> tuple[str, Mapping[str, Any]]:
    """Return what kind of thing Slack sent, and its content."""
    try:
        text = body.decode()
        if text.startswith("{"):
            return "events_api", _mapping(msgspec.json.decode(text))
        form = {name: values[0] for name, values in parse_qs(text, max_num_fields=50).items()}
        if "payload" in form:
            return "interactive", _mapping(msgspec.json.decode(form["payload"]))
    # UnicodeDecodeError is a ValueError.
    except (ValueError, msgspec.DecodeError, RecursionError) as error:
        raise BadInputError("not a form of Slack's") from error
    return "slash_commands", form


def _mapping(found: object) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise BadInputError("not a form of Slack's")
    return cast("dict[str, Any]", found)
