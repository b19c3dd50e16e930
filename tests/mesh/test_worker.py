"""A scheduled run: a worker takes it, it suspends at a gate, and survives the worker."""

import pytest

from tests.mesh import judge, manifests, scheduler
from tests.mesh.cluster import NEW, NEW_REVISION, OLD_REVISION, Mesh
from tests.mesh.kubectl import Kubectl
from tests.mesh.product import DONE, Product
from tests.mesh.scheduler import Scheduler
from tests.mesh.waiting import until

pytestmark = pytest.mark.mesh

NAMES = ("one", "two", "three", "four")


def settle(kubectl: Kubectl) -> None:
    workloads = [manifests.workload("Deployment", name, namespace="shop") for name in NAMES]
    kubectl.apply(manifests.enabled("shop"), *workloads)
    judge.wait_until_on(kubectl, OLD_REVISION, "shop", count=len(NAMES))


def assert_finished_once(kubectl: Kubectl) -> None:
    judge.assert_on(kubectl, NEW_REVISION, "shop", count=len(NAMES))
    assert judge.replica_sets(kubectl, "shop") == dict.fromkeys(NAMES, 2)
    assert judge.control_planes(kubectl) == {NEW_REVISION}
    assert judge.leftovers(kubectl, OLD_REVISION) == []


def test_a_scheduled_run_suspends_at_a_gate_and_goes_on_when_it_is_approved(
    kubectl: Kubectl, scheduled: Product, prefect: Scheduler
) -> None:
    settle(kubectl)
    prefect.start_worker()
    running = scheduled.start_upgrade("--gates", "start")
    run = scheduled.waiting_at("start", running)
    flow_run = run["flow_runs"][-1]
    until(
        lambda: prefect.api.state(flow_run)["name"] == "Suspended",
        what="no process waits for the answer",
        seconds=30,
    )
    assert judge.control_planes(kubectl) == {OLD_REVISION}

    scheduled.approve(run["run"])

    running.wait().exited(DONE)
    assert prefect.api.state(flow_run)["type"] == "COMPLETED", prefect.said()
    assert_finished_once(kubectl)


def test_a_run_outlives_its_worker(
    kubectl: Kubectl, scheduled: Product, prefect: Scheduler
) -> None:
    settle(kubectl)
    parameters = scheduled.parameters(limits={"workloads_at_once": 1})
    worker = prefect.start_worker()
    running = scheduled.start_upgrade("--yes", parameters=parameters)
    until(
        lambda: running.must_be_alive() and 2 in judge.replica_sets(kubectl, "shop").values(),
        what="a workload is restarted",
        seconds=180,
        every=0.1,
    )

    scheduler.kill_tree(worker.pid)
    running.kill()

    restarted = judge.replica_sets(kubectl, "shop")
    assert set(restarted.values()) == {1, 2}, f"killed too late: {restarted}"
    prefect.start_worker()
    scheduled.upgrade(parameters=parameters).exited(DONE)
    assert_finished_once(kubectl)


def test_the_deployments_of_audit_plan_and_rollback_run_on_a_worker_and_say_what_they_found(
    kubectl: Kubectl, mesh: Mesh, prefect: Scheduler
) -> None:
    settle(kubectl)
    before = judge.versions(kubectl, ["shop", judge.SYSTEM])
    prefect.start_worker()
    access = {"kubeconfig": str(kubectl.kubeconfig)}

    audited = prefect.run_deployment("audit", cluster=access)
    asked = {"to": NEW, "cluster": access, "istioctl": [str(mesh.new.path)]}
    planned = prefect.run_deployment("plan", parameters=asked)
    undone = prefect.run_deployment("rollback", parameters={"cluster": access})

    assert audited["type"] == "COMPLETED", prefect.said()
    keys = {one["key"] for one in prefect.api.artifacts(audited["flow_run"])}
    assert {"control-planes", "proxies-by-revision"} <= keys
    assert planned["type"] == "COMPLETED", prefect.said()
    assert "  shop: " in planned["message"]
    keys = {one["key"] for one in prefect.api.artifacts(planned["flow_run"])}
    assert {"findings", "plan"} <= keys
    assert undone["type"] == "FAILED", "there is no run to undo"
    assert "no run to roll back" in undone["message"]
    assert judge.versions(kubectl, ["shop", judge.SYSTEM]) == before
