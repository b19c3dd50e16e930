"""The inventory's own small conclusions, and the small values beside it."""

import msgspec
import pytest

from tasks.domain.access import Denied, Permission
from tasks.domain.inventory import (
    MOVABLE,
    ControlPlane,
    Kind,
    is_injectable,
    istio_version,
    pods_by_workload,
)
from tasks.domain.rendering import InstallRequest, Overlay, Rendered, RenderedObject
from tasks.domain.revision import Version
from tasks.domain.snapshot import ObjectSnapshot
from tests.builders import NEW, OLD, gate, inventory, namespace, plane, pod, ref, tag, workload


@pytest.mark.parametrize(
    ("control_plane", "healthy"),
    [
        pytest.param(plane(), True, id="every replica ready and reached"),
        pytest.param(plane(replicas=0, ready_replicas=0), False, id="scaled to nothing"),
        pytest.param(plane(replicas=2, ready_replicas=1), False, id="one replica missing"),
        pytest.param(plane(replicas=1, ready_replicas=2), True, id="one too many, scaling down"),
        pytest.param(plane(ready_endpoints=0), False, id="its Service reaches nobody"),
        pytest.param(plane(ready_endpoints=None), False, id="its endpoints could not be read"),
    ],
)
def test_a_control_plane_is_healthy(control_plane: ControlPlane, healthy: bool) -> None:
    assert control_plane.is_healthy is healthy


@pytest.mark.parametrize(
    ("name", "revision"),
    [
        pytest.param("default", OLD, id="the default tag"),
        pytest.param("prod", NEW, id="a user's tag"),
        pytest.param(NEW, NEW, id="a revision"),
        pytest.param("gone", "1-27-0", id="a tag of a removed revision still names it"),
        pytest.param("nosuch", None, id="neither"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_a_name_resolves_to_a_revision(name: str | None, revision: str | None) -> None:
    mesh = inventory(tags=(tag(), tag("prod", NEW), tag("gone", "1-27-0")))
    assert mesh.resolve(name) == revision


def test_a_tag_hides_a_revision_of_its_name() -> None:
    mesh = inventory(control_planes=(plane("default"), plane(NEW)), tags=(tag("default", NEW),))
    assert mesh.resolve("default") == mesh.default_revision == NEW


def test_control_planes_and_namespaces_are_found_by_name() -> None:
    mesh = inventory(namespaces=(namespace("shop"), namespace("bank")))
    assert mesh.control_plane(OLD) == plane(OLD)
    assert mesh.control_plane("nosuch") is None
    assert mesh.namespace("bank") == namespace("bank")
    assert mesh.namespace("nosuch") is None


def test_a_control_planes_version_is_a_value_or_unknown() -> None:
    assert istio_version(plane(OLD)) == Version(1, 28, 3)
    assert istio_version(plane(version=None)) is None


@pytest.mark.parametrize(
    ("changes", "injectable"),
    [
        pytest.param({}, True, id="a plain template"),
        pytest.param({"is_host_network": True}, False, id="on the host's network"),
        pytest.param(
            {"template_labels": {"sidecar.istio.io/inject": "false"}}, False, id="a label says no"
        ),
        pytest.param(
            {"template_annotations": {"sidecar.istio.io/inject": "false"}},
            False,
            id="an annotation says no",
        ),
        pytest.param(
            {"template_labels": {"sidecar.istio.io/inject": "true"}}, True, id="a label says yes"
        ),
    ],
)
def test_a_workload_is_injectable(changes: dict[str, object], injectable: bool) -> None:
    assert is_injectable(workload(**changes)) is injectable  # type: ignore[arg-type]


def test_pods_are_grouped_under_their_owners_without_those_that_ran_to_their_end() -> None:
    first, second, other = pod("cart-1"), pod("cart-2", phase="Pending"), pod("till-1")
    done, failed = pod("cart-3", phase="Succeeded"), pod("cart-4", phase="Failed")
    stray = pod("stray-1", workload=None)
    grouped = pods_by_workload((first, second, other, done, failed, stray))
    assert grouped == {ref("cart"): [first, second], ref("till"): [other]}


def test_point_4_a_pod_of_a_lost_node_is_not_over() -> None:
    assert not pod(phase="Unknown").is_over


def test_a_pods_proxy_has_the_name_that_istiod_gives_it() -> None:
    assert pod("cart-1", "shop").proxy == "cart-1.shop"


def test_workloads_are_written_with_kind_and_namespace() -> None:
    assert str(ref("cart", "shop", Kind.STATEFUL_SET)) == "shop/StatefulSet/cart"


def test_point_6_jobs_replica_sets_and_bare_pods_are_never_restarted() -> None:
    assert not MOVABLE & {Kind.JOB, Kind.REPLICA_SET, Kind.POD, Kind.OTHER}


@pytest.mark.parametrize(
    ("permission", "text"),
    [
        pytest.param(
            Permission(verb="patch", resource="deployments", group="apps", namespace="shop"),
            "patch apps/deployments in shop",
            id="in a namespace",
        ),
        pytest.param(
            Permission(verb="list", resource="nodes"),
            "list nodes in the whole cluster",
            id="cluster-wide",
        ),
        pytest.param(
            Permission(verb="create", resource="pods/portforward", namespace="istio-system"),
            "create pods/portforward in istio-system",
            id="on a subresource",
        ),
        pytest.param(
            Permission(verb="get", resource="secrets", namespace="istio-system", name="cacerts"),
            "get secrets 'cacerts' in istio-system",
            id="on one object",
        ),
    ],
)
def test_point_15_a_permission_is_said_as_a_person_would(permission: Permission, text: str) -> None:
    assert str(permission) == text
    assert Denied(permission=permission).reason == ""


VALUES = [
    inventory(
        namespaces=(namespace(),), workloads=(workload(),), pods=(pod(), pod("x-1", revision=None))
    ),
    InstallRequest(revision=NEW, overlays=(Overlay(name="o.yaml", content="{}"),), sets=("a=b",)),
    Rendered(
        sha256="0", objects=(RenderedObject(api_version="v1", kind="Service", name="istiod"),)
    ),
    ObjectSnapshot(kind="Service", name="istiod-revision-tag-default", exists=False),
    gate(),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_values_survive_json(value: msgspec.Struct) -> None:
    assert msgspec.json.decode(msgspec.json.encode(value), type=type(value)) == value


def test_a_snapshot_keeps_what_the_api_said_to_the_byte() -> None:
    payload = b'[{"name":"x", "timeoutSeconds":10 }]'
    kept = ObjectSnapshot(kind="Service", name="x", payload=msgspec.Raw(payload))
    again = msgspec.json.decode(msgspec.json.encode(kept), type=ObjectSnapshot)
    assert bytes(again.payload) == payload
