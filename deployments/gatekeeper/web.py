"""
The gatekeeper's pages.

Whether it is well, what it has counted, and, with HTTP instead of a socket, where Slack sends what
people do.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, cast
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from deployments.gatekeeper.metrics import Metrics
from deployments.gatekeeper.receiving import Receiver
from tasks.domain.errors import BadInputError, RefusedError

# Slack's largest payloads are modals, of some ten thousand bytes.
_LARGEST: Final = 1_000_000

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
        answer = receiver.receive(kind, payload)
        return JSONResponse(answer) if answer else Response()

    return take


async def _body(request: Request) -> bytes:
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > _LARGEST:
            raise BadInputError(f"over {_LARGEST} bytes")
    return bytes(found)


def _parts(body: bytes) -> tuple[str, Mapping[str, Any]]:
    """Return what kind of thing Slack sent, and its content."""
    try:
        text = body.decode()
        if text.startswith("{"):
            return "events_api", _mapping(json.loads(text))
        form = {name: values[0] for name, values in parse_qs(text, max_num_fields=50).items()}
        if "payload" in form:
            return "interactive", _mapping(json.loads(form["payload"]))
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is one of the former
        raise BadInputError("not a form of Slack's") from error
    return "slash_commands", form


def _mapping(found: object) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise BadInputError("not a form of Slack's")
    return cast("dict[str, Any]", found)
