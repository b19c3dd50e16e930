"""What all istiods and proxies of one cluster share."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from deployments.rehearsal.cluster.clock import Clock
from deployments.rehearsal.cluster.objects import Json, name_of, namespace_of
from deployments.rehearsal.cluster.store import Change, ChangeKind
from deployments.rehearsal.cluster.verbs import Server
from deployments.rehearsal.istio import services
from deployments.rehearsal.istio.mood import Mood
from deployments.rehearsal.istio.xds import Client, Connection


class ControlPlane(Protocol):
    """An istiod, as proxies see it."""

    @property
    def is_ready(self) -> bool: ...

    def connect(self, client: Client, lost: "Lost") -> Connection: ...

    def disconnect(self, connection: Connection) -> None: ...

    def configure(self, connection: Connection) -> None: ...

    def hear(self, change: Change) -> None: ...


class Lost(Protocol):
    """Is told that an istiod has ended the connection."""

    def __call__(self) -> None: ...


@dataclass(kw_only=True)
class World:
    """The cluster, its time, its chance, and how it is disposed."""

    server: Server
    clock: Clock
    mood: Mood
    random: random.Random
    istiods: dict[str, ControlPlane] = field(default_factory=dict[str, ControlPlane])
    _filters: dict[tuple[str, str], Json] = field(default_factory=dict[tuple[str, str], Json])

    def envoy_filters(self) -> Iterable[Json]:
        return self._filters.values()

    def hear(self, change: Change) -> None:
        """Keep what is asked for often, and tell the istiods."""
        if change.resource.plural == "envoyfilters":
            key = namespace_of(change.object), name_of(change.object)
            if change.kind is ChangeKind.DELETED:
                self._filters.pop(key, None)
            else:
                self._filters[key] = change.object
        for istiod in tuple(self.istiods.values()):
            istiod.hear(change)

    def istiod_behind(self, service: str, namespace: str) -> ControlPlane | None:
        """Return one of the istiods that a Service leads to, None if there is none."""
        ready = [
            istiod
            for pod in services.ready_pods(self.server.store, service, namespace)
            if (istiod := self.istiods.get(name_of(pod))) is not None and istiod.is_ready
        ]
        return self.random.choice(ready) if ready else None
