"""What an injector does to a pod, once a webhook has led the pod to it."""

import base64
import json
from typing import cast

import pytest

from deployments.rehearsal.cluster.objects import Json, annotations_of, labels_of, spec_of
from deployments.rehearsal.istio import injector, names
from deployments.rehearsal.istio.injector import Injector
from deployments.rehearsal.istio.settings import Settings

INJECTOR = Injector(revision="1-29-1", version="1.29.1", namespace="istio-system")
SETTINGS = Settings(mesh={}, values={}, injection={})


def pod(*, labels: Json | None = None, annotations: Json | None = None, **spec: object) -> Json:
    containers: list[Json] = [{"name": "web", "image": "busybox:1"}]
    return {
        "metadata": {"name": "web-1", "labels": labels or {}, "annotations": annotations or {}},
        "spec": {"containers": containers, **spec},
    }


def injected(given: Json) -> Json:
    return INJECTOR.injected(given, "shop", SETTINGS)


def found(given: Json, key: str) -> list[str]:
    return [one["name"] for one in spec_of(given)[key]]


@pytest.mark.parametrize(
    ("given", "is_wanted"),
    [
        pytest.param(pod(), True, id="who comes here is injected"),
        pytest.param(pod(annotations={names.INJECT: "false"}), False, id="an annotation refuses"),
        pytest.param(pod(labels={names.INJECT: "false"}), False, id="a label refuses"),
        pytest.param(
            pod(labels={names.INJECT: "true"}, annotations={names.INJECT: "false"}),
            True,
            id="of label and annotation the label counts",
        ),
        pytest.param(pod(hostNetwork=True), False, id="the host's network is left alone"),
    ],
)
def test_some_pods_are_passed_on_without_a_sidecar(given: Json, is_wanted: bool) -> None:
    assert INJECTOR.is_wanted(given, "shop", SETTINGS) is is_wanted


def test_system_namespaces_are_left_alone() -> None:
    assert not INJECTOR.is_wanted(pod(), "kube-system", SETTINGS)


def test_the_sidecar_is_an_init_container_that_stays() -> None:
    given = pod(initContainers=[{"name": "mine", "image": "busybox:1"}])

    made = injected(given)

    assert found(made, "initContainers") == ["istio-init", "istio-proxy", "mine"]
    assert found(made, "containers") == ["web"]
    proxy = spec_of(made)["initContainers"][1]
    assert proxy["restartPolicy"] == "Always"
    assert proxy["image"] == "docker.io/istio/proxyv2:1.29.1"


def test_the_status_annotation_has_exactly_istio_s_shape() -> None:
    status = json.loads(annotations_of(injected(pod()))[names.STATUS])

    assert status == {
        "initContainers": ["istio-init", "istio-proxy"],
        "containers": None,
        "volumes": [
            "workload-socket",
            "credential-socket",
            "workload-certs",
            "istio-envoy",
            "istio-data",
            "istio-podinfo",
            "istio-token",
            "istiod-ca-cert",
            "istio-ca-crl",
        ],
        "imagePullSecrets": None,
        "revision": "1-29-1",
    }


def test_marks_name_the_resolved_revision_and_never_become_labels() -> None:
    made = injected(pod(labels={"app": "web", names.REVISION: "prod"}))

    assert annotations_of(made)[names.REVISION] == "1-29-1"
    assert labels_of(made)[names.REVISION] == "prod"
    assert labels_of(made)["service.istio.io/canonical-name"] == "web"
    assert labels_of(made)["security.istio.io/tlsMode"] == "istio"


def test_an_injector_without_a_revision_calls_itself_default() -> None:
    plain = Injector(revision="", version="1.28.3", namespace="istio-system")

    made = plain.injected(pod(), "shop", SETTINGS)

    assert annotations_of(made)[names.REVISION] == "default"
    proxy = names.container(made, names.PROXY) or {}
    assert names.environment(proxy)["CA_ADDR"] == "istiod.istio-system.svc:15012"


def test_injecting_twice_changes_nothing_more() -> None:
    once = injected(pod(labels={"app": "web"}))

    assert injected(once) == once


def test_a_pod_of_another_revision_is_injected_anew() -> None:
    old = Injector(revision="1-28-3", version="1.28.3", namespace="istio-system")

    made = injected(old.injected(pod(), "shop", SETTINGS))

    assert made == injected(pod())


def gateway() -> Json:
    given = pod(annotations={names.TEMPLATES: "gateway"}, labels={names.INJECT: "true"})
    container = {"name": "istio-proxy", "image": "auto", "imagePullPolicy": "Never"}
    given["spec"]["containers"] = [container]
    return given


def test_a_gateway_is_filled_in_where_its_image_is_auto() -> None:
    made = injected(gateway())

    (proxy,) = spec_of(made)["containers"]
    assert proxy["image"] == "docker.io/istio/proxyv2:1.29.1"
    assert proxy["imagePullPolicy"] == "Never"
    assert proxy["args"][:2] == ["proxy", "router"]
    assert "initContainers" not in spec_of(made)
    assert json.loads(annotations_of(made)[names.STATUS])["containers"] == ["istio-proxy"]


def test_a_gateway_injected_twice_is_the_same() -> None:
    once = injected(gateway())

    assert injected(once) == once


def test_what_a_pod_says_of_its_own_sidecar_counts() -> None:
    given = pod()
    limits = {"limits": {"cpu": "3"}}
    own = {"name": "istio-proxy", "image": "auto", "resources": limits}
    given["spec"]["containers"].append(own)

    made = injected(given)

    proxy = names.container(made, names.PROXY) or {}
    assert proxy["resources"] == limits
    assert proxy["image"] == "docker.io/istio/proxyv2:1.29.1"
    assert found(made, "containers") == ["web"]


def test_http_probes_go_through_the_proxy() -> None:
    given = pod()
    probe = {"httpGet": {"path": "/index.html", "port": 8080}, "periodSeconds": 1}
    given["spec"]["containers"][0]["readinessProbe"] = probe

    made = injected(given)

    assert spec_of(made)["containers"][0]["readinessProbe"] == {
        "httpGet": {"path": "/app-health/web/readyz", "port": 15020},
        "periodSeconds": 1,
    }
    proxy = names.container(made, names.PROXY) or {}
    probers = json.loads(names.environment(proxy)["ISTIO_KUBE_APP_PROBERS"])
    assert probers["/app-health/web/readyz"]["httpGet"] == probe["httpGet"]


def test_a_pod_of_a_deployment_is_named_by_it() -> None:
    given = pod(labels={"pod-template-hash": "6b5c9"})
    owner = {"kind": "ReplicaSet", "apiVersion": "apps/v1", "name": "sleep-6b5c9"}
    given["metadata"]["ownerReferences"] = [owner | {"controller": True}]

    proxy = names.container(injected(given), names.PROXY) or {}

    assert names.environment(proxy)["ISTIO_META_WORKLOAD_NAME"] == "sleep"
    assert names.environment(proxy)["ISTIO_META_OWNER"].endswith(
        "namespaces/shop/deployments/sleep"
    )


def test_the_image_is_what_the_values_say() -> None:
    shared = {"hub": "reg.local/istio", "tag": "9.9", "imagePullPolicy": "Never"}
    settings = Settings(mesh={}, values={"global": shared}, injection={})

    proxy = names.container(INJECTOR.injected(pod(), "shop", settings), names.PROXY) or {}

    assert (proxy["image"], proxy["imagePullPolicy"]) == ("reg.local/istio/proxyv2:9.9", "Never")


def test_the_answer_is_a_json_patch_that_makes_the_pod() -> None:
    before = pod()
    after = injected(before)

    answer = injector.response("u-1", before, after)["response"]

    assert (answer["uid"], answer["allowed"], answer["patchType"]) == ("u-1", True, "JSONPatch")
    changed: Json = json.loads(json.dumps(before))
    for step in cast("list[Json]", json.loads(base64.b64decode(answer["patch"]))):
        _, part, key = step["path"].split("/")
        changed[part][key] = step["value"]
    assert changed == after


def test_a_pod_that_is_passed_on_is_allowed_without_a_patch() -> None:
    assert injector.response("u-1", None, None)["response"] == {"uid": "u-1", "allowed": True}
