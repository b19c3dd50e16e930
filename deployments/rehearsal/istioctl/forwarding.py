"""
HTTP to a port of a pod, through the API server: a WebSocket of two channels, and HTTP inside.

This is the port-forward of `v4.channel.k8s.io`: the first byte of each message is its channel,
0 for data and 1 for errors, and the first message of each only repeats the port.

One thread does it all: the library's client with threads reads and writes a TLS connection at the
same time, which loses an answer now and then.
"""

import asyncio
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.typing import Subprotocol

from deployments.rehearsal.istioctl.errors import CommandError

_CHANNELS: Final = Subprotocol("v4.channel.k8s.io")
_DATA, _ERROR = 0, 1
_PORT_BYTES: Final = 2
_OK: Final = b"200"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where to connect, and as whom."""

    address: str  # of the pod's portforward, with its ports
    tls: ssl.SSLContext | None
    authorization: str
    user_agent: str


def fetch(route: Route, *, port: int, path: str, timeout: float) -> bytes:
    """Return the body of a GET. Raises CommandError for anything but a 200."""
    request = (
        f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n"
        f"User-Agent: {route.user_agent}\r\nConnection: close\r\n\r\n"
    )
    try:
        with asyncio.Runner() as runner:
            socket = runner.run(_opened(route, timeout))
            try:
                runner.run(socket.send(bytes([_DATA]) + request.encode()))
                return body_of(_received(runner, socket, timeout))
            finally:
                runner.run(socket.close())
    except (OSError, WebSocketException, EOFError, ValueError) as error:
        raise CommandError(f"failure running port forward process: {error}") from error


async def _opened(route: Route, patience: float) -> ClientConnection:
    headers = {"Authorization": route.authorization} if route.authorization else {}
    return await connect(
        route.address,
        ssl=route.tls,
        subprotocols=[_CHANNELS],
        additional_headers=headers,
        user_agent_header=route.user_agent,
        open_timeout=patience,
        max_size=None,
        compression=None,
        proxy=None,
    )


def _received(runner: asyncio.Runner, socket: ClientConnection, timeout: float) -> Iterator[bytes]:
    """Yield what the pod sends. Raises EOFError with what the error channel says."""
    skipped = {_DATA: _PORT_BYTES, _ERROR: _PORT_BYTES}
    while True:
        try:
            message = runner.run(asyncio.wait_for(socket.recv(), timeout))
        except ConnectionClosed:
            return
        content = message.encode() if isinstance(message, str) else message
        channel, content = content[0], content[1:]
        skip = min(skipped[channel], len(content))
        skipped[channel] -= skip
        if channel == _ERROR and content[skip:]:
            raise EOFError(content[skip:].decode(errors="replace"))
        if content[skip:]:
            yield content[skip:]


def body_of(chunks: Iterator[bytes]) -> bytes:
    """Read one HTTP response: by its length, by chunks, or to the end of the stream."""
    data = bytearray()
    while b"\r\n\r\n" not in data:
        data += _next(chunks)
    head, _, rest = bytes(data).partition(b"\r\n\r\n")
    status_line, *lines = head.split(b"\r\n")
    headers = dict(line.lower().split(b":", 1) for line in lines)
    content = bytearray(rest)
    if headers.get(b"transfer-encoding", b"").strip() == b"chunked":
        while not content.endswith(b"0\r\n\r\n"):
            content += _next(chunks)
        body = _joined(bytes(content))
    else:
        length = int(headers.get(b"content-length", b"0"))
        while len(content) < length:
            content += _next(chunks)
        body = bytes(content)
    if _OK not in status_line.split():
        raise ValueError(f"{status_line.decode()}: {body[:200].decode(errors='replace')}")
    return body


def _next(chunks: Iterator[bytes]) -> bytes:
    chunk = next(chunks, None)
    if chunk is None:
        raise EOFError("the connection was closed before the answer was complete")
    return chunk


def _joined(content: bytes) -> bytes:
    parts: list[bytes] = []
    while content:
        size, _, content = content.partition(b"\r\n")
        length = int(size.split(b";")[0], 16)
        if length == 0:
            break
        parts.append(content[:length])
        content = content[length + 2 :]
    return b"".join(parts)
