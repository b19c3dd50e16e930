"""What an istiod says of a proxy: in sync, on the way, or refused."""

import itertools
import json

import pytest

from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.istio import debug, rejections, xds
from deployments.rehearsal.istio.metrics import Metrics
from deployments.rehearsal.istio.mood import Rejection
from deployments.rehearsal.istio.xds import Client, Connection


def pod(name: str = "web-1", namespace: str = "shop", labels: Json | None = None) -> Json:
    metadata = {"name": name, "namespace": namespace, "uid": f"u-{name}", "labels": labels or {}}
    return {"metadata": metadata}


def client(role: str = "sidecar", **given: object) -> Client:
    container = {"image": "docker.io/istio/proxyv2:1.29.1", "args": ["proxy", role]}
    return Client.of(pod(**given), container)  # type: ignore[arg-type]  # as given


def connection(of: Client | None = None) -> Connection:
    return Connection(client=of or client(), number=1, lost=lambda: None)


def nonces() -> xds.Nonce:
    numbers = itertools.count(1)
    return lambda: f"n{next(numbers)}"


def row(one: Connection) -> Json:
    found: Json = json.loads(one.encoded())
    return found


def test_at_first_a_proxy_has_clusters_and_endpoints_only_and_has_acknowledged_nothing() -> None:
    one = connection()

    one.begin(nonces())

    found = row(one)
    assert {key for key in found if "_sent" in key} == {"cluster_sent", "endpoint_sent"}
    assert not [key for key in found if "_acked" in key]


def test_then_it_has_everything_and_has_acknowledged_it() -> None:
    one, nonce = connection(), nonces()
    one.begin(nonce)

    one.push(nonce, [], is_stale=False)

    found = row(one)
    for kind in ("cluster", "listener", "route", "endpoint"):
        assert found[f"{kind}_sent"] == found[f"{kind}_acked"]
    assert found["cluster_id"] == "Kubernetes"
    assert found["proxy"] == "web-1.shop"
    assert found["istio_version"] == "1.29.1"
    assert set(found["resources"]) == {xds.CLUSTER, xds.LISTENER, xds.ENDPOINT, xds.ROUTE}


def test_a_gateway_without_routes_wants_none() -> None:
    one = connection(client("router"))

    one.push(nonces(), [], is_stale=False)

    assert row(one)["proxy_type"] == "router"
    assert "route_sent" not in row(one)


def test_a_stale_proxy_acknowledges_nothing_new() -> None:
    one, nonce = connection(), nonces()
    one.push(nonce, [], is_stale=False)

    one.push(nonce, [], is_stale=True)

    assert row(one)["cluster_sent"] != row(one)["cluster_acked"]


def test_a_refused_type_keeps_its_last_acknowledgement_and_says_why() -> None:
    one, nonce = connection(), nonces()
    one.push(nonce, [], is_stale=False)

    refused = one.push(nonce, [Rejection(type_url=xds.CLUSTER, error="bad")], is_stale=False)

    assert refused == [xds.CLUSTER]
    assert row(one)["resources"][xds.CLUSTER]["lastError"] == "bad"
    assert row(one)["cluster_sent"] != row(one)["cluster_acked"]
    assert row(one)["listener_sent"] == row(one)["listener_acked"]


def test_an_error_is_gone_once_the_type_is_taken() -> None:
    one, nonce = connection(), nonces()
    one.push(nonce, [Rejection(type_url=xds.CLUSTER, error="bad")], is_stale=False)

    one.push(nonce, [], is_stale=False)

    assert "lastError" not in row(one)["resources"][xds.CLUSTER]


def envoy_filter(
    *,
    namespace: str = "shop",
    labels: Json | None = None,
    selects: Json | None = None,
    **patch: Json,
) -> Json:
    value = {"connect_timeout": "-5s"}
    change = {"applyTo": "CLUSTER", "patch": {"operation": "MERGE", "value": value}, **patch}
    spec: Json = {"configPatches": [change]}
    if selects:
        spec["workloadSelector"] = {"labels": selects}
    metadata = {"name": "f", "namespace": namespace, "labels": labels or {}}
    return {"metadata": metadata, "spec": spec}


@pytest.mark.parametrize(
    ("given", "count"),
    [
        pytest.param(envoy_filter(), 1, id="one of its own namespace"),
        pytest.param(envoy_filter(namespace="istio-system"), 1, id="one of the whole mesh"),
        pytest.param(envoy_filter(namespace="bank"), 0, id="not one of another namespace"),
        pytest.param(envoy_filter(labels={"istio.io/rev": "1-29-1"}), 1, id="its revision's"),
        pytest.param(envoy_filter(labels={"istio.io/rev": "1-28-3"}), 0, id="not another's"),
        pytest.param(envoy_filter(selects={"app": "web"}), 1, id="one that selects it"),
        pytest.param(envoy_filter(selects={"app": "db"}), 0, id="not one that selects others"),
        pytest.param(envoy_filter(match={"context": "GATEWAY"}), 0, id="not one for gateways"),
        pytest.param(
            envoy_filter(patch={"value": {"connect_timeout": "5s"}}), 0, id="no positive duration"
        ),
    ],
)
def test_a_negative_duration_is_refused_by_whom_it_concerns(given: Json, count: int) -> None:
    found = rejections.of_client([given], client(labels={"app": "web"}), revision="1-29-1")

    assert len(found) == count
    for one in found:
        assert one.type_url == xds.CLUSTER
        assert one.error.startswith("Invalid duration: Expected positive duration")


def rows(path: str, *, is_watched: bool = False) -> list[str]:
    both = [connection(), connection(client(name="db-1", namespace="bank"))]
    body = debug.syncz(path, both, is_watched=is_watched).body
    return [one["proxy"] for one in json.loads(body)]


def test_syncz_tells_all_proxies_or_those_of_one_namespace() -> None:
    assert rows("/debug/syncz") == ["web-1.shop", "db-1.bank"]
    assert rows("/debug/syncz?namespace=bank") == ["db-1.bank"]
    assert rows("/debug/syncz?namespace=nosuch") == []


def test_a_running_istioctl_looks_like_a_proxy() -> None:
    assert "test-1.default" in rows("/debug/syncz", is_watched=True)


def test_metrics_are_prometheus_text() -> None:
    metrics = Metrics()
    metrics.set("pilot_xds", 2, version="1.29.1")
    metrics.count("pilot_total_xds_rejects", type="cds")

    lines = metrics.text().decode().splitlines()

    assert 'pilot_xds{version="1.29.1"} 2' in lines
    assert "# TYPE pilot_xds gauge" in lines
    assert 'pilot_total_xds_rejects{type="cds"} 1' in lines
    assert "sidecar_injection_failure_total 0" in lines
