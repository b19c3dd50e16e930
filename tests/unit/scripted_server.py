"""
An HTTP server on loopback that answers as a test says, byte for byte, watches included.

For what a well-behaved API server seldom does: pages that expire, watches that break, answers that
are no JSON.
"""

import queue
import socket
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl, urlsplit

import kubernetes.client
import msgspec

from tasks.adapters.kubernetes_api import Api
from tasks.adapters.ports import Guard


class Asked(NamedTuple):
    """One request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes
    headers: Mapping[str, str]

    @property
    def is_watch(self) -> bool:
        return self.query.get("watch") == "true"


class Stream:
    """A watch's answer: lines as they come, an end, or a cut in the middle of one."""

    END = b"END"
    CUT = b"CUT"

    def __init__(self) -> None:
        self.lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def send(self, kind: str, obj: object) -> None:
        self.lines.put(msgspec.json.encode({"type": kind, "object": obj}) + b"\n")

    def end(self) -> None:
        self.lines.put(self.END)

    def cut(self) -> None:
        self.lines.put(self.CUT)


class Reply(NamedTuple):
    """What to answer: a body, a stream, or nothing at all."""

    code: int = 200
    body: bytes = b"{}"
    headers: Mapping[str, str] = {}
    stream: Stream | None = None
    hangs_up: bool = False


Script = Callable[[Asked], Reply]


def json(obj: object, *, code: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
    """Answer with JSON."""
    return Reply(code, msgspec.json.encode(obj), headers or {})


def refused(code: int, reason: str, message: str, *, retry_after: str | None = None) -> Reply:
    """Answer with a Status."""
    status = {"kind": "Status", "code": code, "reason": reason, "message": message}
    return json(status, code=code, headers={"Retry-After": retry_after} if retry_after else {})


def listed(*items: object, version: str = "1", more: str = "") -> Reply:
    """Answer with a list, or a page of one."""
    metadata = {"resourceVersion": version} | ({"continue": more} if more else {})
    return json({"kind": "List", "metadata": metadata, "items": list(items)})


class ScriptedServer:
    """Answers by its script, and remembers what was asked."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.url = ""
        self.is_over = threading.Event()

    def of(self, path: str) -> list[Asked]:
        """Return the requests for one path."""
        return [one for one in self.asked if one.path == path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def _scripted(self) -> ScriptedServer:
        return cast("_Http", self.server).scripted

    def _respond(self) -> None:
        url = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        asked = Asked(self.command, url.path, dict(parse_qsl(url.query)), body, dict(self.headers))
        self._scripted.asked.append(asked)
        reply = self._scripted.script(asked)
        if reply.hangs_up:
            self._hang_up()
        elif reply.stream is not None:
            self._stream(reply.stream)
        else:
            self._send(reply)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _respond  # noqa: N815 - http.server's names

    def _send(self, reply: Reply) -> None:
        self.send_response_only(reply.code)
        own = {"Date": self.date_time_string(), "Content-Length": str(len(reply.body))}
        for name, value in {**own, **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    def _stream(self, stream: Stream) -> None:
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        while not self._scripted.is_over.is_set():
            try:
                line = stream.lines.get(timeout=0.05)
            except queue.Empty:
                continue
            if line == Stream.CUT:
                return self._hang_up()
            if line == Stream.END:
                self.wfile.write(b"0\r\n\r\n")
                return None
            self.wfile.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        return self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing: tests read `asked`."""


class _Http(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, scripted: ScriptedServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.scripted = scripted

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - its base's
        """Say nothing: clients of these tests hang up."""


@contextmanager
def serving(script: Script) -> Generator[ScriptedServer]:
    """Run a server for the length of a test."""
    server = ScriptedServer(script)
    http = _Http(server)
    server.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.is_over.set()
        http.shutdown()
        thread.join()
        http.server_close()


class Pauses:
    """Records how long the client would have waited, and does not wait."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


@contextmanager
def connected(
    url: str, *, guard: Guard | None = None, pause: Callable[[float], object] | None = None
) -> Generator[Api]:
    """Connect as the product does."""
    client = kubernetes.client.ApiClient(kubernetes.client.Configuration(host=url))
    try:
        yield Api(client, guard=guard, pause=pause or Pauses())
    finally:
        client.rest_client.pool_manager.clear()
