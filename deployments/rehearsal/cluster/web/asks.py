"""One request for a resource, with everything that its handling needs to know."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, cast

import msgspec
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from deployments.rehearsal.cluster.callers import Caller
from deployments.rehearsal.cluster.errors import Cause, bad_request, invalid_options, too_large
from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.shapes import check_shape
from deployments.rehearsal.cluster.verbs import Server
from deployments.rehearsal.cluster.web.bells import Bells
from deployments.rehearsal.cluster.web.negotiation import Form, decoded, form_of
from deployments.rehearsal.cluster.web.pages import Pages
from deployments.rehearsal.cluster.web.paths import Place

BIGGEST_BODY: Final = 3 * 1024 * 1024
_TRUE: Final = frozenset({"true", "1", "t", "T", "TRUE", "True"})
_LONGEST_MANAGER: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """What all requests share."""

    server: Server
    bells: Bells
    pages: Pages


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request, authenticated and allowed."""

    cluster: Cluster
    connection: HTTPConnection
    place: Place
    resource: Resource
    caller: Caller

    @property
    def server(self) -> Server:
        return self.cluster.server

    @property
    def api_version(self) -> str:
        return self.resource.in_version(self.place.version)

    @property
    def scope(self) -> str | None:
        """The namespace, None for all of them."""
        if not self.resource.namespaced:
            return ""
        return self.place.namespace or None

    @property
    def request(self) -> Request:
        if not isinstance(self.connection, Request):
            raise bad_request("this is only to be had over plain HTTP")
        return self.connection

    @property
    def form(self) -> Form:
        return form_of(self.connection.headers.get("accept", ""))

    def query(self, name: str) -> str:
        return self.connection.query_params.get(name, "")

    def flag(self, name: str) -> bool:
        return self.query(name) in _TRUE

    def number(self, name: str) -> int | None:
        text = self.query(name)
        if not text:
            return None
        try:
            return int(text)
        except ValueError as error:
            raise bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from error

    @property
    def is_dry_run(self) -> bool:
        return self.dry_run(self.connection.query_params.getlist("dryRun"))

    def dry_run(self, values: list[str]) -> bool:
        """Say whether these values of dryRun ask for one. Raises ApiError (422) for others."""
        for value in values:
            if value not in {"", "All"}:
                kind = _OPTIONS.get(self.connection.scope.get("method", ""), "CreateOptions")
                raise invalid_options(kind, _dry_run_cause(values))
        return "All" in values

    @property
    def manager(self) -> str:
        """The name under which the fields are kept: the client's own word, or its program's name."""
        agent = self.connection.headers.get("user-agent", "")
        return (self.query("fieldManager") or agent.partition("/")[0] or "unknown")[
            :_LONGEST_MANAGER
        ]

    async def body(self) -> Any:
        """Return the decoded body. Raises ApiError: 413, 415, 400."""
        return self._decoded(await self.content())

    def _decoded(self, content: bytes) -> Any:
        return decoded(content, self.connection.headers.get("content-type", ""))

    async def content(self) -> bytes:
        request = self.request
        length = request.headers.get("content-length", "0")
        if length.isdigit() and int(length) > BIGGEST_BODY:
            raise too_large(BIGGEST_BODY)
        chunks: list[bytes] = []
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > BIGGEST_BODY:
                raise too_large(BIGGEST_BODY)
            chunks.append(chunk)
        return b"".join(chunks)

    async def object(self, *, default: Json | None = None) -> Json:
        """
        Return the body as an object, the default if it is empty.

        Raises ApiError (400), also if something known in it has the wrong type.
        """
        content = await self.content()
        if not content and default is not None:
            return default
        found = self._decoded(content)
        if not isinstance(found, dict):
            raise bad_request("couldn't get version/kind; json parse error: not an object")
        return check_shape(self.resource, cast("Json", found))


def _dry_run_cause(values: list[str]) -> Cause:
    listed = msgspec.json.encode(values).decode()
    text = f'Unsupported value: {listed}: supported values: "All"'
    return Cause("dryRun", text, "FieldValueNotSupported")


_OPTIONS: Final = {
    "POST": "CreateOptions",
    "PUT": "UpdateOptions",
    "PATCH": "PatchOptions",
    "DELETE": "DeleteOptions",
}

Handler = Callable[[Ask], Awaitable[Response]]
