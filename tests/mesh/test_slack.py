"""People decide in Slack: a click resumes a suspended deployment, and only an approver's does."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from deployments.rehearsal.slack.running import RunningSlack
from deployments.rehearsal.slack.serving import serving
from deployments.rehearsal.slack.workspace import ADMINS, ALICE, MALLORY, TEAM, UPGRADES
from tests.mesh import judge, manifests, rights, scheduler
from tests.mesh.cluster import NEW_REVISION, OLD_REVISION
from tests.mesh.kubectl import Json, Kubectl
from tests.mesh.product import DONE, Product, Running
from tests.mesh.scheduler import Scheduler
from tests.mesh.waiting import until

pytestmark = pytest.mark.mesh

APPROVERS = {"approvers": [f"slack-group:{TEAM}/{ADMINS.id}"]}


@pytest.fixture
def slack() -> Iterator[RunningSlack]:
    """Return a Slack with a channel, two admins and somebody who is none."""
    with serving() as running:
        yield running


def keep_gates(product: Product, slack: RunningSlack) -> Running:
    """Start a gatekeeper as an operator does, and return when it is up."""
    config = product.files / "gatekeeper.yaml"
    theirs = rights.gatekeeper(product.mesh.kubectl, product.files / "gatekeeper.kubeconfig")
    cluster = {
        "name": "mesh",
        "kubeconfig": str(theirs.kubeconfig),
        "channel": UPGRADES.id,
    }
    config.write_text(json.dumps({"clusters": [cluster], "slack": {"api_url": slack.api_url}}))
    tokens = {"SLACK_BOT_TOKEN": slack.app.bot_token, "SLACK_APP_TOKEN": slack.app.app_token}
    told = replace(product, environment={**product.environment, **tokens})
    words = ("--config", str(config), "--listen", "127.0.0.1:0", "-o", "json")
    running = told.start("gatekeeper", *words)
    until(
        lambda: running.must_be_alive() and running.out.read_text(),
        what="the gatekeeper is up",
        seconds=60,
    )
    return running


def said(slack: RunningSlack) -> list[Json]:
    """Return what stands in the channel, with the name that the gatekeeper gave each message."""
    messages: list[Json] = slack.messages(UPGRADES.id)
    return [one for one in messages if one.get("metadata")]


def keys(slack: RunningSlack) -> list[str]:
    return [one["metadata"]["event_payload"]["key"] for one in said(slack)]


def message(slack: RunningSlack, key: str) -> Json | None:
    return next(
        (one for one in said(slack) if one["metadata"]["event_payload"]["key"] == key), None
    )


def buttons(found: Json) -> set[Any]:
    return {
        element["action_id"]
        for block in found["blocks"]
        if block["type"] == "actions"
        for element in block["elements"]
    }


def ready_to_press(slack: RunningSlack, key: str) -> Json:
    found = until(lambda: message(slack, key), what=f"{key} stands in Slack", seconds=60)
    assert found is not None
    return found


def test_a_click_on_approve_resumes_a_suspended_deployment_that_upgrades_the_mesh(
    kubectl: Kubectl, scheduled: Product, prefect: Scheduler, slack: RunningSlack
) -> None:
    kubectl.apply(
        manifests.enabled("shop"), manifests.workload("Deployment", "web", namespace="shop")
    )
    judge.wait_until_on(kubectl, OLD_REVISION, "shop", count=1)
    prefect.start_worker()
    gatekeeper = keep_gates(scheduled, slack)
    running = scheduled.start_upgrade(
        parameters=scheduled.parameters(gates={"at": ["start"], **APPROVERS})
    )
    run = scheduled.waiting_at("start", running)
    flow_run = run["flow_runs"][-1]
    until(
        lambda: prefect.api.state(flow_run)["name"] == "Suspended",
        what="no process waits for the answer",
        seconds=30,
    )
    asked = ready_to_press(slack, "gate-start")

    slack.press(MALLORY.id, UPGRADES.id, asked["ts"], "gate-approve")
    refused = until(lambda: slack.ephemerals(MALLORY.id), what="mallory is told", seconds=15)
    assert refused is not None
    assert "who is not an approver" in refused[-1]["text"]
    assert prefect.api.state(flow_run)["name"] == "Suspended"

    slack.press(ALICE.id, UPGRADES.id, asked["ts"], "gate-approve")

    running.wait().exited(DONE)
    assert prefect.api.state(flow_run)["type"] == "COMPLETED", prefect.said()
    judge.assert_on(kubectl, NEW_REVISION, "shop", count=1)
    assert judge.control_planes(kubectl) == {NEW_REVISION}
    until(lambda: "done" in _end_of(slack), what="the thread says that it is done", seconds=30)
    assert gatekeeper.must_be_alive()
    assert len(keys(slack)) == len(set(keys(slack)))
    decided = message(slack, "gate-start")
    assert decided is not None
    assert "gate-approve" not in buttons(decided)
    assert f"<@{ALICE.id}>" in json.dumps(decided["blocks"])


@pytest.mark.skipif(
    "MESH_WITHOUT_TRAFFIC" not in os.environ,
    reason="it is about Prefect alone: make rehearsal-test runs it on the rehearsal cluster",
)
def test_the_gatekeeper_puts_a_run_back_in_line_whose_worker_was_killed(
    kubectl: Kubectl, scheduled: Product, prefect: Scheduler, slack: RunningSlack
) -> None:
    names = ("one", "two", "three", "four")
    workloads = [manifests.workload("Deployment", name, namespace="shop") for name in names]
    kubectl.apply(manifests.enabled("shop"), *workloads)
    judge.wait_until_on(kubectl, OLD_REVISION, "shop", count=len(names))
    worker = prefect.start_worker()
    keep_gates(scheduled, slack)
    parameters = scheduled.parameters(limits={"workloads_at_once": 1})
    running = scheduled.start_upgrade("--yes", parameters=parameters)
    until(
        lambda: running.must_be_alive() and 2 in judge.replica_sets(kubectl, "shop").values(),
        what="a workload is restarted",
        seconds=180,
        every=0.1,
    )
    running.kill()  # nobody at a terminal follows the run any more
    run = scheduled.unfinished()
    scheduler.kill_tree(worker.pid)
    prefect.start_worker()

    assert run is not None
    gates = ("default", "uninstall")
    for gate in gates:
        scheduled.waiting_at(gate, seconds=300)
        scheduled.approve(run["run"])
    until(lambda: scheduled.unfinished() is None, what="the run is over", seconds=180, every=1)

    judge.assert_on(kubectl, NEW_REVISION, "shop", count=len(names))
    assert judge.replica_sets(kubectl, "shop") == dict.fromkeys(names, 2)
    assert judge.control_planes(kubectl) == {NEW_REVISION}


def _end_of(slack: RunningSlack) -> str:
    last = said(slack)[-1]
    return str(last["text"]).lower()
