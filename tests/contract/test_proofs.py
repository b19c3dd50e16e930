"""
Rows fail where what they are about is missing: a contract that always holds would be worth nothing.

A rehearsal cluster is run that can do without parts of itself (lacking.py), and each row here is
checked on it twice: with everything, where it holds, and without the part, where it must not.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

import pytest

from tests.contract import (
    clusters,
    test_apply,
    test_deployments,
    test_lifetimes,
    test_lists,
    test_subresources,
    test_verbs,
    test_watch,
    test_workloads,
)
from tests.contract.client import Client, Json
from tests.contract.istioctl import NEW_REVISION, OLD_REVISION
from tests.contract.lacking import PATH
from tests.contract.mesh import INJECTORS, REVISION, Mesh
from tests.contract.place import Cluster, Place, path_of
from tests.contract.test_install import of
from tests.contract.test_istiod import is_complete, proxy

Row = Callable[[Place], None]
# How long to wait for what does not come: longer than all that the rehearsal does takes it.
_SECONDS: Final = 0.6

PROOFS: Final[dict[str, list[Row]]] = {
    "query:dryRun": [
        test_verbs.test_a_dry_run_answers_as_if_it_were_real_and_keeps_nothing,
        test_verbs.test_a_dry_run_of_a_change_and_of_a_deletion_keeps_what_is_there,
    ],
    "query:labelSelector": [
        test_verbs.test_delete_of_a_collection_takes_those_that_are_selected,
        test_watch.test_what_comes_under_a_selector_is_added_and_what_leaves_it_is_deleted,
    ],
    "query:fieldSelector": [
        test_lists.test_a_name_selects_as_a_field,
        test_lists.test_pods_are_selected_by_phase,
    ],
    "query:limit": [test_lists.test_pages_give_everything_once_and_in_order],
    "query:force": [test_apply.test_force_takes_it_from_them],
    "query:fieldManager": [
        test_apply.test_apply_creates_what_is_not_there,
        test_apply.test_what_others_own_stays,
    ],
    "query:sendInitialEvents": [test_watch.test_a_streamed_list_ends_with_a_bookmark],
    "query:resourceVersion": [
        test_watch.test_a_watch_replays_what_happened_since_a_version,
        test_watch.test_a_version_that_nobody_remembers_is_410_as_an_event,
    ],
    "PUT configmaps": [
        test_verbs.test_update_replaces_all_but_what_the_server_owns,
        test_verbs.test_update_with_an_old_version_is_409_conflict,
    ],
    "POST eviction": [
        test_subresources.test_an_eviction_deletes_a_pod,
        test_lifetimes.test_an_eviction_beyond_the_budget_is_429,
    ],
    "Deployments": [
        test_deployments.test_pods_come_by_way_of_a_replica_set_and_carry_its_hash,
        test_deployments.test_a_paused_one_does_not_roll_and_says_so,
    ],
    "ReplicaSets": [test_lifetimes.test_a_deleted_deployment_takes_its_pods_along],
    "StatefulSets": [test_workloads.test_a_partition_keeps_the_pods_below_it],
    "DaemonSets": [test_workloads.test_a_daemon_set_has_one_pod_a_node_and_rolls],
    "Jobs": [test_workloads.test_a_job_completes_and_keeps_its_pod],
    "Garbage": [
        test_lifetimes.test_what_an_object_owns_goes_after_it,
        test_lifetimes.test_in_the_foreground_what_an_object_owns_goes_before_it,
    ],
    "Namespaces": [test_lifetimes.test_a_deleted_namespace_ends_when_all_in_it_is_gone],
    "NamespaceFurniture": [
        test_verbs.test_every_namespace_has_its_name_as_a_label_and_a_root_certificate
    ],
    "EndpointSlices": [test_lifetimes.test_a_service_has_the_addresses_of_its_ready_pods],
    "DisruptionBudgets": [test_lifetimes.test_a_budget_says_how_many_pods_may_go],
    "Quotas": [test_lifetimes.test_a_quota_counts_what_there_is],
    "Scheduler": [test_lifetimes.test_a_running_pod_has_an_address_and_says_when_it_is_ready],
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


@pytest.mark.parametrize(
    ("part", "row"),
    [
        pytest.param(part, row, id=f"{part}: {row.__name__}")
        for part, rows in PROOFS.items()
        for row in rows
    ],
)
def test_a_row_fails_without_what_it_is_about(
    crippled: Cluster, hasty: Cluster, part: str, row: Row
) -> None:
    lack(crippled)
    row(crippled.place())

    lack(crippled, part)

    with pytest.raises((AssertionError, KeyError, StopIteration)):
        row(hasty.place())


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
