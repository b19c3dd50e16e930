"""
Rows fail where what they are about is missing: a contract that always holds would be worth nothing.

A rehearsal cluster is run that can do without parts of itself (lacking.py), and each row here is
checked on it twice: with everything, where it holds, and without the part, where it must not.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import ModuleType
from typing import Final

import pytest

from tests.contract import (
    clusters,
    test_apply,
    test_deployments,
    test_leases,
    test_lifetimes,
    test_lists,
    test_patches,
    test_subresources,
    test_verbs,
    test_watch,
    test_workloads,
)
from tests.contract.client import Client, Json
from tests.contract.deaf import PATH
from tests.contract.istioctl import NEW_REVISION, OLD_REVISION
from tests.contract.mesh import INJECTORS, REVISION, Mesh
from tests.contract.place import Cluster, Place, path_of
from tests.contract.test_install import of
from tests.contract.test_istiod import is_complete, proxy

Row = Callable[[Place], None]
# How long to wait for what does not come: longer than all that the rehearsal does takes it.
_SECONDS: Final = 0.4

# Each API row has to fail without one of these: they cost nothing to try.
CHEAP: Final = (
    "texts",
    "memory",
    "query:labelSelector",
    "query:fieldSelector",
    "query:limit",
    "query:fieldManager",
    "query:force",
    "query:dryRun",
    "query:fieldValidation",
    "query:sendInitialEvents",
    "query:resourceVersion",
    "forms",
    "making",
    "PUT finalize",
    "POST token",
)
API: Final = (
    test_apply,
    test_leases,
    test_lists,
    test_patches,
    test_subresources,
    test_verbs,
    test_watch,
)
# These hold whatever is taken out here: nobody shows that they can fail.
BEYOND: Final = {
    "test_a_list_has_a_version_and_items_without_a_kind",
    "test_a_watch_ends_when_its_time_is_over",
    "test_times_keep_their_microseconds",
}


def rows_of(*modules: ModuleType) -> list[Row]:
    """Return the rows of modules that need nothing but a namespace."""
    return [
        check
        for module in modules
        for name, check in vars(module).items()
        if name.startswith("test_")
        and check.__module__ == module.__name__
        and list(inspect.signature(check).parameters) == ["place"]
    ]


def _without(part: str, *words: str) -> dict[Row, str]:
    """Return the rows about workloads in whose names one of these words is."""
    rows = rows_of(test_workloads, test_lifetimes)
    return {row: part for row in rows if any(word in row.__name__ for word in words)}


CONTROLLERS: Final[dict[Row, str]] = {
    **dict.fromkeys(rows_of(test_deployments), "Deployments"),
    **_without("StatefulSets", "stateful_set", "first", "partition", "until_a_pod_is_deleted"),
    **_without("DaemonSets", "daemon_set"),
    **_without("Jobs", "job"),
    **_without("Garbage", "owns", "orphans", "along"),
    **_without("Namespaces", "namespace"),
    **_without("EndpointSlices", "addresses_of"),
    **_without("DisruptionBudgets", "budget_says"),
    **_without("POST eviction", "eviction"),
    **_without("Quotas", "quota_counts"),
    **_without("ReplicaSets", "crashes", "does_not_stop"),
    **_without("Scheduler", "grace", "running_pod", "probe_fails", "cannot_be_had"),
    test_verbs.test_every_namespace_has_its_name_as_a_label_and_a_root_certificate: (
        "NamespaceFurniture"
    ),
}


@pytest.fixture(scope="module")
def crippled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Return a rehearsal cluster that can do without parts of itself."""
    folder = tmp_path_factory.mktemp("crippled")
    with clusters.rehearsal(folder, "--may-lack") as cluster:
        yield cluster


def lack(cluster: Cluster, *parts: str) -> None:
    """Let the cluster do without these parts from now on, and with all others."""
    assert cluster.client.ask("PUT", PATH, list(parts)).code == 200


@pytest.fixture(scope="module")
def hasty(crippled: Cluster) -> Iterator[Cluster]:
    """Return the same cluster for whoever expects nothing of it."""
    client = Client(crippled.client.login, watch_seconds=1)
    yield replace(crippled, client=client, seconds=_SECONDS)
    client.close()


def fails(row: Row, cluster: Cluster) -> bool:
    """Say whether a row does not hold."""
    place = cluster.place()
    try:
        row(place)
    except (AssertionError, KeyError, StopIteration, ValueError):
        return True
    return False


@pytest.mark.parametrize(
    "row", [row for row in rows_of(*API) if row.__name__ not in BEYOND and row not in CONTROLLERS]
)
def test_a_row_of_the_api_fails_without_what_it_is_about(
    crippled: Cluster, hasty: Cluster, row: Row
) -> None:
    lack(crippled)
    assert not fails(row, crippled)

    def falls(part: str) -> bool:
        lack(crippled, part)
        return fails(row, hasty)

    assert any(map(falls, CHEAP))


@pytest.mark.parametrize("row", CONTROLLERS)
def test_a_row_of_a_controller_fails_without_it(
    crippled: Cluster, hasty: Cluster, row: Row
) -> None:
    lack(crippled)
    assert not fails(row, crippled)

    lack(crippled, CONTROLLERS[row])

    assert fails(row, hasty)


def test_every_row_about_workloads_is_shown_to_fail() -> None:
    every = set(rows_of(test_deployments, test_workloads, test_lifetimes))

    assert every - set(CONTROLLERS) == set()


@pytest.fixture(scope="module")
def meshed(crippled: Cluster) -> Mesh:
    """Return Istio in the crippled cluster: two revisions."""
    lack(crippled)
    mesh = Mesh(cluster=crippled)
    mesh.two_revisions()
    return mesh


def precedence(mesh: Mesh) -> tuple[str | None, str | None]:
    """Return who injects a namespace of the new revision, and one without labels."""
    labelled, bare = mesh.cluster.place(**{REVISION: NEW_REVISION}), mesh.cluster.place()
    return mesh.injected_by(labelled.name), mesh.injected_by(bare.name)


@pytest.mark.parametrize("part", ["admission", "sidecars"])
def test_the_table_of_precedence_fails_without(meshed: Mesh, part: str) -> None:
    lack(meshed.cluster)
    assert precedence(meshed) == (NEW_REVISION, None)

    lack(meshed.cluster, part)

    assert precedence(meshed) == (None, None)


def test_the_table_of_precedence_fails_where_an_injector_takes_everybody(meshed: Mesh) -> None:
    lack(meshed.cluster)
    name = f"istio-sidecar-injector-{NEW_REVISION}"
    found = meshed.cluster.get(INJECTORS, name)
    hooks = [hook | {"namespaceSelector": {}, "objectSelector": {}} for hook in found["webhooks"]]

    meshed.cluster.client.ask("PUT", path_of(INJECTORS, name), found | {"webhooks": hooks})

    assert precedence(meshed) == (NEW_REVISION, NEW_REVISION)
    meshed.cluster.client.ask("PUT", path_of(INJECTORS, name), _unversioned(found)).object["kind"]


def _unversioned(obj: Json) -> Json:
    metadata = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
    return obj | {"metadata": metadata}


def test_proxies_that_acknowledge_nothing_are_not_complete(meshed: Mesh) -> None:
    lack(meshed.cluster, "acks")
    place = meshed.cluster.place(**{REVISION: NEW_REVISION})

    test_deployments.deploy(place)

    meshed.cluster.until(lambda: meshed.syncz(NEW_REVISION).get(proxy(place)), "it is connected")
    assert not is_complete(meshed.syncz(NEW_REVISION)[proxy(place)])


def test_an_uninstall_that_leaves_its_webhooks_is_found_out(meshed: Mesh) -> None:
    lack(meshed.cluster, "DELETE mutatingwebhookconfigurations")
    before = meshed.objects()

    meshed.istioctl.run("uninstall", "--revision", OLD_REVISION, "-y")

    left = of(OLD_REVISION) & set(meshed.objects())
    assert left == {f"{INJECTORS}/istio-sidecar-injector-{OLD_REVISION}"}
    assert set(before) - set(meshed.objects()) != of(OLD_REVISION)


def test_a_tag_that_is_not_written_is_found_out(meshed: Mesh) -> None:
    lack(meshed.cluster, "PATCH mutatingwebhookconfigurations")

    meshed.istioctl.run("tag", "set", "mine", "--revision", NEW_REVISION)

    assert meshed.targets(INJECTORS, "istio-revision-tag-mine") == set()
