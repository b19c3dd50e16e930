"""The API of a cluster without controllers, asked in process, for tests of what it answers."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import httpx

from deployments.rehearsal.cluster.access import Access
from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.cluster.verbs import Server
from deployments.rehearsal.cluster.web.app import Application

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"
APPLY = "application/apply-patch+yaml"
PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def pod(name: str = "a", **more: object) -> Json:
    spec = {"containers": [{"name": "c", "image": "i:1"}]}
    return {"metadata": {"name": name, **more}, "spec": spec}


def config_map(name: str = "a", **data: str) -> Json:
    return {"metadata": {"name": name}, "data": data}


def deployment(name: str = "a", **spec: object) -> Json:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": pod()["spec"]}
    wanted = {"selector": {"matchLabels": labels}, "template": template} | spec
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": wanted,
    }


@dataclass
class Api:
    """A cluster, and its administrator's way to ask it."""

    server: Server
    access: Access
    client: httpx.AsyncClient
    headers: dict[str, str] = field(default_factory=dict[str, str])

    async def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        kind: str = "application/json",
        **more: str,
    ) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": kind} | {k.replace("_", "-"): v for k, v in more.items()}
        return await self.client.request(
            method, path, content=None if body is None else content, headers=headers
        )

    async def get(self, path: str, **more: str) -> Json:
        return _body(await self.ask("GET", path, **more))

    async def post(self, path: str, body: object) -> Json:
        return _body(await self.ask("POST", path, body))

    async def put(self, path: str, body: object) -> Json:
        return _body(await self.ask("PUT", path, body))

    async def patch(self, path: str, body: object, kind: str = MERGE) -> Json:
        return _body(await self.ask("PATCH", path, body, kind=kind))

    async def apply(self, path: str, body: object, manager: str = "me", **query: str) -> Json:
        asked = {"fieldManager": manager} | query
        return await self.patch(f"{path}?{httpx.QueryParams(asked)}", body, APPLY)

    async def delete(self, path: str, body: object = None) -> Json:
        return _body(await self.ask("DELETE", path, body))

    @asynccontextmanager
    async def watch(self, path: str) -> AsyncGenerator["Watch"]:
        """Watch until the block ends."""
        watch = Watch()
        token = self.client.headers["authorization"].encode()
        url = httpx.URL(path)
        scope = {
            "type": "http",
            "method": "GET",
            "path": url.path,
            "query_string": url.query,
            "headers": [(b"authorization", token)],
            "asgi": {"spec_version": "2.3"},
        }
        application = Application(self.server, self.access)
        task = asyncio.create_task(application(scope, watch.receive, watch.send))
        try:
            await watch.begun.wait()
            yield watch
        finally:
            watch.over.set()
            await task


class Watch:
    """The events of a watch, as they come."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.over = asyncio.Event()
        self._events: asyncio.Queue[Json] = asyncio.Queue()
        self._rest = b""

    async def next(self) -> Json:
        async with asyncio.timeout(30):
            return await self._events.get()

    async def some(self, count: int) -> list[tuple[str, str]]:
        """Return the next events as kind and name."""
        events = [await self.next() for _ in range(count)]
        return [(one["type"], one["object"]["metadata"].get("name", "")) for one in events]

    async def receive(self) -> Json:
        await self.over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.begun.set()
        *lines, self._rest = (self._rest + message.get("body", b"")).split(b"\n")
        for line in lines:
            self._events.put_nowait(json.loads(line))


def _body(response: httpx.Response) -> Json:
    return cast("Json", response.json())


def asked(test: Callable[[Api], Awaitable[None]]) -> None:
    """Run a test against a new cluster."""

    async def run() -> None:
        server = Server()
        access = Access(server.store)
        transport = httpx.ASGITransport(Application(server, access))
        headers = {"authorization": f"Bearer {access.tokens.administrator}"}
        async with httpx.AsyncClient(
            transport=transport, base_url="https://cluster", headers=headers
        ) as client:
            await test(Api(server, access, client))

    asyncio.run(run())
