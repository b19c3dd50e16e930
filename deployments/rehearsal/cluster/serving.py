"""
The cluster on a socket of this machine, and the kubeconfig that leads there.

Always TLS, because kubectl sends no token without. The certificate's authority and the
administrator's token are made anew at each start, and stand in the kubeconfig alone.
"""

import asyncio
import base64
import contextlib
import gc
import socket
import tempfile
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import uvicorn
from starlette.types import ASGIApp

from deployments.rehearsal.cluster.access import Access
from deployments.rehearsal.cluster.certificates import Certificates, certificates
from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.cluster.verbs import Server
from deployments.rehearsal.cluster.web.app import Application

HOST: Final = "127.0.0.1"
_NAME: Final = "rehearsal"
_LAST_ANSWERS: Final = 1  # seconds for requests under way when the cluster ends; watches never end
_KEPT_ALIVE: Final = 120
_PRIVATE: Final = 0o600
_RARELY: Final = (100_000, 50, 1_000)  # objects are kept for long: looking for garbage is a pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A cluster that can be reached."""

    url: str
    kubeconfig: Path
    access: Access
    authority: bytes  # PEM, of the certificate's issuer


@asynccontextmanager
async def serve(
    server: Server,
    *,
    port: int = 0,
    kubeconfig: Path,
    around: Callable[[ASGIApp], ASGIApp] | None = None,
) -> AsyncGenerator[Serving]:
    """
    Serve a cluster on the running loop, and write the kubeconfig of its administrator.

    `around` may put something between the clients and the API, faults for example. Raises OSError
    for a port in use.
    """
    access = Access(server.store)
    application: ASGIApp = Application(server, access)
    before = gc.get_threshold()
    gc.set_threshold(*_RARELY)
    made = certificates(HOST)
    with _bound(port) as listener, tempfile.TemporaryDirectory(prefix="rehearsal-") as folder:
        config = _config(around(application) if around else application, made, Path(folder))
        running = _Uvicorn(config)
        url = f"https://{HOST}:{listener.getsockname()[1]}"
        task = asyncio.create_task(running.serve(sockets=[listener]))
        try:
            await running.is_up.wait()
            write_kubeconfig(kubeconfig, url=url, made=made, token=access.tokens.administrator)
            yield Serving(url=url, kubeconfig=kubeconfig, access=access, authority=made.authority)
        finally:
            running.should_exit = True
            await task
            gc.set_threshold(*before)


class _Uvicorn(uvicorn.Server):
    """Says when it listens, and leaves signals to whoever runs the loop."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def _bound(port: int) -> socket.socket:
    # Without the protocol's number asyncio would not set TCP_NODELAY, and each answer take 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError:
        listener.close()
        raise
    return listener


def _config(application: ASGIApp, made: Certificates, folder: Path) -> uvicorn.Config:
    certificate, key = folder / "tls.crt", folder / "tls.key"
    certificate.write_bytes(made.certificate)
    key.touch(mode=_PRIVATE)
    key.write_bytes(made.key)
    return uvicorn.Config(
        application,
        http="h11",
        ws="websockets-sansio",
        ws_ping_interval=None,  # clients of port-forwards may be silent for long
        lifespan="off",
        log_config=None,
        log_level="critical",  # a refused WebSocket is no error
        access_log=False,
        server_header=False,
        ssl_certfile=certificate,
        ssl_keyfile=key,
        timeout_graceful_shutdown=_LAST_ANSWERS,
        timeout_keep_alive=_KEPT_ALIVE,
    )


def write_kubeconfig(path: Path, *, url: str, made: Certificates, token: str) -> None:
    """Write a kubeconfig that only its owner can read. JSON is YAML."""
    authority = base64.b64encode(made.authority).decode()
    content: Json = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": _NAME,
                "cluster": {"server": url, "certificate-authority-data": authority},
            }
        ],
        "users": [{"name": _NAME, "user": {"token": token}}],
        "contexts": [{"name": _NAME, "context": {"cluster": _NAME, "user": _NAME}}],
        "current-context": _NAME,
    }
    path.touch(mode=_PRIVATE)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(content)) + b"\n")
