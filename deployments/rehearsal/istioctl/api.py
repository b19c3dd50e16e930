"""
A small client of the Kubernetes API: one kept connection, JSON in and out.

It uses the standard library, since istioctl is started hundreds of times and an HTTP library takes
longer to load than most commands to run.
"""

import http.client
import json
import ssl
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, Self, cast
from urllib.parse import urlencode, urlsplit

from deployments.rehearsal.istioctl.errors import ApiError, CommandError
from deployments.rehearsal.istioctl.kubeconfig import Access
from deployments.rehearsal.istioctl.paths import path_of_object

Json = dict[str, Any]
Query = Mapping[str, str]

_APPLY: Final = "application/apply-patch+yaml"
_TIMEOUT: Final = 60.0
_PAGE: Final = "500"
_AS_PROXY: Final = "xds-"  # before the agent's name: the rehearsal's istiods know it
_REFUSED: Final = 300  # and all above: nobody redirects a client of Kubernetes


class Api:
    """One cluster's API server. Raises ApiError for refusals, CommandError where nobody answers."""

    def __init__(self, access: Access, *, user_agent: str) -> None:
        self._access = access
        self._headers = {"Accept": "application/json", "User-Agent": user_agent}
        if access.token:
            self._headers["Authorization"] = f"Bearer {access.token}"
        self._context = _tls(access) if access.server.startswith("https:") else None
        self._connection: http.client.HTTPConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> Literal[False]:
        self._drop()
        return False

    @property
    def namespace(self) -> str:
        return self._access.namespace

    def get(self, path: str, **query: str) -> Json:
        return self._ask("GET", path, query=query)

    def get_or_none(self, path: str) -> Json | None:
        try:
            return self.get(path)
        except ApiError as error:
            if error.is_missing:
                return None
            raise

    def items(self, path: str, **query: str) -> Iterator[Json]:
        """Yield a list's objects, page by page; a kind that the cluster does not have has none."""
        query = {"limit": _PAGE, **query}
        while True:
            try:
                page = self.get(path, **query)
            except ApiError as error:
                if error.is_missing:
                    return
                raise
            kind = page["kind"].removesuffix("List")
            for item in page.get("items") or ():
                yield {"apiVersion": page["apiVersion"], "kind": kind, **item}
            query["continue"] = page.get("metadata", {}).get("continue") or ""
            if not query["continue"]:
                return

    def apply(self, obj: Json, *, manager: str) -> Json:
        """Apply on the server, taking every field from whoever had it."""
        query = {"fieldManager": manager, "force": "true"}
        return self._ask("PATCH", path_of_object(obj), query=query, body=obj, content_type=_APPLY)

    def create(self, path: str, obj: Json) -> Json:
        return self._ask("POST", path, body=obj)

    def update(self, obj: Json) -> Json:
        return self._ask("PUT", path_of_object(obj), body=obj)

    def delete(self, obj: Json, *, propagation: str = "") -> None:
        options = {"kind": "DeleteOptions", "apiVersion": "v1"}
        if propagation:
            options["propagationPolicy"] = propagation
        self._ask("DELETE", path_of_object(obj), body=options)

    def fetch(
        self, pod: Json, *, port: int, path: str, timeout: float, as_proxy: bool = False
    ) -> bytes:
        """Return the body of a GET to a pod, by way of a port-forward."""
        # Only few commands ask pods, and WebSockets are a lot to load.
        from deployments.rehearsal.istioctl import forwarding  # noqa: PLC0415

        agent = self._headers["User-Agent"]
        address = f"{self._access.server}{path_of_object(pod)}/portforward?ports={port}"
        route = forwarding.Route(
            address=address.replace("http", "ws", 1),
            tls=self._context,
            authorization=self._headers.get("Authorization", ""),
            user_agent=f"{_AS_PROXY}{agent}" if as_proxy else agent,
        )
        return forwarding.fetch(route, port=port, path=path, timeout=timeout)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: Json | None = None,
        content_type: str = "application/json",
    ) -> Json:
        target = f"{urlsplit(self._access.server).path}{path}"
        if query:
            target += f"?{urlencode(query)}"
        headers = dict(self._headers)
        content = None
        if body is not None:
            content = json.dumps(body).encode()
            headers["Content-Type"] = content_type
        status, answer = self._send(method, target, content, headers)
        if status >= _REFUSED:
            raise ApiError(_message(answer, status), status=status)
        found: Json = json.loads(answer) if answer else {}
        return found

    def _send(
        self, method: str, target: str, content: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        is_kept = self._connection is not None
        try:
            return self._exchange(method, target, content, headers)
        except (OSError, http.client.HTTPException) as error:
            self._drop()
            # The server may close a connection that was idle; that says nothing of the request.
            if is_kept and isinstance(error, ConnectionError):
                return self._send(method, target, content, headers)
            raise CommandError(
                f"the server {self._access.server} could not be reached: {error}"
            ) from error

    def _exchange(
        self, method: str, target: str, content: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        if self._connection is None:
            self._connection = self._connected()
        self._connection.request(method, target, body=content, headers=dict(headers))
        response = self._connection.getresponse()
        return response.status, response.read()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _connected(self) -> http.client.HTTPConnection:
        parts = urlsplit(self._access.server)
        host = parts.hostname or "localhost"
        if self._context is None:
            return http.client.HTTPConnection(host, parts.port or 80, timeout=_TIMEOUT)
        return http.client.HTTPSConnection(
            host, parts.port or 443, timeout=_TIMEOUT, context=self._context
        )


def _message(answer: bytes, status: int) -> str:
    try:
        said = json.loads(answer)
    except ValueError:
        return answer.decode(errors="replace").strip() or f"the server answered {status}"
    message = cast("Json", said).get("message") if isinstance(said, dict) else None
    return str(message or f"the server answered {status}")


def _tls(access: Access) -> ssl.SSLContext:
    context = ssl.create_default_context(
        cadata=access.authority.decode() if access.authority else None
    )
    if access.is_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if access.certificate and access.key:
        # The library reads these from files only.
        with tempfile.NamedTemporaryFile() as file:
            file.write(access.certificate + b"\n" + access.key)
            file.flush()
            context.load_cert_chain(file.name)
    return context
