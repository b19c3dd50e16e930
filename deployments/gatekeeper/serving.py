"""The gatekeeper's pages on a port."""

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from typing import Final

import msgspec
import uvicorn
from starlette.types import ASGIApp

from tasks.domain.errors import BadInputError

_ADDRESS: Final = re.compile(r"(?P<host>[A-Za-z0-9.-]*|\[[0-9a-fA-F:]+\]):(?P<port>\d{1,5})")
_LAST_PORT: Final = 65_535
_LAST_ANSWERS: Final = 3  # seconds


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen."""

    host: str
    port: int


def parse_address(text: str) -> Address:
    """Read HOST:PORT or :PORT, the latter for every interface. Raises BadInputError."""
    found = _ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > _LAST_PORT:
        raise BadInputError(f"{text!r} is no address; it looks like 127.0.0.1:8080 or :8080")
    return Address(host=found["host"].strip("[]"), port=int(found["port"]))


@asynccontextmanager
async def served(application: ASGIApp, address: Address) -> AsyncGenerator[int]:
    """Serve an application for a block, and say on which port. Raises BadInputError if it is taken."""
    try:
        family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
        listener = socket.create_server((address.host, address.port), family=family)
    except OSError as error:
        raise BadInputError(
            f"{address.host}:{address.port} cannot be listened at: {error.strerror}"
        ) from error
    # For those it accepts: without, an answer in two parts may wait 40 ms for the other side.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        application,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_LAST_ANSWERS,
    )
    server = _Uvicorn(config)
    with listener:
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield int(listener.getsockname()[1])
        finally:
            server.should_exit = True
            await task


class _Uvicorn(uvicorn.Server):
    """Leaves signals to whoever runs the loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield
