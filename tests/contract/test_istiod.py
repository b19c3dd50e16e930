"""istiods: what they say of their proxies, by which way they are asked, and what they validate."""

import json
from collections.abc import Iterator

import pytest
from websockets.exceptions import InvalidStatus

from tests.contract import pods, waiting
from tests.contract.client import Json
from tests.contract.istioctl import NEW, NEW_REVISION
from tests.contract.manifests import SERVE, pod_spec, template, workload
from tests.contract.mesh import REVISION, SYSTEM, Mesh
from tests.contract.place import Place

KINDS = ("cluster", "listener", "endpoint", "route")
CLUSTERS = "type.googleapis.com/envoy.config.cluster.v3.Cluster"


@pytest.fixture(scope="module")
def new(mesh: Mesh) -> Mesh:
    """Return a mesh with two revisions."""
    mesh.two_revisions()
    return mesh


@pytest.fixture(scope="module")
def shop(new: Mesh) -> Iterator[Place]:
    """Return a namespace of the new revision with one pod."""
    place = new.cluster.place(**{REVISION: NEW_REVISION})
    place.make("deployments", workload(replicas=1, spec=pod_spec(SERVE, is_probed=True)))
    waiting.ready(place, 1)
    yield place
    place.leave()


def proxy(place: Place) -> str:
    """Return the name of a namespace's only proxy."""
    (pod,) = waiting.pods(place)
    return f"{pod['metadata']['name']}.{place.name}"


def is_complete(row: Json | None) -> bool:
    """Whether a proxy has taken all that it was sent."""
    return row is not None and all(
        row.get(f"{kind}_sent", "") == row.get(f"{kind}_acked", None) for kind in KINDS
    )


def row_of(mesh: Mesh, place: Place, name: str = "") -> Json:
    """Wait until a proxy has everything, and return what its istiod says of it."""
    name = name or proxy(place)

    def found() -> Json | None:
        row = mesh.syncz(NEW_REVISION).get(name)
        return row if is_complete(row) else None

    return mesh.cluster.until(found, f"{name} has everything", seconds=60)


def test_a_proxy_that_has_everything_acknowledged_what_was_sent(new: Mesh, shop: Place) -> None:
    row = row_of(new, shop)

    assert (row["proxy_type"], row["cluster_id"]) == ("sidecar", "Kubernetes")
    assert row["istio_version"] == NEW
    for kind in KINDS:
        assert row[f"{kind}_sent"] == row[f"{kind}_acked"]
    clusters = row["resources"][CLUSTERS]
    assert (clusters["sent"], clusters["acked"]) == (row["cluster_sent"], row["cluster_acked"])
    assert "lastError" not in clusters


def test_it_is_at_its_own_revision_s_istiod_and_at_no_other(new: Mesh, shop: Place) -> None:
    row_of(new, shop)

    assert proxy(shop) not in new.syncz("1-28-3")


def test_rows_can_be_had_for_one_namespace(new: Mesh, shop: Place) -> None:
    row_of(new, shop)

    assert set(new.syncz(NEW_REVISION, f"?namespace={shop.name}")) == {proxy(shop)}
    assert json.loads(new.asked(NEW_REVISION, "/debug/syncz?namespace=nosuch").body) == []


def test_syncz_is_on_both_ports_and_ready_on_one(new: Mesh) -> None:
    assert new.asked(NEW_REVISION, "/debug/syncz", port=8080).code == 200
    assert new.asked(NEW_REVISION, "/ready", port=8080).code == 200
    assert new.asked(NEW_REVISION, "/ready").code == 404
    assert new.asked(NEW_REVISION, "/debug/registrationz").code == 404


def test_an_istiod_says_its_version_and_its_metrics(new: Mesh, shop: Place) -> None:
    row_of(new, shop)

    assert new.asked(NEW_REVISION, "/version").body.startswith(NEW.encode())
    metrics = new.asked(NEW_REVISION, "/metrics").body.decode()
    assert f'pilot_xds{{version="{NEW}"}} ' in metrics
    assert f'istio_build{{component="pilot",tag="{NEW}"}} 1' in metrics


def test_the_api_server_s_proxy_does_not_reach_debug(new: Mesh) -> None:
    base = f"/api/v1/namespaces/{SYSTEM}/pods/{new.istiod(NEW_REVISION)}:15014/proxy"

    code, text = new.cluster.client.text(f"{base}/debug/syncz")

    assert (code, text) == (401, "")
    assert new.cluster.client.text(f"{base}/version")[0] == 200
    assert new.cluster.client.text(f"{base}/metrics")[0] == 200


def test_a_command_in_the_pod_reaches_debug_and_keeps_its_streams_apart(new: Mesh) -> None:
    ask = ("pilot-discovery", "request", "GET", "/debug/syncz")

    ended = pods.executed(new.cluster.client, SYSTEM, new.istiod(NEW_REVISION), *ask)

    assert ended.status["status"] == "Success"
    assert isinstance(json.loads(ended.out), list)


def test_a_page_that_is_not_there_is_no_failure_to_the_command(new: Mesh) -> None:
    ask = ("pilot-discovery", "request", "GET", "/debug/nosuch")

    ended = pods.executed(new.cluster.client, SYSTEM, new.istiod(NEW_REVISION), *ask)

    assert (ended.status["status"], ended.out) == ("Success", b"404 page not found\n\n")


def test_a_command_that_fails_says_its_code(new: Mesh) -> None:
    ask = ("pilot-discovery", "nosuch")

    ended = pods.executed(new.cluster.client, SYSTEM, new.istiod(NEW_REVISION), *ask)

    assert ended.status == {
        "metadata": {},
        "status": "Failure",
        "reason": "NonZeroExitCode",
        "message": "command terminated with non-zero exit code: "
        "command terminated with exit code 255",
        "details": {"causes": [{"reason": "ExitCode", "message": "255"}]},
    }


def test_a_closed_port_is_an_error_in_words(new: Mesh) -> None:
    reply = new.asked(NEW_REVISION, "/", port=1234)

    assert "error forwarding port 1234 to pod" in reply.error or reply.error == "closed"


def test_a_pod_that_is_not_there_is_404_to_a_port_forward(place: Place) -> None:
    with pytest.raises(InvalidStatus) as refused:
        pods.forwarded(place.client, place.name, "nosuch", 15014, "/")

    assert refused.value.response.status_code == 404


def test_a_gateway_is_a_router_and_wants_no_routes_without_any(new: Mesh, place: Place) -> None:
    place.label({REVISION: NEW_REVISION})
    body = workload(replicas=1)
    body["spec"]["template"] = {
        "metadata": {
            "labels": {"app": "web", "sidecar.istio.io/inject": "true"},
            "annotations": {"inject.istio.io/templates": "gateway"},
        },
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "istio-proxy", "image": "auto", "imagePullPolicy": "Never"}],
        },
    }
    place.make("deployments", body)
    waiting.ready(place, 1)

    row = new.cluster.until(
        lambda: (
            row
            if (row := new.syncz(NEW_REVISION).get(proxy(place), {})).get("listener_acked")
            else None
        ),
        "the gateway is configured",
    )

    assert row["proxy_type"] == "router"
    assert "route_sent" not in row


def test_the_entry_of_a_pod_goes_with_it(new: Mesh, place: Place) -> None:
    place.label({REVISION: NEW_REVISION})
    place.make("deployments", workload(replicas=1))
    waiting.ready(place, 1)
    name = proxy(place)
    row_of(new, place)

    place.merge("deployments", "web", {"spec": {"replicas": 0}}, sub="scale")

    place.until(lambda: not place.items("pods"), "the pod is gone")
    new.cluster.until(lambda: name not in new.syncz(NEW_REVISION), "its entry is gone", seconds=10)


def test_a_finished_job_s_proxy_is_not_connected(new: Mesh, place: Place) -> None:
    place.label({REVISION: NEW_REVISION})
    spec = pod_spec("sleep 2; exit 0") | {"restartPolicy": "Never"}
    place.make("jobs", {"metadata": {"name": "web"}, "spec": {"template": template(spec=spec)}})

    place.until(lambda: waiting.condition(place.get("jobs", "web"), "Complete"), "it completes")

    (pod,) = place.items("pods")
    assert pod["status"]["phase"] == "Succeeded"
    name = f"{pod['metadata']['name']}.{place.name}"
    new.cluster.until(lambda: name not in new.syncz(NEW_REVISION), "its entry is gone", seconds=10)


def test_what_envoy_rejects_is_an_error_of_its_type_and_goes_with_its_cause(
    new: Mesh, place: Place
) -> None:
    place.label({REVISION: NEW_REVISION})
    place.make("deployments", workload(replicas=1))
    waiting.ready(place, 1)
    row_of(new, place)
    patch = {"operation": "MERGE", "value": {"connect_timeout": "-5s"}}
    match = {"context": "SIDECAR_OUTBOUND"}
    spec = {"configPatches": [{"applyTo": "CLUSTER", "match": match, "patch": patch}]}
    body = {"apiVersion": "networking.istio.io/v1alpha3", "kind": "EnvoyFilter"}
    place.make("envoyfilters", body | {"metadata": {"name": "impossible"}, "spec": spec})

    def clusters() -> Json:
        row = new.syncz(NEW_REVISION).get(proxy(place), {})
        found: Json = row.get("resources", {}).get(CLUSTERS, {})
        return found | {"row": row}

    failed = new.cluster.until(
        lambda: found if "lastError" in (found := clusters()) else None, "an error"
    )

    assert "Expected positive duration" in failed["lastError"]
    assert failed["row"]["cluster_sent"] != failed["row"]["cluster_acked"]
    assert waiting.is_ready(waiting.pods(place)[0])
    metrics = new.asked(NEW_REVISION, "/metrics").body.decode()
    assert 'pilot_total_xds_rejects{type="cds"}' in metrics
    place.ask("DELETE", "envoyfilters", "impossible")
    new.cluster.until(lambda: "lastError" not in clusters(), "no error")


def test_a_virtual_service_is_validated(new: Mesh, place: Place) -> None:
    good = new.virtual_service(place.name, weight=100)
    bad = new.virtual_service(place.name, weight=-5)

    assert good.code == 201
    assert bad.code == 400
    assert bad.message.startswith('admission webhook "')
    assert 'validation.istio.io" denied the request: configuration is invalid:' in bad.message
    assert "weight -5 < 0" in bad.message


def test_istioctl_looks_like_a_proxy_of_no_cluster(new: Mesh) -> None:
    ran = new.istioctl.well(
        "x", "internal-debug", "syncz", f"--revision={NEW_REVISION}", version=NEW
    )

    rows = json.loads(ran.out[ran.out.index("[") :])
    (own,) = (row for row in rows if row["proxy"].startswith("test-1."))
    assert (own["proxy_type"], own["istio_version"]) == ("sidecar", "65536.65536.65536")
    assert "cluster_id" not in own


def test_proxy_status_names_the_proxies_of_one_revision(new: Mesh, shop: Place) -> None:
    row_of(new, shop)

    ran = new.istioctl.well("proxy-status", f"--revision={NEW_REVISION}")

    lines = [line.split() for line in ran.out.splitlines()]
    assert lines[0] == ["NAME", "CLUSTER", "ISTIOD", "VERSION", "SUBSCRIBED", "TYPES"]
    (line,) = (one for one in lines if one[0] == proxy(shop))
    assert line[1:4] == ["Kubernetes", new.istiod(NEW_REVISION), NEW]


def test_proxy_status_of_a_revision_without_istiod_fails(new: Mesh) -> None:
    ran = new.istioctl.run("proxy-status", "--revision=nosuch")

    assert ran.code == 1
    assert 'no running Istio pods in "istio-system"' in ran.err


def test_version_knows_the_istiods_and_the_proxies(new: Mesh, shop: Place) -> None:
    row_of(new, shop)

    ran = new.istioctl.well("version", f"--revision={NEW_REVISION}", "-o", "json")

    found = json.loads(ran.out)
    assert [one["Info"]["version"] for one in found["meshVersion"]] == [NEW]
    proxies = {one["ID"]: one for one in found["dataPlaneVersion"]}
    assert proxies[proxy(shop)]["IstioVersion"] == NEW


def test_precheck_asks_and_finds_nothing_that_stops(new: Mesh) -> None:
    ran = new.istioctl.run("x", "precheck", "-o", "json")

    found = json.loads(ran.out or "[]")
    assert not [one for one in found if one["level"] == "Error"]


def test_after_an_istiod_is_replaced_its_proxies_come_back_later(new: Mesh, shop: Place) -> None:
    name = proxy(shop)
    row_of(new, shop)
    pod = new.istiod(NEW_REVISION)

    new.cluster.delete("pods", pod, namespace=SYSTEM, gracePeriodSeconds=1)
    new.cluster.until(lambda: new.istiod(NEW_REVISION) != pod, "another istiod")

    new.cluster.until(lambda: name in new.syncz(NEW_REVISION), "the proxy is back", seconds=120)
    assert waiting.is_ready(waiting.pods(shop)[0])


def test_a_pod_says_how_its_sidecar_is_apart_from_its_own_containers(
    new: Mesh, shop: Place
) -> None:
    (pod,) = waiting.pods(shop)

    sidecars = {one["name"]: one for one in pod["status"]["initContainerStatuses"]}
    assert set(sidecars) == {"istio-init", "istio-proxy"}
    assert "running" in sidecars["istio-proxy"]["state"]
    assert sidecars["istio-init"]["state"]["terminated"]["reason"] == "Completed"
    assert [one["name"] for one in pod["status"]["containerStatuses"]] == ["web"]
