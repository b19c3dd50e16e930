"""Istio's cluster-wide objects: recorded, put back, and looked for after an uninstall."""

import copy
from collections.abc import Iterator

import msgspec
import pytest

from tasks.adapters.webhooks import KubernetesWebhooks
from tasks.domain.errors import BadInputError, LeaseLostError
from tasks.domain.snapshot import ObjectSnapshot
from tests.unit.api_server import ApiServer, Object, Refusal, Request, Stopped, connected, serving

MUTATING = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
VALIDATING = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
SERVICES = "/api/v1/namespaces/istio-system/services"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/istio-system/leases"
TAG = f"{MUTATING}/istio-revision-tag-default"
TAG_SERVICE = f"{SERVICES}/istiod-revision-tag-default"
VALIDATOR = f"{VALIDATING}/istiod-default-validator"
INJECTOR = f"{MUTATING}/istio-sidecar-injector"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
NEVER = {"matchLabels": {"istio.io/deactivated": "never-match"}}

OLD, NEW = "1-28-3", "1-29-1"


def hook(service: str, *, bundle: str = "b2xk", **more: object) -> Object:
    called = {"namespace": "istio-system", "name": service, "path": "/inject", "port": 443}
    return {
        "name": "namespace.sidecar-injector.istio.io",
        "clientConfig": {"service": called, "caBundle": bundle},
        "failurePolicy": "Fail",
        **more,
    }


def configuration(labels: dict[str, str], *hooks: Object) -> Object:
    return {"metadata": {"labels": labels}, "webhooks": list(hooks)}


def tag_service(revision: str, tag: str = "default") -> Object:
    return {
        "metadata": {
            "namespace": "istio-system",
            "labels": {"istio.io/rev": revision, "istio.io/tag": tag},
        },
        "spec": {
            "selector": {"app": "istiod", "istio.io/rev": revision},
            "ports": [{"name": "https-webhook", "port": 443, "targetPort": 15017}],
            "clusterIP": "10.223.0.66",
            "clusterIPs": ["10.223.0.66"],
            "type": "ClusterIP",
        },
    }


def tagged(revision: str, tag: str = "default", **more: str) -> Object:
    labels = {"istio.io/rev": revision, "istio.io/tag": tag, **more}
    return configuration(labels, hook(f"istiod-{revision}"))


def validator(revision: str) -> Object:
    return configuration({"istio.io/rev": revision, "app": "istiod"}, hook(f"istiod-{revision}"))


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with serving() as running:
        running.put(TAG, tagged(OLD, **{"operator.istio.io/component": "Pilot"}))
        running.put(TAG_SERVICE, tag_service(OLD))
        running.put(VALIDATOR, validator(OLD))
        for revision in (OLD, NEW):
            own = configuration({"istio.io/rev": revision}, hook(f"istiod-{revision}"))
            running.put(f"{MUTATING}/istio-sidecar-injector-{revision}", own)
        yield running


@pytest.fixture
def webhooks(server: ApiServer) -> Iterator[KubernetesWebhooks]:
    with connected(server) as api:
        yield KubernetesWebhooks(api, namespace="istio-system")


def names(snapshots: object) -> list[tuple[str, bool]]:
    assert isinstance(snapshots, list)
    return [(one.name, one.exists) for one in snapshots if isinstance(one, ObjectSnapshot)]


def move_default(server: ApiServer) -> None:
    """Do what `istioctl tag set default --revision 1-29-1 --overwrite` does."""
    server.put(TAG, tagged(NEW, **{"operator.istio.io/component": "Pilot", "new": "label"}))
    server.put(TAG_SERVICE, tag_service(NEW))
    server.put(VALIDATOR, validator(NEW))


def as_written(server: ApiServer) -> Object:
    """Return everything but versions."""
    kept = copy.deepcopy(server.objects)
    for obj in kept.values():
        del obj["metadata"]["resourceVersion"]
    return kept


def test_what_moving_the_default_alters_is_recorded(webhooks: KubernetesWebhooks) -> None:
    assert names(webhooks.snapshot(OLD)) == [
        ("istio-revision-tag-default", True),
        ("istiod-default-validator", True),
        ("istiod-revision-tag-default", True),
    ]


def test_every_tag_that_points_to_the_revision_is_recorded(
    server: ApiServer, webhooks: KubernetesWebhooks
) -> None:
    server.put(f"{MUTATING}/istio-revision-tag-stable", tagged(OLD, "stable"))
    server.put(f"{MUTATING}/istio-revision-tag-edge", tagged(NEW, "edge"))

    assert names(webhooks.snapshot(OLD)) == [
        ("istio-revision-tag-default", True),
        ("istio-revision-tag-stable", True),
        ("istiod-default-validator", True),
        ("istiod-revision-tag-default", True),
        ("istiod-revision-tag-stable", False),
    ]


def test_a_tag_points_where_it_calls_whatever_its_label_says(
    server: ApiServer, webhooks: KubernetesWebhooks
) -> None:
    odd = configuration({"istio.io/tag": "odd", "istio.io/rev": "x"}, hook("istiod-1-28-3"))
    server.put(f"{MUTATING}/istio-revision-tag-odd", odd)

    assert ("istio-revision-tag-odd", True) in names(webhooks.snapshot(OLD))


def test_a_revision_that_is_not_the_default_moves_no_validator(
    server: ApiServer, webhooks: KubernetesWebhooks
) -> None:
    server.put(f"{MUTATING}/istio-revision-tag-edge", tagged(NEW, "edge"))

    assert names(webhooks.snapshot(NEW)) == [
        ("istio-revision-tag-edge", True),
        ("istiod-revision-tag-edge", False),
    ]


def test_what_is_not_there_is_recorded_as_missing(
    server: ApiServer, webhooks: KubernetesWebhooks
) -> None:
    for path in (TAG, TAG_SERVICE, VALIDATOR):
        del server.objects[path]

    assert names(webhooks.snapshot("default")) == [
        ("istio-revision-tag-default", False),
        ("istiod-default-validator", False),
        ("istiod-revision-tag-default", False),
    ]


def test_kubectls_copy_of_an_object_is_not_recorded(
    server: ApiServer, webhooks: KubernetesWebhooks
) -> None:
    server.objects[TAG]["metadata"]["annotations"] = {"kept": "yes", LAST_APPLIED: "{}"}

    assert webhooks.snapshot(OLD)[0].annotations == {"kept": "yes"}


def test_the_default_goes_back_to_where_it_was(
    server: ApiServer, webhooks: KubernetesWebhooks
) -> None:
    before = as_written(server)
    snapshots = webhooks.snapshot(OLD)
    move_default(server)

    webhooks.restore(snapshots)

    assert as_written(server) == before
    assert {request.method for request in server.changes()} == {"PATCH"}


def test_a_snapshot_survives_the_journal(server: ApiServer, webhooks: KubernetesWebhooks) -> None:
    before = as_written(server)
    written = msgspec.json.encode(webhooks.snapshot(OLD), order="sorted")
    move_default(server)

    webhooks.restore(msgspec.json.decode(written, type=list[ObjectSnapshot]))

    assert as_written(server) == before


def test_putting_back_what_is_there_writes_nothing(
    server: ApiServer, webhooks: KubernetesWebhooks
) -> None:
    snapshots = webhooks.snapshot(OLD)
    move_default(server)

    webhooks.restore(snapshots)
    server.requests.clear()
    webhooks.restore(snapshots)

    assert server.changes() == []


def test_what_istiod_writes_by_itself_is_no_difference(
    server: ApiServer, webhooks: KubernetesWebhooks
) -> None:
    snapshots = webhooks.snapshot(OLD)
    server.objects[TAG]["webhooks"][0]["clientConfig"]["caBundle"] = "bmV3"
    server.objects[VALIDATOR]["webhooks"][0]["failurePolicy"] = "Ignore"
    server.objects[TAG]["metadata"]["annotations"] = {LAST_APPLIED: "{}"}

    webhooks.restore(snapshots)

    assert server.changes() == []


def test_an_injectors_failure_policy_is_a_difference(
    server: ApiServer, webhooks: KubernetesWebhooks
) -> None:
    snapshots = webhooks.snapshot(OLD)
    server.objects[TAG]["webhooks"][0]["failurePolicy"] = "Ignore"

    webhooks.restore(snapshots)

    assert server.objects[TAG]["webhooks"][0]["failurePolicy"] == "Fail"


def test_the_ca_bundle_of_today_beats_the_recorded_one(
    server: ApiServer, webhooks: KubernetesWebhooks
) -> None:
    snapshots = webhooks.snapshot(OLD)
    own = server.objects[f"{MUTATING}/istio-sidecar-injector-{OLD}"]
    own["webhooks"][0]["clientConfig"]["caBundle"] = "dG9kYXk="
    move_default(server)

    webhooks.restore(snapshots)

    for path in (TAG, VALIDATOR):
        assert server.objects[path]["webhooks"][0]["clientConfig"]["caBundle"] == "dG9kYXk="


def test_without_an_injector_of_its_own_the_recorded_ca_bundle_counts(
    server: ApiServer, webhooks: KubernetesWebhooks
) -> None:
    snapshots = webhooks.snapshot(OLD)
    del server.objects[f"{MUTATING}/istio-sidecar-injector-{OLD}"]
    move_default(server)

    webhooks.restore(snapshots)

    assert server.objects[TAG]["webhooks"][0]["clientConfig"]["caBundle"] == "b2xk"


def test_the_unrevisioned_injector_is_opened_again(
    server: ApiServer, webhooks: KubernetesWebhooks
) -> None:
    selector = {"matchLabels": {"istio-injection": "enabled"}}
    server.put(TAG, configuration({"istio.io/tag": "default"}, hook("istiod")))
    own = configuration({"istio.io/rev": "default"}, hook("istiod", namespaceSelector=selector))
    server.put(INJECTOR, own)
    snapshots = webhooks.snapshot("default")
    closed = hook("istiod", namespaceSelector=NEVER, objectSelector=NEVER)
    server.put(INJECTOR, configuration({"istio.io/rev": "default"}, closed))

    webhooks.restore(snapshots)

    (opened,) = server.objects[INJECTOR]["webhooks"]
    assert opened["namespaceSelector"] == selector
    assert "objectSelector" not in opened


def test_what_is_gone_is_made_again(server: ApiServer, webhooks: KubernetesWebhooks) -> None:
    snapshots = webhooks.snapshot(OLD)
    before = as_written(server)
    for path in (TAG, TAG_SERVICE, VALIDATOR):
        del server.objects[path]

    webhooks.restore(snapshots)

    service = server.objects[TAG_SERVICE]
    assert (service["kind"], service["apiVersion"]) == ("Service", "v1")
    # Its address may be somebody else's by now.
    assert "clusterIP" not in service["spec"]
    assert "clusterIPs" not in service["spec"]
    assert server.objects[TAG]["kind"] == "MutatingWebhookConfiguration"
    assert server.objects[TAG]["webhooks"] == before[TAG]["webhooks"]
    assert (
        server.objects[VALIDATOR]["metadata"]["labels"] == before[VALIDATOR]["metadata"]["labels"]
    )


def test_a_headless_service_stays_headless(server: ApiServer, webhooks: KubernetesWebhooks) -> None:
    server.objects[TAG_SERVICE]["spec"]["clusterIP"] = "None"
    snapshots = webhooks.snapshot(OLD)
    del server.objects[TAG_SERVICE]

    webhooks.restore(snapshots)

    assert server.objects[TAG_SERVICE]["spec"]["clusterIP"] == "None"


def test_what_was_not_there_is_deleted(server: ApiServer, webhooks: KubernetesWebhooks) -> None:
    for path in (TAG, TAG_SERVICE, VALIDATOR):
        del server.objects[path]
    snapshots = webhooks.snapshot("default")
    move_default(server)

    webhooks.restore(snapshots)
    webhooks.restore(snapshots)

    assert set(server.objects).isdisjoint({TAG, TAG_SERVICE, VALIDATOR})
    assert [request.method for request in server.changes()] == ["DELETE"] * 3


def test_a_services_ports_go_back_too(server: ApiServer, webhooks: KubernetesWebhooks) -> None:
    snapshots = webhooks.snapshot(OLD)
    ports = server.objects[TAG_SERVICE]["spec"]["ports"]
    server.objects[TAG_SERVICE]["spec"]["ports"] = [{"port": 15012}]

    webhooks.restore(snapshots)

    assert server.objects[TAG_SERVICE]["spec"]["ports"] == ports


def test_nothing_is_put_back_without_the_lease(
    server: ApiServer, webhooks: KubernetesWebhooks
) -> None:
    snapshots = webhooks.snapshot(OLD)
    move_default(server)

    with connected(server, guard=Stopped()) as api:
        stopped = KubernetesWebhooks(api, namespace="istio-system")
        with pytest.raises(LeaseLostError):
            stopped.restore(snapshots)

    assert server.changes() == []


def test_leftovers_are_what_names_the_revision_or_calls_it(
    server: ApiServer, webhooks: KubernetesWebhooks
) -> None:
    move_default(server)
    rbac = "/apis/rbac.authorization.k8s.io/v1"
    old = {"metadata": {"labels": {"istio.io/rev": OLD}}}
    server.put(f"{rbac}/clusterroles/istiod-clusterrole-{OLD}", old)
    server.put("/apis/apps/v1/namespaces/istio-system/deployments/istiod-1-28-3", old)
    server.put("/api/v1/namespaces/istio-system/configmaps/other", {"metadata": {"labels": {}}})
    odd = configuration({"istio.io/tag": "stable", "istio.io/rev": NEW}, hook("istiod-1-28-3"))
    server.put(f"{MUTATING}/istio-revision-tag-stable", odd)

    assert webhooks.leftovers(OLD) == [
        "ClusterRole/istiod-clusterrole-1-28-3",
        "Deployment/istiod-1-28-3",
        "MutatingWebhookConfiguration/istio-revision-tag-stable",
        "MutatingWebhookConfiguration/istio-sidecar-injector-1-28-3",
    ]


def test_what_all_revisions_share_is_no_leftover(
    server: ApiServer, webhooks: KubernetesWebhooks
) -> None:
    labels = {"istio.io/rev": "1-30-0", "operator.istio.io/component": "Base"}
    path = "/api/v1/namespaces/istio-system/serviceaccounts/istio-reader-service-account"
    server.put(path, {"metadata": {"labels": labels}})

    assert webhooks.leftovers("1-30-0") == []


def test_the_default_tag_elsewhere_is_no_leftover_of_the_unrevisioned_istiod(
    webhooks: KubernetesWebhooks,
) -> None:
    assert webhooks.leftovers("default") == []


@pytest.mark.parametrize("revision", ["", "a,b", "a=b", "A"])
def test_a_name_that_is_no_revision_reaches_no_selector(
    webhooks: KubernetesWebhooks, revision: str
) -> None:
    with pytest.raises(BadInputError, match="is no revision"):
        webhooks.leftovers(revision)
    with pytest.raises(BadInputError, match="is no revision"):
        webhooks.delete_leases(revision)


def test_a_removed_revisions_leases_are_deleted(
    server: ApiServer, webhooks: KubernetesWebhooks
) -> None:
    for revision in (OLD, NEW):
        server.put(f"{LEASES}/istio-gateway-deployment-{revision}", {})
        server.put(f"{LEASES}/istio-gateway-status-leader-{revision}", {})

    webhooks.delete_leases(OLD)
    webhooks.delete_leases(OLD)

    assert [path for path in server.objects if path.startswith(LEASES)] == [
        f"{LEASES}/istio-gateway-deployment-{NEW}",
        f"{LEASES}/istio-gateway-status-leader-{NEW}",
    ]


def test_a_lease_that_somebody_else_deleted_first_is_no_error(
    server: ApiServer, webhooks: KubernetesWebhooks
) -> None:
    def gone(_request: Request) -> Object:
        raise Refusal(404, "NotFound", "not found")

    server.put(f"{LEASES}/istio-gateway-deployment-{OLD}", {})
    server.answer("DELETE", f"/istio-gateway-deployment-{OLD}", gone)

    webhooks.delete_leases(OLD)


def test_the_unrevisioned_istiods_leases_stay(
    server: ApiServer, webhooks: KubernetesWebhooks
) -> None:
    webhooks.delete_leases("default")

    assert server.changes() == []
