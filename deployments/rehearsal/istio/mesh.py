"""Brings Istio into a cluster: from here on its pods behave as istiods and proxies."""

import random
from collections.abc import Callable

from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.cluster.programs import Program
from deployments.rehearsal.cluster.verbs import Server
from deployments.rehearsal.istio import names
from deployments.rehearsal.istio.istiod import Istiod
from deployments.rehearsal.istio.mood import Calm, Mood
from deployments.rehearsal.istio.proxies import Proxy, has_proxy
from deployments.rehearsal.istio.world import World

_PILOT = "pilot"


class Mesh:
    """All of Istio in one cluster. Make it before the kubelet starts the first pod."""

    def __init__(
        self,
        server: Server,
        *,
        mood: Mood | None = None,
        seed: int = 0,
    ) -> None:
        self._world = World(
            server=server,
            clock=server.clock,
            mood=mood or Calm(),
            random=random.Random(seed),  # noqa: S311 - the same rehearsal twice
        )
        self._deafen: Callable[[], None] | None = None

    def start(self) -> None:
        """Claim its pods, and hear of every change."""
        self._world.server.programs.register(self._program)
        self._deafen = self._world.server.store.listen(self._world.hear)

    def stop(self) -> None:
        """Hear no more. The programs are the kubelet's to stop."""
        if self._deafen is not None:
            self._deafen()
            self._deafen = None

    def _program(self, pod: Json) -> Program | None:
        discovery = names.container(pod, "discovery")
        if discovery is not None and names.image(discovery)[0] == _PILOT:
            return Istiod(pod, self._world)
        proxy = names.container(pod, names.PROXY)
        if proxy is not None and has_proxy(pod):
            return Proxy(pod, proxy, self._world)
        return None
