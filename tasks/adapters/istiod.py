"""
What an istiod itself says: which proxies are connected to it, and how they stand.

Asked through a port-forward, since an istiod answers debug questions only to its own pod's loopback
(through the API server's proxy: 401). Decides nothing.
"""

from collections.abc import Callable, Iterator
from typing import Final

import httpcore
import msgspec

from tasks.adapters.portforward import ClientFactory, PodBackend
from tasks.domain.errors import TransientError
from tasks.domain.inventory import IstiodPod, Proxy, XdsState

Backend = Callable[[ClientFactory, IstiodPod], httpcore.NetworkBackend]

_PORT: Final = 15014
_SECONDS: Final = 10.0
_TIMEOUTS: Final = {"connect": _SECONDS, "read": _SECONDS, "write": _SECONDS, "pool": _SECONDS}
_BROKEN: Final = (
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
    httpcore.ConnectionNotAvailable,
)
# A running istioctl connects as if it were a proxy, under the defaults of Istio's own test client.
_ISTIOCTL: Final = ("test-1.default", "sidecar", "65536.65536.65536", "")
_DEBUG: Final = "istio.io/debug"  # the one type that it asks for, with or without `/QUESTION`
_SHORT: Final = {
    "Cluster": "CDS",
    "Listener": "LDS",
    "ClusterLoadAssignment": "EDS",
    "RouteConfiguration": "RDS",
    "TypedExtensionConfig": "ECDS",
    "Secret": "SDS",
    "NameTable": "NDS",
    "ProxyConfig": "PCDS",
}


class _Resource(msgspec.Struct, frozen=True, rename="camel"):
    sent: str = ""
    acked: str = ""
    last_error: str = ""


class _Row(msgspec.Struct, frozen=True):
    proxy: str
    proxy_type: str = "sidecar"
    cluster_id: str = ""
    istio_version: str = ""
    cluster_sent: str = ""
    cluster_acked: str = ""
    listener_sent: str = ""
    listener_acked: str = ""
    route_sent: str = ""
    route_acked: str = ""
    endpoint_sent: str = ""
    endpoint_acked: str = ""
    extensionconfig_sent: str = ""
    extensionconfig_acked: str = ""
    resources: dict[str, _Resource] | None = None


_ROWS: Final = msgspec.json.Decoder(list[_Row])


def _backend(new_client: ClientFactory, istiod: IstiodPod) -> httpcore.NetworkBackend:
    return PodBackend(new_client, namespace=istiod.namespace, pod=istiod.name)


class PortForwardedIstiods:
    """The `Istiods` behind an API server. Each question is a connection of its own."""

    def __init__(self, new_client: ClientFactory, *, backend: Backend = _backend) -> None:
        self._new_client = new_client
        self._backend = backend

    def proxies(self, istiod: IstiodPod) -> tuple[Proxy, ...]:
        body = self._get(istiod, "/debug/syncz")
        try:
            rows = _ROWS.decode(body)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise TransientError(
                f"istiod {istiod.name} answered /debug/syncz with something else than proxies"
            ) from error
        return tuple(_proxy(row, istiod) for row in rows if not _is_istioctl(row))

    def _get(self, istiod: IstiodPod, path: str) -> bytes:
        what = f"istiod {istiod.name} in {istiod.namespace}"
        try:
            backend = self._backend(self._new_client, istiod)
            with httpcore.ConnectionPool(network_backend=backend) as pool:
                answer = pool.request(
                    "GET", f"http://localhost:{_PORT}{path}", extensions={"timeout": _TIMEOUTS}
                )
        except _BROKEN as error:
            raise TransientError(f"{what} did not answer {path}: {error}") from error
        if answer.status != 200:
            raise TransientError(f"{what} answered {answer.status} to {path}")
        return answer.content


def _is_istioctl(row: _Row) -> bool:
    """Whether a row is certainly no proxy. A doubtful one counts: it may keep a revision alive."""
    marks = (row.proxy, row.proxy_type, row.istio_version, row.cluster_id)
    wanted = {*(row.resources or {}), *dict(_fields(row))}
    return marks == _ISTIOCTL and all(
        one == _DEBUG or one.startswith(f"{_DEBUG}/") for one in wanted
    )


def _proxy(row: _Row, istiod: IstiodPod) -> Proxy:
    return Proxy(
        name=row.proxy,
        istiod=istiod.name,
        revision=istiod.revision,
        type=row.proxy_type,
        version=row.istio_version,
        states=dict(_states(row)),
    )


def _states(row: _Row) -> Iterator[tuple[str, XdsState]]:
    """Yield each type that the proxy wants; `resources` come last, for they also know the error."""
    yield from _fields(row)
    for url, one in (row.resources or {}).items():
        last = url.rpartition("/")[2].rpartition(".")[2]
        yield (
            _SHORT.get(last, last),
            XdsState(sent=one.sent, acked=one.acked, error=one.last_error or None),
        )


def _fields(row: _Row) -> Iterator[tuple[str, XdsState]]:
    fields = {
        "CDS": (row.cluster_sent, row.cluster_acked),
        "LDS": (row.listener_sent, row.listener_acked),
        "EDS": (row.endpoint_sent, row.endpoint_acked),
        "RDS": (row.route_sent, row.route_acked),
        "ECDS": (row.extensionconfig_sent, row.extensionconfig_acked),
    }
    for short, (sent, acked) in fields.items():
        if sent or acked:
            yield short, XdsState(sent=sent, acked=acked)
