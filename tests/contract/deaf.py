"""An API that overhears parts of what it is asked, and keeps parts of its answers to itself."""

import json
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATH: Final = "/lacking"
_QUERY: Final = "query:"
_WITHIN: Final = "/namespaces/"
_CREATED: Final = 201
_REFUSED: Final = 400
_DONE: Final = {"kind": "Status", "apiVersion": "v1", "status": "Success"}


class Deaf:
    """Stands around an API. What it does without is told by `PUT /lacking`, as a list of names."""

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
        elif "making" in self._parts and scope["method"] == "POST" and _is_within(scope):
            body = json.loads(await Request(scope, receive).body())
            await JSONResponse(body, status_code=_CREATED)(scope, receive, send)
        elif self._parts & _names(scope):
            await JSONResponse(_DONE)(scope, receive, send)
        else:
            said = _Silenced(send).send if "texts" in self._parts else send
            await self._api(self._heard(scope), receive, said)

    def _heard(self, scope: Scope) -> Scope:
        """Return what is left of a request."""
        pairs = parse_qsl(scope["query_string"].decode(), keep_blank_values=True)
        kept = [pair for pair in pairs if _QUERY + pair[0] not in self._parts]
        if "memory" in self._parts and scope["method"] != "GET" and _is_within(scope):
            kept.append(("dryRun", "All"))
        headers = scope["headers"]
        if "forms" in self._parts:
            headers = [header for header in headers if header[0] != b"accept"]
        return {**scope, "query_string": urlencode(kept).encode(), "headers": headers}


class _Silenced:
    """Passes answers on, and refusals without their words."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= _REFUSED:
            self._start = message
        elif self._start:
            status = json.loads(message["body"]) | {"message": "", "reason": "", "details": {}}
            answer = JSONResponse(status, status_code=self._start["status"])
            await self._send({**self._start, "headers": answer.raw_headers})
            await self._send({**message, "body": answer.body})
        else:
            await self._send(message)


def _is_within(scope: Scope) -> bool:
    """Say whether a request is about something in a namespace."""
    return "/" in str(scope["path"]).partition(_WITHIN)[2]


def _names(scope: Scope) -> set[str]:
    """Return what a request may be called: by its method, and each word of its path."""
    method = str(scope["method"])
    return {f"{method} {word}" for word in str(scope["path"]).split("/")}
