"""A Slack on a socket of this machine, in a thread of its own."""

import asyncio
import contextlib
import secrets
import socket
import threading
from collections.abc import AsyncGenerator, Generator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from deployments.rehearsal.slack.running import RunningSlack
from deployments.rehearsal.slack.state import Slack
from deployments.rehearsal.slack.web.app import application

HOST: Final = "127.0.0.1"
_START: Final = 10.0  # seconds
_PING_EVERY: Final = 10.0


@contextlib.contextmanager
def serving(slack: Slack | None = None, *, port: int = 0) -> Generator[RunningSlack]:
    """Serve a Slack in a thread until the block ends. Raises OSError for a port in use."""
    slack = slack or Slack()
    listener = _bound(port)
    ready, started = threading.Event(), list[RunningSlack]()
    leave: asyncio.Event | None = None

    async def run() -> None:
        nonlocal leave
        leave = asyncio.Event()
        async with serve(slack, listener) as running:
            started.append(running)
            ready.set()
            await leave.wait()

    thread = threading.Thread(target=lambda: asyncio.run(run()), name="slack", daemon=True)
    thread.start()
    if not ready.wait(_START) or leave is None:
        raise OSError("the rehearsal's Slack did not start")
    running = started[0]
    try:
        yield running
    finally:
        running.loop.call_soon_threadsafe(leave.set)
        thread.join(_START)


@contextlib.asynccontextmanager
async def serve(slack: Slack, listener: socket.socket) -> AsyncGenerator[RunningSlack]:
    """Serve a Slack on the running loop."""
    port = listener.getsockname()[1]
    slack.base_url = f"http://{HOST}:{port}"
    control = secrets.token_urlsafe(24)
    server = _Uvicorn(_config(application(slack, control)))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await server.is_up.wait()
        yield RunningSlack(slack, loop=asyncio.get_running_loop(), control_token=control)
    finally:
        server.is_over.set()
        await task
        listener.close()


class _Uvicorn(uvicorn.Server):
    """Says when it listens, leaves signals to whoever runs the loop, and ends at once."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()
        self.is_over = asyncio.Event()

    async def main_loop(self) -> None:
        await self.is_over.wait()

    async def shutdown(
        self,
        sockets: list[socket.socket] | None = None,  # noqa: ARG002 - whoever opened them closes them
    ) -> None:
        """Hang up on everybody: a test that has ended waits for no answer."""
        for server in self.servers:
            server.close()
        for one in list(self.server_state.connections):
            one.transport.abort()
        tasks = list(self.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

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


def _config(served: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        served,
        http="h11",
        ws="websockets-sansio",
        ws_ping_interval=_PING_EVERY,
        ws_ping_timeout=None,  # Slack leaves it to its clients to notice
        lifespan="off",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
    )
