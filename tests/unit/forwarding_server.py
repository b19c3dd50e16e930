"""
An API server on loopback that forwards ports, frame by frame as a test says.

The WebSocket protocol is written out here: what is tested is how frames are read, not a library.
"""

import base64
import contextlib
import hashlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from enum import Enum
from typing import Final, NamedTuple

import kubernetes.client

PORT: Final = struct.pack("<H", 15014)  # with which each channel begins
_MAGIC: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_BINARY: Final = 0x82
_CLOSE: Final = 0x88


class End(Enum):
    """What happens after the last frame."""

    FAREWELL = "a close frame"
    HANG_UP = "the connection breaks"
    SILENCE = "nothing"


class Forward(NamedTuple):
    """How one port-forward goes."""

    status: int = 101
    messages: tuple[bytes, ...] = ()  # each with its channel in front
    end: End = End.SILENCE


def data(*parts: bytes) -> tuple[bytes, ...]:
    """Both channels' beginnings, then bytes from the pod."""
    return (b"\0" + PORT, b"\1" + PORT, *(b"\0" + part for part in parts))


def answer(body: bytes, *, status: str = "200 OK") -> bytes:
    """Return what an istiod answers."""
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


class ForwardingServer:
    """Handles every connection the same way, and remembers what it was asked."""

    def __init__(
        self, forward: Forward, listener: socket.socket, tls: ssl.SSLContext | None
    ) -> None:
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{listener.getsockname()[1]}"
        self._tls = tls
        self.upgrades: list[bytes] = []
        self.sent: list[bytes] = []  # to the pod, with the channel in front
        self._forward = forward
        self._listener = listener
        self.is_over = threading.Event()

    def serve(self) -> None:
        while not self.is_over.is_set():
            try:
                connection, _ = self._listener.accept()
            except TimeoutError:
                continue
            connection.settimeout(5)
            # A client that does not like our certificate, or we its, goes away.
            with connection, contextlib.suppress(OSError):
                if self._tls is None:
                    self._handle(connection)
                else:
                    with self._tls.wrap_socket(connection, server_side=True) as secured:
                        self._handle(secured)

    def _handle(self, connection: socket.socket) -> None:
        asked = b""
        while not asked.endswith(b"\r\n\r\n"):
            asked += connection.recv(4096)
        self.upgrades.append(asked)
        if self._forward.status != 101:
            refusal = f"HTTP/1.1 {self._forward.status} No\r\nContent-Length: 0\r\n\r\n"
            connection.sendall(refusal.encode())
            return
        connection.sendall(_handshake(asked))
        with connection.makefile("rb") as stream:
            self.sent.append(_read_frame(stream.read))
        for message in self._forward.messages:
            connection.sendall(_frame(_BINARY, message))
        if self._forward.end is End.FAREWELL:
            connection.sendall(_frame(_CLOSE, struct.pack(">H", 1000)))
        if self._forward.end is not End.HANG_UP:
            self.is_over.wait()

    def client(self) -> kubernetes.client.ApiClient:
        """Return a client for this server, with a token."""
        settings = kubernetes.client.Configuration(host=self.url)
        settings.api_key["BearerToken"] = "Bearer abc"
        return kubernetes.client.ApiClient(settings)


def _handshake(asked: bytes) -> bytes:
    lines = dict(line.split(b": ", 1) for line in asked.split(b"\r\n")[1:] if b": " in line)
    key = next(value for name, value in lines.items() if name.lower() == b"sec-websocket-key")
    accept = base64.b64encode(hashlib.sha1(key + _MAGIC, usedforsecurity=False).digest())
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Protocol: v4.channel.k8s.io\r\nSec-WebSocket-Accept: " + accept
    ) + b"\r\n\r\n"


def _frame(kind: int, payload: bytes) -> bytes:
    size = len(payload)
    length = bytes([size]) if size < 126 else b"\x7e" + struct.pack(">H", size)
    return bytes([kind]) + length + payload


def _read_frame(read: Callable[[int], bytes]) -> bytes:
    _, length = read(2)
    size = length & 0x7F
    if size == 126:
        (size,) = struct.unpack(">H", read(2))
    mask = read(4)
    return bytes(byte ^ mask[index % 4] for index, byte in enumerate(read(size)))


@contextmanager
def forwarding(
    forward: Forward, *, tls: ssl.SSLContext | None = None
) -> Generator[ForwardingServer]:
    """Run such a server for the length of a test."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        server = ForwardingServer(forward, listener, tls)
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            yield server
        finally:
            server.is_over.set()
            thread.join()
