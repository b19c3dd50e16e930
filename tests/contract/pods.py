"""Talks to pods as programs do: port-forwards, exec, the API server's proxy."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import h11

from tests.contract.client import Client, Socket

_FORWARD: Final = "v4.channel.k8s.io"
_EXEC: Final = "v5.channel.k8s.io"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What a pod answered over a port-forward; a port that is closed answers with an error."""

    code: int = 0
    body: bytes = b""
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a command in a pod ended."""

    out: bytes
    err: bytes
    status: Mapping[str, object]


def forwarded(client: Client, namespace: str, pod: str, port: int, path: str) -> Reply:
    """Ask a pod over a port-forward of its own."""
    where = f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward"
    with client.websocket(where, _FORWARD, [("ports", str(port))]) as websocket:
        return _Forward(websocket).get(path)


class _Forward:
    """One port: channel 0 carries bytes, channel 1 an error; both begin with the port's number."""

    def __init__(self, websocket: Socket) -> None:
        self._websocket = websocket
        self._skip = {0: 2, 1: 2}
        self._http = h11.Connection(h11.CLIENT)

    def get(self, path: str) -> Reply:
        request = h11.Request(method="GET", target=path, headers=[("Host", "localhost")])
        self._send(self._http.send(request) or b"")
        self._send(self._http.send(h11.EndOfMessage()) or b"")
        code, body = 0, b""
        while True:
            match self._http.next_event():
                case h11.Response(status_code=code):
                    pass
                case h11.Data(data=data):
                    body += bytes(data)
                case h11.EndOfMessage():
                    return Reply(code=code, body=body)
                case _:
                    if error := self._receive():
                        return Reply(error=error)

    def _send(self, data: bytes) -> None:
        if data:
            self._websocket.send(b"\0" + data)

    def _receive(self) -> str:
        """Take one message: bytes for HTTP, or the text of an error."""
        message = self._websocket.receive()
        if not message:
            return "closed"
        channel, data = message[0], message[1:]
        skipped = min(self._skip[channel], len(data))
        self._skip[channel] -= skipped
        data = data[skipped:]
        if channel == 1:
            return data.decode()
        if data:
            self._http.receive_data(data)
        return ""


def executed(client: Client, namespace: str, pod: str, *command: str, container: str = "") -> Ended:
    """Run a command in a pod."""
    query = [("command", word) for word in command]
    query += [("stdout", "true"), ("stderr", "true")]
    query += [("container", container)] if container else []
    where = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec"
    outputs = {1: b"", 2: b"", 3: b""}
    with client.websocket(where, _EXEC, query) as websocket:
        while message := websocket.receive():
            outputs[message[0]] += message[1:]
    return Ended(out=outputs[1], err=outputs[2], status=json.loads(outputs[3] or b"{}"))
