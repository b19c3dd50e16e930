"""
A small API server on loopback: objects in memory, and Kubernetes' answers to changing them.

It keeps what is written under its path, numbers versions, and refuses as the real one does. It
knows no schemas, no defaults and no controllers; what it says to one request can be scripted with
`answer`.
"""

import base64
import itertools
import json
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qs, urlsplit

import kubernetes.client

from tasks.adapters.kubernetes_api import Api
from tasks.adapters.ports import Guard
from tasks.domain.errors import LeaseLostError

Object = dict[str, Any]


class Request(NamedTuple):
    """One request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Object
    content_type: str


class Refusal(Exception):  # noqa: N818 - an answer, not an error of this program
    """A `Status` to answer with."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "code": code,
            "reason": reason,
            "message": message,
        }
        self.code = code


Answer = Callable[[Request], Object]


class ApiServer:
    """What is kept, what was asked, and what to answer out of turn."""

    def __init__(self) -> None:
        self.objects: dict[str, Object] = {}  # by path
        self.requests: list[Request] = []
        self.url = ""
        self._answers: list[tuple[str, str, Answer]] = []
        self._versions = itertools.count(1)
        self._lock = threading.RLock()

    def answer(self, method: str, path_end: str, answer: Answer) -> None:
        """Answer requests whose path ends so by calling `answer`; the newest such rule wins."""
        self._answers.insert(0, (method, path_end, answer))

    def put(self, path: str, obj: Mapping[str, object]) -> Object:
        """Keep an object under its path, as if somebody had written it."""
        with self._lock:
            kept = _copy(dict(obj))
            metadata = cast("Object", kept.setdefault("metadata", {}))
            metadata.setdefault("name", path.rsplit("/", 1)[1])
            metadata.setdefault("uid", f"uid-{path.rsplit('/', 1)[1]}")
            metadata["resourceVersion"] = str(next(self._versions))
            self.objects[path] = kept
            return kept

    def changes(self) -> list[Request]:
        """Return the requests that were not reads."""
        return [request for request in self.requests if request.method != "GET"]

    def respond(self, request: Request) -> Object:
        """Do what a request asks. Raises Refusal."""
        with self._lock:
            self.requests.append(request)
            for method, path_end, answer in self._answers:
                if request.method == method and request.path.endswith(path_end):
                    return answer(request)
            return {
                "GET": self._get,
                "POST": self._post,
                "PUT": self._replace,
                "PATCH": self._patch,
                "DELETE": self._delete,
            }[request.method](request)

    def _get(self, request: Request) -> Object:
        if request.path in self.objects:
            return self.objects[request.path]
        if not _is_collection(request.path):
            raise _not_found(request.path)
        wanted = _selector(request.query.get("labelSelector", ""))
        items = [
            obj
            for path, obj in sorted(self.objects.items())
            if path.rsplit("/", 1)[0] == request.path and _selected(obj, wanted)
        ]
        start = int(request.query.get("continue", "0"))
        end = start + int(request.query.get("limit", "500"))
        more = str(end) if end < len(items) else ""
        return {
            "kind": "List",
            "metadata": {"continue": more, "resourceVersion": "1"},
            "items": items[start:end],
        }

    def _post(self, request: Request) -> Object:
        path = f"{request.path}/{request.body['metadata']['name']}"
        if path in self.objects:
            raise Refusal(409, "AlreadyExists", f'"{path.rsplit("/", 1)[1]}" already exists')
        return request.body if "dryRun" in request.query else self.put(path, request.body)

    def _replace(self, request: Request) -> Object:
        kept = self._kept(request.path)
        _check_version(kept, request.body.get("metadata", {}))
        return self.put(request.path, request.body)

    def _patch(self, request: Request) -> Object:
        kept = self._kept(request.path)
        _check_version(kept, request.body.get("metadata", {}))
        merged = cast("Object", merge(_copy(kept), request.body))
        return kept if merged == kept else self.put(request.path, merged)

    def _delete(self, request: Request) -> Object:
        kept = self._kept(request.path)
        wanted = request.body.get("preconditions", {})
        if wanted.get("uid", kept["metadata"]["uid"]) != kept["metadata"]["uid"]:
            raise Refusal(409, "Conflict", "Precondition failed: UID in precondition: other")
        _check_version(kept, wanted)
        del self.objects[request.path]
        return {"kind": "Status", "status": "Success"}

    def _kept(self, path: str) -> Object:
        if path not in self.objects:
            raise _not_found(path)
        return self.objects[path]


def merge(target: object, patch: object) -> object:
    """Apply a JSON merge patch (RFC 7386)."""
    if not isinstance(patch, dict):
        return patch
    merged: Object = dict(cast("Object", target)) if isinstance(target, dict) else {}
    for key, value in cast("Object", patch).items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def _check_version(kept: Object, wanted: Object) -> None:
    version = kept["metadata"]["resourceVersion"]
    if wanted.get("resourceVersion", version) != version:
        raise Refusal(409, "Conflict", "the object has been modified; please apply your changes")


def _not_found(path: str) -> Refusal:
    return Refusal(404, "NotFound", f'"{path.rsplit("/", 1)[1]}" not found')


def _is_collection(path: str) -> bool:
    # /api/v1/.. and /apis/GROUP/VERSION/.., then perhaps namespaces/NAME, then the plural.
    rest = path.split("/")[3 if path.startswith("/api/") else 4 :]
    return len(rest) in {1, 3}


def _selector(text: str) -> list[tuple[str, str, str]]:
    return [part.partition("=") for part in text.split(",") if part]


def _selected(obj: Object, wanted: list[tuple[str, str, str]]) -> bool:
    labels: Object = obj["metadata"].get("labels") or {}
    return all(
        labels.get(key.removesuffix("!")) != value
        if key.endswith("!")
        else labels.get(key) == value
        for key, _, value in wanted
    )


def _copy(obj: Object) -> Object:
    return cast("Object", json.loads(json.dumps(obj)))


def _handler(server: ApiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _respond(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            url = urlsplit(self.path)
            request = Request(
                self.command,
                url.path,
                {key: values[-1] for key, values in parse_qs(url.query).items()},
                json.loads(self.rfile.read(length) or b"{}"),
                self.headers.get("content-type", ""),
            )
            try:
                self._send(200, server.respond(request))
            except Refusal as refusal:
                self._send(refusal.code, refusal.status)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _respond  # noqa: N815 - http.server's names

        def _send(self, code: int, obj: Object) -> None:
            body = json.dumps(obj).encode()
            self.send_response(code)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Say nothing: tests read `requests`."""

    return Handler


@contextmanager
def serving() -> Generator[ApiServer, None, None]:
    """Run a server for the length of a test."""
    server = ApiServer()
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    http.daemon_threads = True
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


@contextmanager
def connected(server: ApiServer, *, guard: Guard | None = None) -> Generator[Api, None, None]:
    """Connect to a server as the adapters do, and never wait before asking again."""
    client = kubernetes.client.ApiClient(kubernetes.client.Configuration(host=server.url))
    try:
        yield Api(client, guard=guard, pause=lambda _seconds: None)
    finally:
        client.rest_client.pool_manager.clear()


class Stopped:
    """A guard that lets nothing through."""

    def check(self) -> None:
        raise LeaseLostError("another process has the Lease")


def encoded(value: bytes) -> str:
    """Return bytes as Secrets and binaryData hold them."""
    return base64.b64encode(value).decode()
