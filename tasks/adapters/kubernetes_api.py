"""
The Kubernetes API server, as raw JSON.

The official client authenticates and keeps the connections; what is asked and how an answer is read
is ours, because its models cost ten times the time and memory. Nothing here knows what the JSON
means. Safe to use from many threads.
"""

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, Generic, Literal, Self, TypeVar, cast
from urllib.parse import urlencode

import kubernetes.client
import msgspec
import urllib3
import urllib3.exceptions

from tasks.adapters.kubernetes_errors import (
    AlreadyExists,
    Busy,
    Conflict,
    Cut,
    Expired,
    Forbidden,
    Late,
    Missing,
    ServerFailure,
    Unreachable,
    breakdown,
    is_told_to_wait,
    may_heal,
    refusal,
    waiting_time,
)
from tasks.adapters.kubernetes_login import configuration
from tasks.adapters.kubernetes_names import checked_path, segment
from tasks.adapters.kubernetes_objects import MERGE_PATCH
from tasks.adapters.kubernetes_stream import Lines
from tasks.adapters.ports import Guard
from tasks.domain.errors import RefusedError, UpgradeError

__all__ = [
    "AlreadyExists",
    "Api",
    "Busy",
    "Conflict",
    "Expired",
    "Forbidden",
    "Late",
    "Missing",
    "Page",
    "ServerFailure",
    "Unreachable",
    "decoded",
    "segment",
]

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Item = TypeVar("Item")
_NOTHING: Final[Mapping[str, str]] = {}
_PAGE: Final = "500"
_TRIES: Final = 6  # so a bad quarter of a minute goes unnoticed, and a task sees what is worse
_CONNECT: Final = 5.0
_WATCH_MARGIN: Final = 15.0
_READ: Final = 40.0  # an admission webhook may take 30 s of it


class ListMeta(msgspec.Struct, frozen=True):
    """What a list says of itself."""

    continue_: str = msgspec.field(default="", name="continue")
    resource_version: str = msgspec.field(default="", name="resourceVersion")


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """One page of a list. Ask for `msgspec.json.Decoder(Page[Pod])`."""

    metadata: ListMeta = ListMeta()
    items: tuple[Item, ...] | None = None


class _Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request, as often as it is sent."""

    method: Method
    path: str
    query: Mapping[str, str] = _NOTHING
    body: bytes | None = None
    content_type: str | None = None
    is_question: bool = False
    read_timeout: float = _READ

    @property
    def is_repeatable(self) -> bool:
        """Whether to send it twice does no more than to send it once, so that no answer is missed."""
        return self.method == "GET" or self.is_question or self.content_type == MERGE_PATCH

    @property
    def target(self) -> str:
        return checked_path(self.path) + (f"?{urlencode(self.query)}" if self.query else "")

    def is_worth_repeating(self, code: int, body: bytes) -> bool:
        return may_heal(code, body) if self.is_repeatable else is_told_to_wait(code)

    def refused(self, code: int, body: bytes) -> UpgradeError:
        return refusal(code, method=self.method, path=self.path, body=body)


class Api:
    """The API server, as raw JSON."""

    def __init__(
        self,
        client: kubernetes.client.ApiClient,
        *,
        guard: Guard | None = None,
        pause: Callable[[float], object] | None = None,
    ) -> None:
        self._client = client
        self._configuration = cast(
            "kubernetes.client.Configuration",
            client.configuration,  # pyright: ignore[reportUnknownMemberType]  # half typed
        )
        self._guard = guard
        self._pause = pause or threading.Event().wait
        self._lock = threading.Lock()
        self._server_time: datetime | None = None

    @classmethod
    def connect(
        cls,
        *,
        kubeconfig: str | None = None,
        context: str | None = None,
        guard: Guard | None = None,
    ) -> Self:
        """Find the API server. Raises BadInputError for a missing kubeconfig or context."""
        made = configuration(kubeconfig=kubeconfig, context=context)
        return cls(kubernetes.client.ApiClient(made), guard=guard)

    @property
    def client(self) -> kubernetes.client.ApiClient:
        """The official client, for what only it can do."""
        return self._client

    def new_client(self) -> kubernetes.client.ApiClient:
        """Return another such client: port-forwarding patches the one that it is given."""
        return kubernetes.client.ApiClient(self._configuration)

    @property
    def host(self) -> str:
        """The API server's URL."""
        return str(self._configuration.host)  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType]

    @property
    def server_time(self) -> datetime:
        """The newest time that the API server told us, in UTC, to the second."""
        with self._lock:
            if self._server_time is None:
                raise RefusedError(
                    "the API server's answers carry no Date header, so its time is unknown"
                )
            return self._server_time

    def get(self, path: str, query: Mapping[str, str] = _NOTHING) -> bytes:
        """Return what is at a path. Raises Missing for 404."""
        return self._answer(_Request(method="GET", path=path, query=query))

    def get_or_none(self, path: str, query: Mapping[str, str] = _NOTHING) -> bytes | None:
        """Return what is at a path, None for 404."""
        try:
            return self.get(path, query)
        except Missing:
            return None

    def pages(
        self, path: str, query: Mapping[str, str], decoder: "msgspec.json.Decoder[Page[Item]]"
    ) -> Sequence[Page[Item]]:
        """
        Return a whole list, 500 objects a page, each decoded before the next is asked for.

        A list that grows too old while it is read is begun again, once; then Expired is raised.
        """
        try:
            return list(self._pages(path, query, decoder))
        except Expired:
            return list(self._pages(path, query, decoder))

    def items(self, path: str, query: Mapping[str, str], kind: type[Item]) -> list[Item]:
        """Return all objects of a list, decoded into a struct."""
        decoder = msgspec.json.Decoder(Page[kind])  # type: ignore[valid-type]  # built at run time
        return [item for page in self.pages(path, query, decoder) for item in page.items or ()]

    def ask(self, path: str, body: bytes, query: Mapping[str, str] = _NOTHING) -> bytes:
        """Put a question that has a body, a review or a dry run: it changes nothing, as a read."""
        return self._answer(
            _Request(
                method="POST",
                path=path,
                query=query,
                body=body,
                content_type="application/json",
                is_question=True,
            )
        )

    def write(
        self,
        method: Literal["POST", "PUT", "PATCH", "DELETE"],
        path: str,
        body: bytes | None,
        *,
        content_type: str = "application/json",
        query: Mapping[str, str] = _NOTHING,
        checks_guard: bool = True,
    ) -> bytes:
        """
        Change something, after asking the guard; only the Lease itself is changed without.

        A merge patch is repeated as a read is, for twice the same is the same. What else may have been done
        is not done again: the caller looks first.
        """
        request = _Request(
            method=method, path=path, query=query, body=body, content_type=content_type
        )
        guard = self._guard if checks_guard else None
        return self._answer(request, guard=guard)

    @contextmanager
    def stream(
        self, path: str, query: Mapping[str, str], *, timeout_seconds: int
    ) -> Generator[Lines]:
        """Watch, a JSON line at a time, until the server's timeout or somebody's `stop`."""
        timed = {**query, "timeoutSeconds": str(timeout_seconds)}
        request = _Request(
            method="GET", path=path, query=timed, read_timeout=timeout_seconds + _WATCH_MARGIN
        )
        response = self._send(request)
        try:
            if response.status >= HTTPStatus.MULTIPLE_CHOICES:
                raise request.refused(response.status, self._body(response))
            yield Lines(response, host=self.host)
        finally:
            response.close()

    def _pages(
        self, path: str, query: Mapping[str, str], decoder: "msgspec.json.Decoder[Page[Item]]"
    ) -> Iterator[Page[Item]]:
        asked = {**query, "limit": _PAGE}
        while True:
            page = decoded(self.get(path, asked), decoder, path=path)
            yield page
            if not page.metadata.continue_:
                return
            asked["continue"] = page.metadata.continue_

    def _answer(self, request: _Request, *, guard: Guard | None = None) -> bytes:
        attempt = 0
        while True:
            if guard is not None:
                guard.check()
            attempt += 1
            try:
                response = self._send(request)
                received = self._body(response)
            except Cut:
                if attempt == _TRIES or not request.is_repeatable:
                    raise
                # The first is most likely a kept connection, which the server had enough of.
                self._pause(waiting_time({}, attempt=attempt) if attempt > 1 else 0.0)
                continue
            if response.status < HTTPStatus.MULTIPLE_CHOICES:
                return received
            if attempt == _TRIES or not request.is_worth_repeating(response.status, received):
                raise request.refused(response.status, received)
            self._pause(waiting_time(response.headers, attempt=attempt))

    def _send(self, request: _Request) -> urllib3.BaseHTTPResponse:
        try:
            response = self._client.rest_client.pool_manager.request(
                request.method,
                f"{self.host}{request.target}",
                body=request.body,
                headers=self._headers(request.content_type),
                preload_content=False,
                retries=False,
                timeout=urllib3.Timeout(connect=_CONNECT, read=request.read_timeout),
            )
        except urllib3.exceptions.HTTPError as error:
            raise breakdown(error, host=self.host) from error
        self._note_time(response.headers.get("Date"))
        return response

    def _body(self, response: urllib3.BaseHTTPResponse) -> bytes:
        try:
            return response.data
        except urllib3.exceptions.HTTPError as error:
            raise breakdown(error, host=self.host) from error

    def _headers(self, content_type: str | None) -> dict[str, str]:
        headers = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "User-Agent": "istio-canary",
        }
        if content_type is not None:
            headers["Content-Type"] = content_type
        # The client may read a fresh token here, and does not expect two threads at it.
        with self._lock:
            self._client.update_params_for_auth(  # pyright: ignore[reportUnknownMemberType]
                headers, [], ["BearerToken"], "", "", None
            )
        return headers

    def _note_time(self, date: str | None) -> None:
        try:
            told = parsedate_to_datetime(date or "").astimezone(UTC)
        except ValueError:
            return
        with self._lock:
            self._server_time = max(told, self._server_time or told)


def decoded(body: bytes, decoder: "msgspec.json.Decoder[Item]", *, path: str) -> Item:
    """Return an answer as a struct. Raises RefusedError if it is not of that shape."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise RefusedError(
            f"the API server's answer to GET {path} is not of a shape that we know"
        ) from error
