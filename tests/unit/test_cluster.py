"""What an inventory says of a cluster whose API server answers as a real one was seen to."""

from datetime import UTC, datetime

import pytest

from tasks.adapters.cluster import KubernetesCluster
from tasks.adapters.kubernetes_api import Unreachable
from tasks.domain.errors import BadInputError, RefusedError
from tasks.domain.inventory import Inventory, Kind, WebhookKind, WorkloadRef
from tests.unit.cluster_answers import (
    CONFIG,
    MUTATING,
    SLICES,
    SYSTEM,
    VALIDATING,
    Answers,
    Object,
    discovered,
    istiod,
    meta,
    pod,
    read,
    webhook,
)
from tests.unit.scripted_server import Reply, connected, json, refused, serving


def test_an_empty_cluster_is_read_without_complaint() -> None:
    found = read({})
    assert found == Inventory(
        read_at=datetime(2026, 11, 24, 10, 0, 5, tzinfo=UTC), kubernetes="v1.34.4"
    )


# ---------------------------------------------------------------- Istio's own


def test_a_control_plane_is_its_deployment_with_all_that_belongs_to_it() -> None:
    running = pod(
        "istiod-1-28-3-x",
        namespace=SYSTEM,
        labels={"app": "istiod", "istio.io/rev": "1-28-3"},
        status={
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [
                {"name": "discovery", "state": {"running": {"startedAt": "2026-11-24T09:00:00Z"}}}
            ],
        },
    )
    over = pod(
        "evicted",
        namespace=SYSTEM,
        labels={"app": "istiod", "istio.io/rev": "1-28-3"},
        status={"phase": "Failed"},
    )
    slice_of = {
        "metadata": meta("s", SYSTEM, labels={"kubernetes.io/service-name": "istiod-1-28-3"}),
        "endpoints": [
            {"addresses": ["10.0.0.1"], "conditions": {"ready": True}, "targetRef": {"name": "a"}},
            {"addresses": ["fd00::1"], "conditions": {"ready": True}, "targetRef": {"name": "a"}},
            {"addresses": ["10.0.0.2"], "conditions": {"ready": False}, "targetRef": {"name": "b"}},
            {"addresses": ["10.0.0.3"], "conditions": {}},
        ],
    }
    found = read(
        {
            "/apis/apps/v1/deployments": [istiod("1-28-3")],
            "/api/v1/pods": [running, over],
            SLICES: [slice_of],
        },
        {
            f"{CONFIG}/istio-1-28-3": json({"data": {"mesh": "trustDomain: a"}}),
            f"{CONFIG}/values-1-28-3": json({"data": {"merged-values": "{}"}}),
            f"{CONFIG}/istio-ca-root-cert": json({"data": {"root-cert.pem": "PEM"}}),
        },
    )
    [plane] = found.control_planes
    assert (plane.revision, plane.version, plane.service) == ("1-28-3", "1.28.3", "istiod-1-28-3")
    assert plane.ready_endpoints == 2  # a pod of two addresses is one, a missing condition is ready
    assert (plane.mesh_config, plane.values, plane.root_certificate) == (
        "trustDomain: a",
        "{}",
        "PEM",
    )
    assert [one.name for one in plane.pods] == ["istiod-1-28-3-x"]
    assert plane.pods[0].started_at == datetime(2026, 11, 24, 9, tzinfo=UTC)
    assert plane.pods[0].ready
    assert plane.is_healthy
    assert not found.unread


def test_an_istiod_without_a_revision_is_the_default_one() -> None:
    [plane] = read(
        {"/apis/apps/v1/deployments": [istiod(None)]},
        {f"{CONFIG}/istio": json({"data": {"mesh": "m"}})},
    ).control_planes
    assert (plane.revision, plane.service, plane.mesh_config) == ("default", "istiod", "m")
    assert plane.ready_endpoints == 0


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("docker.io/istio/pilot:1.28.3", "1.28.3"),
        ("docker.io/istio/pilot:1.28.3-distroless", "1.28.3"),
        ("registry:5000/pilot:1.28.3@sha256:0123", "1.28.3"),
        ("registry:5000/pilot", None),
        ("pilot@sha256:0123", None),
        ("pilot:latest", None),
    ],
)
def test_the_version_is_the_image_tags_where_that_is_one(image: str, version: str | None) -> None:
    [plane] = read({"/apis/apps/v1/deployments": [istiod("a", image)]}).control_planes
    assert plane.version == version


def test_the_service_is_the_one_that_the_revisions_own_injector_calls() -> None:
    lists = {
        "/apis/apps/v1/deployments": [istiod("a")],
        MUTATING: [
            webhook("istio-revision-tag-x", "tagged", istio_io__rev="a", istio_io__tag="x"),
            webhook(
                "istio-sidecar-injector-a", "pilot-a", app="sidecar-injector", istio_io__rev="a"
            ),
        ],
    }
    assert read(lists).control_planes[0].service == "pilot-a"


def test_webhooks_are_istios_only_and_tags_say_where_they_really_point() -> None:
    found = read(
        {
            MUTATING: [
                webhook(
                    "istio-revision-tag-prod", "istiod-b", istio_io__rev="a", istio_io__tag="prod"
                ),
                webhook("cert-manager", "cm"),
            ],
            VALIDATING: [webhook("istiod-default-validator", "istiod-a")],
        }
    )
    assert [(one.kind, one.name) for one in found.webhooks] == [
        (WebhookKind.MUTATING, "istio-revision-tag-prod"),
        (WebhookKind.VALIDATING, "istiod-default-validator"),
    ]
    [tag] = found.tags
    assert (tag.name, tag.revision, tag.service) == ("prod", "a", "istio-system/istiod-b")
    assert found.webhooks[0].has_ca_bundle


def test_an_injector_is_shut_when_all_its_selectors_never_match() -> None:
    never = {"matchLabels": {"istio.io/deactivated": "never-match"}}
    shut, open_ = webhook("istio-sidecar-injector", "istiod"), webhook("istio-x", "istiod")
    shut["webhooks"][0] |= {"namespaceSelector": never, "objectSelector": never}
    open_["webhooks"][0] |= {"namespaceSelector": never, "objectSelector": {}}
    open_["webhooks"][0]["clientConfig"].pop("caBundle")
    found = read({MUTATING: [shut, open_]}).webhooks
    assert [(one.is_deactivated, one.has_ca_bundle) for one in found] == [
        (True, True),
        (False, False),
    ]


def test_gateways_are_those_of_istios_classes() -> None:
    base = "/apis/gateway.networking.k8s.io/v1"
    found = read(
        {
            f"{base}/gateways": [
                {"metadata": meta("a"), "spec": {"gatewayClassName": "istio"}},
                {"metadata": meta("b"), "spec": {"gatewayClassName": "nginx"}},
                {"metadata": meta("c"), "spec": {"gatewayClassName": "of-nobody-known"}},
            ],
            f"{base}/gatewayclasses": [
                {
                    "metadata": {"name": "istio"},
                    "spec": {"controllerName": "istio.io/gateway-controller"},
                },
                {"metadata": {"name": "nginx"}, "spec": {"controllerName": "nginx.org/controller"}},
            ],
        }
    )
    assert [one.name for one in found.gateways] == ["a", "c"]


def test_istios_resources_that_only_one_revision_sees_are_found_by_discovery() -> None:
    path = "/apis/networking.istio.io/v1/sidecars"
    labelled = {"metadata": meta("s", labels={"istio.io/rev": "a"})}
    answers = Answers({path: [labelled]}, discovered())
    with serving(answers) as server, connected(server.url) as api:
        [found] = KubernetesCluster(api).read().labelled_configs
        assert server.of(path)[0].query["labelSelector"] == "istio.io/rev"
        assert not server.of("/apis/example.com/v1")
    assert (found.kind, found.namespace, found.name, found.revision) == (
        "Sidecar",
        "shop",
        "s",
        "a",
    )


def test_namespaces_and_budgets_are_read() -> None:
    found = read(
        {
            "/api/v1/namespaces": [
                {"metadata": meta("a", "", labels={"istio-injection": "enabled"})},
                {"metadata": meta("b", ""), "status": {"phase": "Terminating"}},
            ],
            "/apis/policy/v1/poddisruptionbudgets": [
                {"metadata": meta("x"), "status": {"disruptionsAllowed": 1, "expectedPods": 2}}
            ],
        }
    )
    assert [(one.name, one.is_terminating, one.version) for one in found.namespaces] == [
        ("a", False, "7"),
        ("b", True, "7"),
    ]
    [budget] = found.budgets
    assert (budget.disruptions_allowed, budget.expected_pods) == (1, 2)


# ---------------------------------------------------------------- what cannot be read


def known(path: str, resource: str) -> dict[str, Reply]:
    return {path: json({"resources": [{"name": resource, "kind": "K", "verbs": ["list"]}]})}


@pytest.mark.parametrize("resource", ["workflows", None])
def test_a_kind_that_the_cluster_does_not_know_is_not_missed(resource: str | None) -> None:
    # Without rights the API server says 403 also for what does not exist.
    group = known("/apis/argoproj.io/v1alpha1", resource) if resource else {}
    forbidden = refused(403, "Forbidden", "rollouts is forbidden")
    found = read({}, {**group, "/apis/argoproj.io/v1alpha1/rollouts": forbidden})
    assert not found.unread


def test_what_we_may_not_read_is_named_and_the_rest_is_read() -> None:
    forbidden = refused(403, "Forbidden", "pods is forbidden")
    found = read(
        {"/api/v1/namespaces": [{"metadata": meta("a", "")}]},
        {
            **discovered(),
            **known("/apis/argoproj.io/v1alpha1", "rollouts"),
            **known("/api/v1", "pods"),
            **known("/apis/discovery.k8s.io/v1", "endpointslices"),
            "/api/v1/pods": forbidden,
            SLICES: forbidden,
            "/apis/argoproj.io/v1alpha1/rollouts": forbidden,
            "/apis/networking.istio.io/v1/sidecars": forbidden,
            f"{CONFIG}/istio-ca-root-cert": forbidden,
        },
    )
    assert [one.what for one in found.unread] == [
        "ConfigMap istio-system/istio-ca-root-cert",
        "EndpointSlices of istio-system",
        "Rollouts",
        "pods",
        "sidecars of networking.istio.io",
    ]
    assert "pods is forbidden" in found.unread[0].why
    assert [one.name for one in found.namespaces] == ["a"]


def test_endpoints_that_cannot_be_read_are_unknown_and_not_healthy() -> None:
    [plane] = read(
        {"/apis/apps/v1/deployments": [istiod("a")]},
        {
            SLICES: refused(403, "Forbidden", "no"),
            **known("/apis/discovery.k8s.io/v1", "endpointslices"),
        },
    ).control_planes
    assert plane.ready_endpoints is None
    assert not plane.is_healthy


def test_a_list_of_another_shape_is_unread_and_no_crash() -> None:
    found = read({}, {"/api/v1/pods": json({"items": "all of them"})})
    assert [one.what for one in found.unread] == ["pods"]


def test_an_api_server_that_goes_away_while_it_is_read_ends_the_reading() -> None:
    with pytest.raises(Unreachable):
        read({}, {"/api/v1/pods": Reply(hangs_up=True)})


# ---------------------------------------------------------------- one namespace, and events


def test_one_namespace_can_be_read_and_a_missing_one_is_said() -> None:
    answers = Answers(
        {}, {"/api/v1/namespaces/a": json({"metadata": meta("a", "", annotations={"x": "y"})})}
    )
    with serving(answers) as server, connected(server.url) as api:
        cluster = KubernetesCluster(api)
        assert cluster.namespace("a").annotations == {"x": "y"}
        with pytest.raises(RefusedError, match="there is no namespace 'b'"):
            cluster.namespace("b")
        with pytest.raises(BadInputError):
            cluster.namespace("../secrets")


def event(kind: str, name: str, at: str, message: str = "m", **more: object) -> Object:
    return {
        "metadata": {},
        "involvedObject": {"kind": kind, "name": name},
        "type": "Warning",
        "reason": "R",
        "message": message,
        "lastTimestamp": at,
        **more,
    }


def test_events_are_those_of_the_workload_and_what_it_owns_newest_first() -> None:
    events = [
        event("Deployment", "cart", "2026-11-24T10:00:01Z"),
        event("ReplicaSet", "cart-5d8f7", "2026-11-24T10:00:03Z", "quota", count=11),
        event("Pod", "cart-5d8f7-x2vqz", "2026-11-24T10:00:02Z"),
        event("Pod", "cart-api-x2vqz", "2026-11-24T10:00:09Z"),
        event("Pod", "cart-api-5d8f7-x2vqz", "2026-11-24T10:00:09Z"),
        event("StatefulSet", "cart", "2026-11-24T10:00:09Z"),
        event("Deployment", "cart", "2026-11-24T10:00:09Z", type="Normal"),
    ]
    path = "/api/v1/namespaces/shop/events"
    ref = WorkloadRef(namespace="shop", kind=Kind.DEPLOYMENT, name="cart")
    with serving(Answers({path: events}, {})) as server, connected(server.url) as api:
        found = KubernetesCluster(api).events(ref)
        assert server.asked[0].query["fieldSelector"] == "type=Warning"
    assert list(found) == [
        "ReplicaSet cart-5d8f7: R: quota (11 times)",
        "Pod cart-5d8f7-x2vqz: R: m",
        "Deployment cart: R: m",
    ]


@pytest.mark.parametrize(
    ("kind", "name"), [(Kind.STATEFUL_SET, "db-0"), (Kind.DAEMON_SET, "db-x2vqz")]
)
def test_events_of_pods_follow_the_kinds_way_of_naming_them(kind: Kind, name: str) -> None:
    events = [event("Pod", name, "", eventTime="2026-11-24T10:00:00.000001Z")] + [
        event("Pod", name, f"2026-11-24T10:00:0{i}Z", str(i)) for i in range(8)
    ]
    path = "/api/v1/namespaces/shop/events"
    ref = WorkloadRef(namespace="shop", kind=kind, name="db")
    with serving(Answers({path: events}, {})) as server, connected(server.url) as api:
        found = KubernetesCluster(api).events(ref)
    assert len(found) == 5
    assert found[0] == f"Pod {name}: R: 7"
