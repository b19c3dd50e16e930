"""Injection: who injects a pod, by what its namespace and itself say, and what an injected pod is like."""

import json
from collections.abc import Iterator, Mapping

import pytest

from tests.contract import waiting
from tests.contract.client import Json
from tests.contract.istioctl import NEW_REVISION, OLD_REVISION
from tests.contract.manifests import SERVE, pod_spec, workload
from tests.contract.mesh import INJECTORS, STATUS, SYSTEM, Mesh, revision_of
from tests.contract.place import Place

OLD, NEW = OLD_REVISION, NEW_REVISION
INJECT, REVISION, INJECTION = "sidecar.istio.io/inject", "istio.io/rev", "istio-injection"

# The default is 1-28-3, the tag prod 1-29-1.
PODS: Mapping[str, Json] = {
    "plain": {},
    "inject=true": {INJECT: "true"},
    "inject=false": {INJECT: "false"},
    "rev=1-29-1": {REVISION: NEW},
    "rev=prod": {REVISION: "prod"},
    "inject=true,rev=1-29-1": {INJECT: "true", REVISION: NEW},
    "rev=nosuch": {REVISION: "nosuch"},
    "inject=true,rev=nosuch": {INJECT: "true", REVISION: "nosuch"},
}
_OLD = (OLD, OLD, None, OLD, OLD, OLD, OLD, OLD)
_NEW = (NEW, NEW, None, NEW, NEW, NEW, NEW, NEW)
_NOBODY = (None,) * 8
TABLE: list[tuple[Json, tuple[str | None, ...]]] = [
    ({INJECTION: "enabled"}, _OLD),
    ({INJECTION: "enabled", REVISION: NEW}, _OLD),
    ({INJECTION: "disabled"}, _NOBODY),
    ({INJECTION: "disabled", REVISION: NEW}, _NOBODY),
    ({INJECTION: "yes"}, _NOBODY),
    ({INJECTION: "yes", REVISION: NEW}, _NOBODY),
    ({REVISION: OLD}, _OLD),
    ({REVISION: "default"}, _OLD),
    ({REVISION: NEW}, _NEW),
    ({REVISION: "prod"}, _NEW),
    ({REVISION: "nosuch"}, _NOBODY),
    ({}, (None, OLD, None, NEW, NEW, NEW, None, None)),
]


def _words(labels: Json) -> str:
    said = [f"{key.rpartition('/')[2]}={value}" for key, value in labels.items()]
    return ",".join(said) or "none"


CELLS = [
    pytest.param(labels, pod, revision, id=f"namespace {_words(labels)}: pod {name}")
    for labels, row in TABLE
    for (name, pod), revision in zip(PODS.items(), row, strict=True)
]


@pytest.fixture(scope="module")
def tagged(mesh: Mesh) -> Mesh:
    """Return a mesh with two revisions and the tag prod on the new one."""
    mesh.two_revisions()
    mesh.istioctl.well("tag", "set", "prod", "--revision", NEW, "--overwrite")
    return mesh


@pytest.fixture(scope="module")
def namespaces(tagged: Mesh) -> Iterator[Mapping[str, Place]]:
    """Return a namespace for each row of the table."""
    found = {_words(labels): tagged.cluster.place(**labels) for labels, _ in TABLE}
    yield found
    for place in found.values():
        place.leave()


@pytest.mark.parametrize(("labels", "pod", "expected"), CELLS)
def test_the_table_of_precedence(
    tagged: Mesh, namespaces: Mapping[str, Place], labels: Json, pod: Json, expected: str | None
) -> None:
    assert tagged.injected_by(namespaces[_words(labels)].name, pod) == expected


def test_a_relabelled_namespace_is_the_new_revision_s_at_once(tagged: Mesh, place: Place) -> None:
    place.label({INJECTION: "enabled"})
    assert tagged.injected_by(place.name) == OLD

    place.label({INJECTION: None, REVISION: NEW})

    tagged.cluster.until(
        lambda: tagged.injected_by(place.name) == NEW, "it is the new one's", seconds=2
    )


def test_an_annotation_against_injection_is_heeded(tagged: Mesh, place: Place) -> None:
    place.label({REVISION: NEW})

    assert tagged.injected_by(place.name, annotations={INJECT: "false"}) is None


def test_a_pod_on_its_host_s_network_is_not_injected(tagged: Mesh, place: Place) -> None:
    place.label({REVISION: NEW})
    body = {"metadata": {"name": "probe"}, "spec": pod_spec() | {"hostNetwork": True}}

    assert revision_of(place.make("pods", body, dryRun="All")) is None


def test_no_pod_is_made_by_a_dry_run(tagged: Mesh, place: Place) -> None:
    place.label({REVISION: NEW})

    tagged.injected_by(place.name)

    assert place.items("pods") == []


def test_an_injected_pod_says_so_in_annotations_and_not_in_labels(
    tagged: Mesh, place: Place
) -> None:
    place.label({REVISION: "prod"})

    made = tagged.dry_run(place.name, {"app": "web"}).object

    annotations, labels = made["metadata"]["annotations"], made["metadata"]["labels"]
    status = json.loads(annotations[STATUS])
    assert status["revision"] == annotations[REVISION] == NEW
    assert status["initContainers"] == ["istio-init", "istio-proxy"]
    assert {"istio-envoy", "istio-data", "istio-token", "istiod-ca-cert"} <= set(status["volumes"])
    assert REVISION not in labels
    assert labels["service.istio.io/canonical-name"] == "web"
    assert labels["security.istio.io/tlsMode"] == "istio"


def test_the_proxy_is_a_native_sidecar_of_the_revision_s_image(tagged: Mesh, place: Place) -> None:
    place.label({REVISION: NEW})

    spec = tagged.dry_run(place.name).object["spec"]

    inits = {one["name"]: one for one in spec["initContainers"]}
    assert inits["istio-proxy"]["restartPolicy"] == "Always"
    assert inits["istio-proxy"]["image"].startswith("docker.io/istio/proxyv2:1.29.1")
    assert [one["name"] for one in spec["containers"]] == ["web"]
    assert {one["name"] for one in spec["volumes"]} >= {"istio-envoy", "istio-podinfo"}


def test_a_gateway_is_a_proxy_and_nothing_else(tagged: Mesh, place: Place) -> None:
    template = {"inject.istio.io/templates": "gateway"}
    body = {
        "metadata": {"name": "gw", "labels": {INJECT: "true"}, "annotations": template},
        "spec": {"containers": [{"name": "istio-proxy", "image": "auto"}]},
    }

    made = place.make("pods", body, dryRun="All")

    (only,) = made["spec"]["containers"]
    assert only["image"].startswith("docker.io/istio/proxyv2:1.28.3")
    assert "router" in only["args"]
    assert revision_of(made) == OLD


def test_an_injector_without_endpoints_lets_no_pod_be_made(tagged: Mesh, place: Place) -> None:
    place.label({REVISION: NEW})
    place.make("deployments", workload(replicas=0))
    tagged.scale(NEW, 0)
    try:
        # Until its endpoint is gone, a pod that has ended refuses the connection.
        refused = tagged.cluster.until(
            lambda: (
                answer if "no endpoints" in (answer := tagged.dry_run(place.name)).message else None
            ),
            "refused",
        )
        place.merge("deployments", "web", {"spec": {"replicas": 1}}, sub="scale")
        failed = place.until(
            lambda: waiting.condition(place.get("deployments", "web"), "ReplicaFailure"),
            "a failure",
        )
    finally:
        tagged.scale(NEW, 1)
    text = (
        'Internal error occurred: failed calling webhook "rev.namespace.sidecar-injector.istio.io": '
        'failed to call webhook: Post "https://istiod-1-29-1.istio-system.svc:443/inject?timeout=10s": '
        'no endpoints available for service "istiod-1-29-1"'
    )
    assert refused.said == (500, "InternalError", text)
    assert (failed["status"], failed["reason"], failed["message"]) == ("True", "FailedCreate", text)
    waiting.ready(place, 1)


def test_pods_of_an_old_replica_set_are_injected_by_today_s_label(
    tagged: Mesh, place: Place
) -> None:
    place.label({REVISION: OLD})
    place.make("deployments", workload(replicas=1, spec=pod_spec(SERVE, is_probed=True)))
    (first,) = waiting.ready(place, 1)
    place.label({REVISION: NEW})

    place.ask("DELETE", "pods", first["metadata"]["name"])
    place.until(lambda: waiting.names(waiting.pods(place)) - waiting.names([first]), "another")

    (second,) = waiting.pods(place)
    hashes = {one["metadata"]["labels"]["pod-template-hash"] for one in (first, second)}
    assert (revision_of(first), revision_of(second)) == (OLD, NEW)
    assert len(hashes) == 1


def test_each_revision_has_webhooks_that_fail_closed(tagged: Mesh) -> None:
    found = tagged.cluster.get(INJECTORS, f"istio-sidecar-injector-{NEW}")

    hooks = {one["name"]: one for one in found["webhooks"]}
    assert set(hooks) == {
        "rev.namespace.sidecar-injector.istio.io",
        "rev.object.sidecar-injector.istio.io",
    }
    for hook in hooks.values():
        assert (hook["failurePolicy"], hook["sideEffects"]) == ("Fail", "None")
        service = hook["clientConfig"]["service"]
        assert (service["name"], service["namespace"], service["path"], service["port"]) == (
            f"istiod-{NEW}",
            SYSTEM,
            "/inject",
            443,
        )
        assert hook["clientConfig"]["caBundle"]


def test_every_namespace_gets_the_mesh_s_root_certificate(tagged: Mesh, place: Place) -> None:
    found = place.until(lambda: place.find("configmaps", "istio-ca-root-cert"), "a certificate")

    assert "BEGIN CERTIFICATE" in found["data"]["root-cert.pem"]
