"""Whatever is killed, the same command goes on where it was, and does nothing twice."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.mesh import judge, manifests
from tests.mesh.cluster import NEW_REVISION, OLD_REVISION
from tests.mesh.kubectl import Json, Kubectl
from tests.mesh.product import DONE, Product, Running, processes
from tests.mesh.waiting import until

pytestmark = pytest.mark.mesh

NAMES = ("one", "two", "three", "four")
ONE_AT_A_TIME = {"limits": {"workloads_at_once": 1}}


def settle(kubectl: Kubectl) -> None:
    workloads = [manifests.workload("Deployment", name, namespace="shop") for name in NAMES]
    kubectl.apply(manifests.enabled("shop"), *workloads)
    judge.wait_until_on(kubectl, OLD_REVISION, "shop", count=len(NAMES))


def installing(product: Product) -> list[int]:
    return processes(str(product.mesh.new.path), "install")


def lapse(kubectl: Kubectl) -> datetime:
    """Return when the Lease ends that a dead process left."""
    spec: Json = kubectl.get("lease", "istio-canary", namespace=judge.SYSTEM)["spec"]
    renewed = datetime.fromisoformat(spec["renewTime"])
    return renewed + timedelta(seconds=spec["leaseDurationSeconds"])


def assert_no_istioctl_outlives_the_lease(kubectl: Kubectl, product: Product) -> None:
    ends = lapse(kubectl)
    until(lambda: not installing(product), what="istioctl ends with its parent", seconds=30)
    assert datetime.now(UTC) < ends, "istioctl outlived the Lease"  # noqa: TID251 - the cluster's time is now


def assert_finished_once(kubectl: Kubectl) -> None:
    judge.assert_on(kubectl, NEW_REVISION, "shop", count=len(NAMES))
    assert judge.replica_sets(kubectl, "shop") == dict.fromkeys(NAMES, 2)
    assert judge.control_planes(kubectl) == {NEW_REVISION}
    assert judge.leftovers(kubectl, OLD_REVISION) == []
    assert judge.labels(kubectl, "shop") == {"istio-injection": "enabled"}


def test_killed_while_istioctl_installs(kubectl: Kubectl, product: Product) -> None:
    settle(kubectl)
    running = product.start_upgrade("--yes")
    until(
        lambda: running.must_be_alive() and installing(product),
        what="istioctl installs",
        seconds=120,
        every=0.05,
    )

    running.kill()

    assert_no_istioctl_outlives_the_lease(kubectl, product)
    product.upgrade().exited(DONE)
    assert_finished_once(kubectl)


def test_killed_when_one_workload_was_restarted_and_another_was_not(
    kubectl: Kubectl, product: Product
) -> None:
    settle(kubectl)
    parameters = product.parameters(**ONE_AT_A_TIME)
    running = product.start_upgrade("--yes", parameters=parameters)
    until(lambda: begun(kubectl, running), what="a workload is restarted", seconds=180, every=0.1)

    running.kill()

    restarted = judge.replica_sets(kubectl, "shop")
    assert set(restarted.values()) == {1, 2}, f"killed too late: {restarted}"
    product.upgrade(parameters=parameters).exited(DONE)
    assert_finished_once(kubectl)


def begun(kubectl: Kubectl, running: Running) -> bool:
    return running.must_be_alive() and 2 in judge.replica_sets(kubectl, "shop").values()
