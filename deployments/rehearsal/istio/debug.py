"""istiod's debug pages: which proxies are connected, and how they stand."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from deployments.rehearsal.cluster.objects import (
    Json,
    name_of,
    namespace_of,
    ports_of,
    spec_of,
)
from deployments.rehearsal.cluster.programs import Response
from deployments.rehearsal.istio.xds import Connection

_JSON: Final = {"Content-Type": "application/json"}
# How a running istioctl looks to an istiod: a proxy of no cluster, with impossible numbers.
ISTIOCTL: Final[Json] = {
    "proxy": "test-1.default",
    "proxy_type": "sidecar",
    "istio_version": "65536.65536.65536",
}


def syncz(path: str, connections: Iterable[Connection], *, is_watched: bool) -> Response:
    """Return the state of every proxy, or of one namespace's."""
    asked = parse_qs(urlsplit(path).query).get("namespace", [""])[0]
    rows = [one.encoded() for one in connections if asked in {"", one.client.namespace}]
    if is_watched and asked in {"", "default"}:
        rows.append(msgspec.json.encode(ISTIOCTL))
    return Response(headers=_JSON, body=b"[" + b",".join(rows) + b"]")


def connections(found: Iterable[Connection]) -> Response:
    clients = [
        {
            "connectionId": one.id,
            "connectedAt": one.connected_at,
            "address": f"{one.client.address}:{30000 + one.number % 30000}",
        }
        for one in found
    ]
    body = msgspec.json.encode({"totalClients": len(clients), "clients": clients})
    return Response(headers=_JSON, body=body)


def registry(services: Iterable[Json]) -> Response:
    """Return the Services that istiod knows, by the names that proxies use."""
    found: list[Json] = [
        {
            "Attributes": {"Name": name_of(one), "Namespace": namespace_of(one)},
            "hostname": f"{name_of(one)}.{namespace_of(one)}.svc.cluster.local",
            "ports": list(ports_of(spec_of(one))),
        }
        for one in services
    ]
    return Response(headers=_JSON, body=msgspec.json.encode(found))
