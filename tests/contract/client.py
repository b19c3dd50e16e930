"""
The API of a cluster as raw JSON over HTTPS, for checks that need nothing installed.

No client library stands between a check and the wire: what a check says was asked, was asked.
"""

import asyncio
import base64
import json
import ssl
import tempfile
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx
import yaml
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

Json = dict[str, Any]

_TIMEOUT: Final = 20
JSON: Final = "application/json"
JSON_PATCH: Final = "application/json-patch+json"
MERGE: Final = "application/merge-patch+json"
STRATEGIC: Final = "application/strategic-merge-patch+json"
APPLY: Final = "application/apply-patch+yaml"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the API server answered, a Status or an object or a list."""

    code: int
    body: Json
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))

    @property
    def reason(self) -> str:
        return str(self.body.get("reason", ""))

    @property
    def said(self) -> tuple[int, str, str]:
        """What a Status says: code, reason, message."""
        return self.code, self.reason, self.message

    @property
    def items(self) -> list[Json]:
        found: list[Json] = self.body["items"]
        return found

    @property
    def object(self) -> Json:
        """The object of a request that has to succeed."""
        assert self.code < 300, self.body
        return self.body


@dataclass(frozen=True, kw_only=True)
class Login:
    """Where a kubeconfig leads, and who one is there."""

    server: str
    tls: ssl.SSLContext
    token: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    @classmethod
    def read(cls, path: Path) -> "Login":
        content = yaml.safe_load(path.read_text())
        named = {one["name"]: one["context"] for one in content["contexts"]}
        context = named[content["current-context"]]
        cluster = _named(content["clusters"], context["cluster"])["cluster"]
        user = _named(content["users"], context["user"])["user"]
        return cls(server=cluster["server"], tls=_tls(cluster, user), token=user.get("token", ""))


def _named(found: Sequence[Json], name: str) -> Json:
    return next(one for one in found if one["name"] == name)


def _tls(cluster: Json, user: Json) -> ssl.SSLContext:
    authority = base64.b64decode(cluster.get("certificate-authority-data", ""))
    context = ssl.create_default_context(cadata=authority.decode() or None)
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if "client-certificate-data" in user:
        with tempfile.TemporaryDirectory() as folder:
            certificate, key = Path(folder, "crt"), Path(folder, "key")
            certificate.write_bytes(base64.b64decode(user["client-certificate-data"]))
            key.write_bytes(base64.b64decode(user["client-key-data"]))
            context.load_cert_chain(certificate, key)
    return context


class Client:
    """Asks the API server."""

    def __init__(self, login: Login, *, watch_seconds: int = 10) -> None:
        self.login = login
        self._watch_seconds = watch_seconds
        self._http = httpx.Client(
            base_url=login.server, verify=login.tls, headers=login.headers, timeout=40
        )

    def close(self) -> None:
        self._http.close()

    def as_token(self, token: str) -> "Client":
        """Return a client that is somebody else."""
        return Client(Login(server=self.login.server, tls=self.login.tls, token=token))

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        kind: str = JSON,
        accept: str = JSON,
        **query: object,
    ) -> Answer:
        """Send a request; a body of bytes goes as it is."""
        headers = {"Accept": accept} | ({"Content-Type": kind} if body is not None else {})
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        asked = {key: str(value) for key, value in query.items() if value != ""}
        response = self._http.request(
            method, path, content=content, headers=headers, params=asked or None
        )
        return Answer(
            code=response.status_code, body=_body(response), headers=dict(response.headers)
        )

    def text(self, path: str) -> tuple[int, str]:
        """Return code and text of what is no JSON."""
        response = self._http.get(path)
        return response.status_code, response.text

    @contextmanager
    def watch(self, path: str, *, seconds: int = 0, **query: str) -> Generator[Iterator[Json]]:
        """Watch: the events as they come, until the time is over."""
        seconds = seconds or self._watch_seconds
        timed = {"watch": "true", "timeoutSeconds": str(seconds), **query}
        with self._http.stream("GET", path, params=timed, timeout=seconds + 10) as response:
            if response.status_code >= 300:
                response.read()
                yield iter([{"type": "REFUSED", "object": _body(response)}])
            else:
                yield map(json.loads, response.iter_lines())

    @contextmanager
    def websocket(
        self, path: str, protocol: str, query: Sequence[tuple[str, str]]
    ) -> Generator["Socket"]:
        """Open a connection to a pod."""
        url = f"wss{self.login.server.removeprefix('https')}{quote(path)}?{urlencode(query)}"
        with asyncio.Runner() as runner:
            opened = runner.run(self._opened(url, Subprotocol(protocol)))
            try:
                yield Socket(runner, opened)
            finally:
                runner.run(opened.close())

    async def _opened(self, url: str, protocol: Subprotocol) -> ClientConnection:
        return await connect(
            url,
            ssl=self.login.tls,
            subprotocols=[protocol],
            additional_headers=self.login.headers,
            proxy=None,
            max_size=None,
        )


class Socket:
    """
    A WebSocket that one waits for.

    The library's own, with threads, reads and writes a TLS connection at the same time, which loses
    an answer now and then.
    """

    def __init__(self, runner: asyncio.Runner, opened: ClientConnection) -> None:
        self._runner = runner
        self._opened = opened

    def send(self, data: bytes) -> None:
        """Send a message; where the other side has closed, what it said before can still be read."""
        with suppress(ConnectionClosed):
            self._runner.run(self._opened.send(data))

    def receive(self) -> bytes:
        """Return the next message, nothing at the end."""
        try:
            message = self._runner.run(asyncio.wait_for(self._opened.recv(), _TIMEOUT))
        except ConnectionClosed:
            return b""
        return message if isinstance(message, bytes) else message.encode()


def _body(response: httpx.Response) -> Json:
    try:
        found = response.json()
    except ValueError:
        return {"message": response.text}
    return found if isinstance(found, dict) else {"message": response.text}
