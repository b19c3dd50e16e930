"""Nobody who calls the workloads notices the upgrade."""

import time

import pytest

from tests.mesh import judge, manifests, traffic
from tests.mesh.cluster import NEW_REVISION, OLD_REVISION
from tests.mesh.kubectl import Json, Kubectl
from tests.mesh.product import DONE, Product
from tests.mesh.waiting import until

pytestmark = [pytest.mark.mesh, pytest.mark.traffic]

# name: kind and pods; a DaemonSet has one pod on each node
WORKLOADS = {"carts": ("Deployment", 2), "ledger": ("StatefulSet", 2), "edge": ("DaemonSet", 0)}


def settle(kubectl: Kubectl) -> dict[str, int]:
    """Apply a namespace for each kind and return how many pods each has when they are up."""
    objects: list[Json] = []
    for name, (kind, replicas) in WORKLOADS.items():
        spec = manifests.graceful_pod_spec()
        objects.append(manifests.enabled(name))
        objects += manifests.served(kind, name, namespace=name, replicas=replicas, spec=spec)
    kubectl.apply(*objects)
    nodes = len(kubectl.items("nodes"))
    expected = {name: replicas or nodes for name, (_, replicas) in WORKLOADS.items()}
    for name, count in expected.items():
        judge.wait_until_on(kubectl, OLD_REVISION, name, count=count)
    return expected


def restart_all(kubectl: Kubectl) -> None:
    """Do what anybody would: restart every workload and wait until each has its new pods."""
    for name, (kind, _) in WORKLOADS.items():
        kubectl("rollout", "restart", f"{kind.lower()}/{name}", "-n", name)
    for name, (kind, _) in WORKLOADS.items():
        kubectl(
            "rollout", "status", f"{kind.lower()}/{name}", "-n", name, "--timeout=150s", timeout=160
        )
    until(lambda: not _ending(kubectl), what="the old pods are gone")


def _ending(kubectl: Kubectl) -> list[str]:
    every = [pod for name in WORKLOADS for pod in kubectl.items("pods", namespace=name)]
    return [judge.name_of(pod) for pod in every if "deletionTimestamp" in pod["metadata"]]


def test_an_upgrade_in_two_waves_loses_no_request_where_a_restart_loses_none(
    kubectl: Kubectl, product: Product
) -> None:
    expected = settle(kubectl)
    clients = traffic.begin(kubectl, [(name, name) for name in WORKLOADS])
    before = clients.count()
    restart_all(kubectl)
    control = clients.count().since(before)
    print(f"\ncontrol: {control.answered} answered, {control.lost} lost")
    assert control.lost == 0, clients.losses()
    assert control.answered > 50

    before, began = clients.count(), time.monotonic()
    product.upgrade("--wave", "carts").exited(DONE)
    upgrade = clients.count().since(before)

    took = time.monotonic() - began
    print(f"upgrade: {upgrade.answered} answered, {upgrade.lost} lost, {took:.1f} s")
    assert upgrade.lost == 0, clients.losses()
    assert upgrade.answered > 50
    for name, count in expected.items():
        judge.assert_on(kubectl, NEW_REVISION, name, count=count)
