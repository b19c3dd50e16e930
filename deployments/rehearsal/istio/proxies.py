"""
The proxy of a pod: it finds its istiod through the Service that it was given, and stays with it.

At first it is quick; after a loss it is slow, as Envoy's growing back-off makes it.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from deployments.rehearsal.cluster.objects import Json, annotations_of
from deployments.rehearsal.cluster.programs import Request, Response
from deployments.rehearsal.istio import names
from deployments.rehearsal.istio.world import ControlPlane, World
from deployments.rehearsal.istio.xds import Client, Connection

_HEALTH, _STATS = 15021, 15020
_FIRST: Final = (0.1, 0.6)  # seconds until it has started, at least and at most
_RETRY: Final = (1.0, 4.0)
_AFTER_LOSS: Final = (5.0, 25.0)
_PARTIAL: Final = 0.2  # seconds in which it has a part of its configuration
_TEXT: Final = {"Content-Type": "text/plain; charset=utf-8"}


class Proxy:
    """A `Program`: what a pod with a sidecar does, or a gateway."""

    def __init__(self, pod: Json, container: Json, world: World) -> None:
        self._world = world
        self._client = Client.of(pod, container)
        self._service, self._namespace = _address(container)
        self._is_ready = False
        self._task: asyncio.Task[None] | None = None
        self._istiod: ControlPlane | None = None
        self._connection: Connection | None = None

    @property
    def is_ready(self) -> bool:
        """Once configured it serves on, whatever becomes of its istiod."""
        return self._is_ready

    def start(self) -> None:
        self._begin(_FIRST)

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
        self._leave()

    def _begin(self, delay: tuple[float, float]) -> None:
        self._task = asyncio.get_running_loop().create_task(self._connect(delay))

    def _lose(self) -> None:
        self._istiod = self._connection = None
        if self._task is not None:
            self._task.cancel()  # it may have been half-way
        self._begin(_AFTER_LOSS)

    def _leave(self) -> None:
        if self._istiod is not None and self._connection is not None:
            self._istiod.disconnect(self._connection)
        self._istiod = self._connection = None

    async def _connect(self, delay: tuple[float, float]) -> None:
        """Find an istiod, be configured by it, and be done: from then on it is the istiod's turn."""
        await self._pause(delay)
        while (istiod := self._world.istiod_behind(self._service, self._namespace)) is None:
            await self._pause(_RETRY)
        self._istiod = istiod
        self._connection = istiod.connect(self._client, self._lose)
        lag = self._world.mood.lag(self._client.pod)
        await self._world.clock.sleep(_PARTIAL + lag)
        istiod.configure(self._connection)
        self._is_ready = True

    async def _pause(self, between: tuple[float, float]) -> None:
        await self._world.clock.sleep(self._world.random.uniform(*between))

    async def answer(self, request: Request) -> Response:
        if request.port == _HEALTH and request.path.startswith("/healthz/ready"):
            return Response(status=200 if self._is_ready else 503, headers=_TEXT)
        if request.port == _STATS and request.path.startswith("/stats/prometheus"):
            version = self._client.version
            line = f'istio_build{{component="proxy",tag="{version}"}} 1\n'
            return Response(headers=_TEXT, body=line.encode())
        raise ConnectionRefusedError(
            f"failed to connect to localhost:{request.port} inside namespace"
        )

    async def run(self, command: Sequence[str]) -> tuple[int, bytes, bytes]:
        return 127, b"", f"{command[0]}: not found\n".encode()


def _address(container: Json) -> tuple[str, str]:
    """Return Service and namespace of the istiod that a proxy was told of."""
    host, _, _ = names.environment(container).get("CA_ADDR", "").partition(":")
    service, _, rest = host.partition(".")
    return service, rest.partition(".")[0] or names.SYSTEM


def has_proxy(pod: Json) -> bool:
    """Say whether an injector gave a pod a proxy, or its own template did."""
    one = names.container(pod, names.PROXY)
    is_marked = names.STATUS in annotations_of(pod) or "CA_ADDR" in names.environment(one or {})
    return one is not None and is_marked
