"""
One proxy's stream at an istiod: what was sent, what was taken, what was refused.

The values that count are nonces: a type is in sync when the last one that was sent is the last that
was acknowledged.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import msgspec

from deployments.rehearsal.cluster.objects import (
    Json,
    labels_of,
    name_of,
    namespace_of,
    status_of,
    uid_of,
)
from deployments.rehearsal.istio import names
from deployments.rehearsal.istio.mood import Rejection

CLUSTER: Final = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
LISTENER: Final = "type.googleapis.com/envoy.config.listener.v3.Listener"
ENDPOINT: Final = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
ROUTE: Final = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
EXTENSION: Final = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"

SIDECAR, ROUTER = "sidecar", "router"
# What a proxy is sent first, and for a moment alone.
FIRST: Final = (CLUSTER, ENDPOINT)
_WANTED: Final = {
    SIDECAR: (CLUSTER, ENDPOINT, LISTENER, ROUTE),
    ROUTER: (CLUSTER, ENDPOINT, LISTENER),  # no gateway, no routes
}
_FIELDS: Final = {
    CLUSTER: "cluster",
    LISTENER: "listener",
    ROUTE: "route",
    ENDPOINT: "endpoint",
    EXTENSION: "extensionconfig",
}

Nonce = Callable[[], str]


def _now() -> str:
    now = time.time_ns() // 1000
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 1_000_000))
    return f"{seconds}.{now % 1_000_000:06d}Z"


@dataclass(frozen=True, kw_only=True)
class Client:
    """Who connects: a proxy, as its pod describes it."""

    pod: Json
    kind: str
    version: str
    cluster: str = "Kubernetes"

    @classmethod
    def of(cls, pod: Json, container: Json) -> "Client":
        arguments: Sequence[str] = container.get("args") or ()
        return cls(
            pod=pod,
            kind=ROUTER if ROUTER in arguments[:2] else SIDECAR,
            version=names.image(container)[1],
            cluster=names.environment(container).get("ISTIO_META_CLUSTER_ID", "Kubernetes"),
        )

    @cached_property
    def id(self) -> str:
        return f"{name_of(self.pod)}.{namespace_of(self.pod)}"

    @property
    def uid(self) -> str:
        return uid_of(self.pod)

    @property
    def namespace(self) -> str:
        return namespace_of(self.pod)

    @property
    def labels(self) -> dict[str, str]:
        return labels_of(self.pod)

    @property
    def address(self) -> str:
        return str(status_of(self.pod).get("podIP") or "")


@dataclass(slots=True)
class Watched:
    """One type that a proxy wants."""

    sent: str = ""
    acked: str = ""
    sent_at: str = ""
    error: str = ""

    def document(self) -> Json:
        found = {
            "sent": self.sent,
            "acked": self.acked,
            "sentTime": self.sent_at,
            "lastError": self.error,
        }
        return {key: value for key, value in found.items() if value}


@dataclass(kw_only=True)
class Connection:
    """A proxy's stream, as the istiod sees it."""

    client: Client
    number: int
    lost: Callable[[], None]  # called when the istiod ends it
    connected_at: str = field(default_factory=_now)
    watched: dict[str, Watched] = field(default_factory=dict[str, Watched])
    _encoded: bytes | None = None

    @property
    def id(self) -> str:
        return f"{self.client.id}-{self.number}"

    def begin(self, nonce: Nonce) -> None:
        """Send what comes first; nothing is acknowledged yet."""
        self._send(FIRST, nonce)

    def push(self, nonce: Nonce, rejections: Sequence[Rejection], *, is_stale: bool) -> list[str]:
        """Send everything, and let the proxy answer; return the types that it refused."""
        self._send(_WANTED[self.client.kind], nonce)
        errors = {one.type_url: one.error for one in rejections}
        if is_stale:
            return []
        for url, one in self.watched.items():
            one.error = errors.get(url, "")
            if not one.error:
                one.acked = one.sent
        return [url for url in self.watched if url in errors]

    def encoded(self) -> bytes:
        """Return the row of /debug/syncz; it is written once a change, for there may be many."""
        if self._encoded is None:
            self._encoded = msgspec.json.encode(self._row())
        return self._encoded

    def _send(self, urls: Sequence[str], nonce: Nonce) -> None:
        now = _now()
        for url in urls:
            one = self.watched.setdefault(url, Watched())
            one.sent, one.sent_at = nonce(), now
        self._encoded = None

    def _row(self) -> Json:
        row: dict[str, Any] = {
            "cluster_id": self.client.cluster,
            "proxy": self.client.id,
            "proxy_type": self.client.kind,
            "istio_version": self.client.version,
        }
        for url, name in _FIELDS.items():
            one = self.watched.get(url)
            if one is not None and one.sent:
                row[f"{name}_sent"] = one.sent
            if one is not None and one.acked:
                row[f"{name}_acked"] = one.acked
        resources = {url: one.document() for url, one in self.watched.items()}
        return row | {"resources": resources}
