"""Clients that harm themselves at most: one that never reads its watch, one that sends too much."""

import asyncio
import json
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.cluster.resources import CONFIGMAPS
from deployments.rehearsal.cluster.serving import Serving, serve
from deployments.rehearsal.cluster.store import REMEMBERED
from deployments.rehearsal.cluster.verbs import Server
from tests.rehearsal.api import MAPS, config_map

_THERE = 1_000
_WATCH = f"{MAPS}?watch=1&resourceVersion=0"


@asynccontextmanager
async def served(tmp_path: Path) -> AsyncIterator[tuple[Server, Serving]]:
    """Serve a cluster with ten megabytes of ConfigMaps."""
    server = Server()
    for number in range(_THERE):
        body = config_map(f"a-{number}", text="x" * 10_000)
        await server.create(CONFIGMAPS, body, namespace="default")
    async with serve(server, kubeconfig=tmp_path / "kubeconfig") as serving:
        yield server, serving


@asynccontextmanager
async def unread_watch(serving: Serving) -> AsyncIterator[socket.socket]:
    """Ask for everything, and take nothing."""
    context = ssl.create_default_context(cadata=serving.authority.decode())
    port = int(serving.url.rpartition(":")[2])
    plain = await asyncio.to_thread(socket.create_connection, ("127.0.0.1", port), 10)
    wrap = partial(context.wrap_socket, plain, server_hostname="127.0.0.1")
    with await asyncio.to_thread(wrap) as secured:
        token = serving.access.tokens.administrator
        lines = (f"GET {_WATCH} HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", "", "")
        secured.sendall("\r\n".join(lines).encode())
        yield secured


def written(server: Server) -> int:
    """Return how many objects were written down for somebody."""
    entries = server.store.entries(CONFIGMAPS, "default")
    remembered = (one.now for one in server.store.history(CONFIGMAPS).since(0, 10**9))
    return sum("encoded" in vars(entry) for entry in (*entries, *remembered))


def rest_of(watch: socket.socket) -> bytes:
    text = b""
    while piece := watch.recv(1_000_000):
        text += piece
        if text.endswith(b"0\r\n\r\n"):
            break
    return text


def test_a_watch_that_is_never_read_holds_nobody_up_and_fills_no_memory(tmp_path: Path) -> None:
    async def story() -> None:
        async with served(tmp_path) as (server, serving):
            async with unread_watch(serving) as watch:
                await asyncio.sleep(0.5)
                assert written(server)
                body = server.store.list(CONFIGMAPS, "default")[0]
                before = time.perf_counter()
                for number in range(2 * REMEMBERED):
                    server.store.put(CONFIGMAPS, body)
                    if number % 1_000 == 0:
                        await asyncio.sleep(0)  # the watch's turn
                assert time.perf_counter() - before < 5
                assert written(server) < _THERE  # a piece, and what fits into the sockets' buffers
                last = await asyncio.to_thread(rest_of, watch)
            assert last.count(b'"type":"ADDED"') == _THERE
            assert b'"code":410' in last[-1_000:]

    asyncio.run(story())


@pytest.mark.parametrize("megabytes", [4, 10])
def test_a_body_that_is_too_large_gets_its_answer(tmp_path: Path, megabytes: int) -> None:
    async def story() -> None:
        async with served(tmp_path) as (_, serving):
            context = ssl.create_default_context(cadata=serving.authority.decode())
            token = serving.access.tokens.administrator
            async with httpx.AsyncClient(
                base_url=serving.url, verify=context, headers={"authorization": f"Bearer {token}"}
            ) as client:
                for content in (b" " * megabytes * 1_000_000, _pieces(megabytes)):
                    answer = await client.post(MAPS, content=content)
                    status: Json = json.loads(answer.content)
                    assert (answer.status_code, status["code"]) == (413, 413)
                assert (await client.get(f"{MAPS}/a-1")).status_code == 200

    asyncio.run(story())


async def _pieces(megabytes: int) -> AsyncIterator[bytes]:
    for _ in range(megabytes):
        yield b" " * 1_000_000
