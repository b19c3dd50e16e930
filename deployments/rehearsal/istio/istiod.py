"""
One istiod: an HTTP server on four ports, the proxies that are connected to it, its housekeeping.

Debug pages are for its own loopback only; whoever comes through the API server's proxy gets a 401
without a word.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit
from uuid import UUID

from deployments.rehearsal.cluster.objects import (
    Json,
    name_of,
    namespace_of,
    now_rfc3339,
)
from deployments.rehearsal.cluster.programs import Request, Response
from deployments.rehearsal.cluster.resources import SERVICES
from deployments.rehearsal.cluster.store import Change
from deployments.rehearsal.istio import debug, names, rejections
from deployments.rehearsal.istio.gateways import Gateways
from deployments.rehearsal.istio.housekeeping import Housekeeping
from deployments.rehearsal.istio.injected import Recipe
from deployments.rehearsal.istio.injector import Injector
from deployments.rehearsal.istio.metrics import SHORT, Metrics
from deployments.rehearsal.istio.settings import SettingsReader
from deployments.rehearsal.istio.webhooks import Webhooks
from deployments.rehearsal.istio.world import World
from deployments.rehearsal.istio.xds import Client, Connection

READY, MONITORING, WEBHOOKS = 8080, 15014, 15017
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_TEXT: Final = {"Content-Type": "text/plain; charset=utf-8"}
_NOT_FOUND: Final = Response(status=404, headers=_TEXT, body=b"404 page not found\n")
_STARTS_IN: Final = 1.5  # seconds, until its caches are filled
_DEBOUNCED: Final = 0.1
_AT_ONCE: Final = 200  # proxies configured before others have their turn
_XDS_CLIENT: Final = "xds-istioctl/"
_SEEN_FOR: Final = 1.0  # seconds that an istioctl is listed after it asked
_CHATTY: Final = ("1.29", b"INFO memory is not limited, skipping package=automemlimit\n")


class Istiod:
    """A `Program`."""

    def __init__(self, pod: Json, world: World) -> None:
        self.pod = pod
        self._world = world
        discovery = names.container(pod, "discovery") or {}
        self.revision = names.environment(discovery).get("REVISION") or names.revision_of(pod)
        self.version = names.image(discovery)[1]
        self.metrics = Metrics()
        self._is_ready = False
        self._connections: dict[str, Connection] = {}
        self._number = 0
        self._pushes = 0
        self._started_at = now_rfc3339()
        self._task: asyncio.Task[None] | None = None
        self._farewell: asyncio.Task[None] | None = None
        self._push: asyncio.Task[None] | None = None
        self._seen_until = 0.0
        store, namespace = world.server.store, namespace_of(pod)
        self._settings = SettingsReader(store, revision=self.revision, namespace=namespace)
        self._webhooks = Webhooks(
            Injector(revision=self.revision, version=self.version, namespace=namespace),
            self._settings,
            metrics=self.metrics,
            mood=world.mood,
        )
        self._gateways = Gateways(world.server, revision=self.revision, new_recipe=self._recipe)
        self._housekeeping = Housekeeping(
            world.server, pod=name_of(pod), revision=self.revision, namespace=namespace
        )

    @property
    def is_ready(self) -> bool:
        return self._is_ready

    def start(self) -> None:
        self._world.istiods[name_of(self.pod)] = self
        self._task = asyncio.get_running_loop().create_task(self._live())

    def stop(self) -> None:
        self._is_ready = False
        self._world.istiods.pop(name_of(self.pod), None)
        if self._task is not None:
            self._task.cancel()
            self._farewell = asyncio.get_running_loop().create_task(self._housekeeping.resign())
        if self._push is not None:
            self._push.cancel()
        lost, self._connections = self._connections, {}
        for connection in lost.values():
            connection.lost()

    async def _live(self) -> None:
        await self._world.clock.sleep(_STARTS_IN)
        self._is_ready = True
        async with asyncio.TaskGroup() as group:
            group.create_task(self._housekeeping.run(self._settings.read().trust_domain))
            group.create_task(self._gateways.run())

    def _recipe(self, namespace: str, workload: str) -> Recipe:
        """Return what makes a gateway of this istiod's."""
        return Recipe(
            settings=self._settings.read(),
            revision=self.revision,
            version=self.version,
            namespace=namespace,
            istio_namespace=namespace_of(self.pod),
            workload=workload,
            owner=f"kubernetes://apis/apps/v1/namespaces/{namespace}/deployments/{workload}",
            apps=(),
            ports="[]",
        )

    # ------------------------------------------------------------ proxies

    def connect(self, client: Client, lost: Callable[[], None]) -> Connection:
        """Take a proxy's connection, and begin to send."""
        self._number += 1
        connection = Connection(client=client, number=self._number, lost=lost)
        self._connections[client.uid] = connection
        connection.begin(self._nonce)
        self._count_proxies()
        return connection

    def disconnect(self, connection: Connection) -> None:
        if self._connections.get(connection.client.uid) is connection:
            del self._connections[connection.client.uid]
            self._count_proxies()

    def configure(self, connection: Connection) -> None:
        """Send a proxy all that it wants, and hear what it makes of it."""
        client = connection.client
        found = rejections.of_client(self._world.envoy_filters(), client, revision=self.revision)
        if (fault := self._world.mood.rejection(client.pod)) is not None:
            found.append(fault)
        is_stale = self._world.mood.is_stale(client.pod)
        for url in connection.push(self._nonce, found, is_stale=is_stale):
            short = SHORT.get(url, "unknown")
            self.metrics.count("pilot_total_xds_rejects", type=short)
            self.metrics.count(f"pilot_xds_{short}_reject", err="Internal", node=client.id)

    def hear(self, change: Change) -> None:
        """Mind a change of the cluster."""
        if self._is_ready:
            self._housekeeping.hear(change)
            self._gateways.hear(change)
        if self._connections and self._push is None and self._minds(change):
            self._push = asyncio.get_running_loop().create_task(self._push_all())

    def _minds(self, change: Change) -> bool:
        """Say whether a change is one of configuration that is for this revision, too."""
        return change.resource.group.endswith(".istio.io") and any(
            one is not None and rejections.is_seen(one, self.revision)
            for one in (change.object, change.previous)
        )

    async def _push_all(self) -> None:
        await asyncio.sleep(_DEBOUNCED)
        self._push = None  # what changes from here on is pushed again
        self._pushes += 1
        for number, connection in enumerate(tuple(self._connections.values())):
            if number % _AT_ONCE == _AT_ONCE - 1:
                await asyncio.sleep(0)
            self.configure(connection)
        for short in SHORT.values():
            self.metrics.count("pilot_xds_pushes", len(self._connections), type=short)

    def _nonce(self) -> str:
        number = UUID(int=self._world.random.getrandbits(128), version=4)
        return f"{self._started_at}/{self._pushes}{number}"

    def _count_proxies(self) -> None:
        self.metrics.set("pilot_xds", len(self._connections), version=self.version)

    def _sorted(self) -> Iterable[Connection]:
        return sorted(self._connections.values(), key=lambda one: one.id)

    # ------------------------------------------------------------ HTTP

    async def answer(self, request: Request) -> Response:
        if self._world.mood.is_silent(self.pod):
            await asyncio.Event().wait()  # until whoever asks gives up
        path = urlsplit(request.path).path
        if request.port == WEBHOOKS:
            return self._webhooks.answer(path, request) or self._page(READY, path)
        if request.port not in {READY, MONITORING}:
            raise ConnectionRefusedError(
                f"failed to connect to localhost:{request.port} inside namespace"
            )
        if path.startswith("/debug/"):
            return self._debug(path, request)
        return self._page(request.port, path)

    def _page(self, port: int, path: str) -> Response:
        if port == READY and path == "/ready":
            return Response(status=200 if self._is_ready else 503, headers=_TEXT)
        if port == MONITORING and path == "/version":
            return Response(headers=_TEXT, body=f"{self.version}-unknown-Clean".encode())
        if port == MONITORING and path == "/metrics":
            self.metrics.set("istio_build", 1, component="pilot", tag=self.version)
            self.metrics.set("pilot_info", 1, version=f"{self.version}-unknown-Clean")
            return Response(headers={"Content-Type": "text/plain; version=0.0.4"},
                            body=self.metrics.text())  # fmt: skip
        return _NOT_FOUND

    def _debug(self, path: str, request: Request) -> Response:
        if request.peer not in _LOOPBACK:
            return Response(status=401)
        page = path.removeprefix("/debug/")
        if page == "syncz":
            self._notice(request.headers)
            is_watched = asyncio.get_running_loop().time() < self._seen_until
            return debug.syncz(request.path, self._sorted(), is_watched=is_watched)
        if page == "connections":
            return debug.connections(self._sorted())
        if page == "registryz":
            return debug.registry(self._world.server.store.list(SERVICES))
        return _NOT_FOUND

    def _notice(self, headers: Mapping[str, str]) -> None:
        """Take an istioctl for a proxy, as the real one does: for a second it is listed."""
        agent = next((value for key, value in headers.items() if key.lower() == "user-agent"), "")
        if agent.startswith(_XDS_CLIENT):
            self._seen_until = asyncio.get_running_loop().time() + _SEEN_FOR

    async def run(self, command: Sequence[str]) -> tuple[int, bytes, bytes]:
        """Run `pilot-discovery request METHOD PATH`, the one command that istiods are asked."""
        program, *rest = command
        if program.rpartition("/")[2] != "pilot-discovery" or rest[:1] != ["request"]:
            text = f'Error: unknown command "{rest[0] if rest else ""}" for "{program}"\n'
            return 255, b"", text.encode()
        method, path = rest[1], rest[2]
        response = await self.answer(Request(port=READY, method=method, path=path))
        minor, said = _CHATTY
        noise = said if self.version.startswith(minor) else b""
        return 0, response.body + b"\n", noise  # whatever the answer's code is
