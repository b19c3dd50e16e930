"""StatefulSets, DaemonSets, Jobs: their order, their strategies, and what their status says."""

import pytest

from tests.contract import waiting
from tests.contract.client import Json
from tests.contract.manifests import IDLE, container, pod_spec, template, workload
from tests.contract.place import Place
from tests.contract.test_deployments import restart


def stateful(place: Place, replicas: int = 2, **more: object) -> None:
    given: Json = {"replicas": replicas, "serviceName": "web"} | more
    place.make("statefulsets", workload(**given))
    waiting.ready(place, replicas)
    place.until(
        lambda: place.get("statefulsets", "web")["status"].get("readyReplicas") == replicas,
        "its status",
    )


def uids(place: Place) -> dict[str, str]:
    return {one["metadata"]["name"]: one["metadata"]["uid"] for one in waiting.pods(place)}


def test_a_stateful_set_s_pods_have_numbers_and_come_one_after_the_other(place: Place) -> None:
    stateful(place, 2)

    assert set(uids(place)) == {"web-0", "web-1"}
    started = [
        waiting.condition(place.get("pods", name), kind)["lastTransitionTime"]
        for name, kind in (("web-0", "Ready"), ("web-1", "PodScheduled"))
    ]
    assert started == sorted(started)
    labels = place.get("pods", "web-1")["metadata"]["labels"]
    assert labels["statefulset.kubernetes.io/pod-name"] == "web-1"
    assert labels["apps.kubernetes.io/pod-index"] == "1"
    status = place.get("statefulsets", "web")["status"]
    assert labels["controller-revision-hash"] == status["currentRevision"]


def test_a_restart_rolls_it_from_the_last_to_the_first(place: Place) -> None:
    stateful(place)
    before = uids(place)
    seen: list[set[str]] = []

    restart(place, "statefulsets")

    def is_over() -> bool:
        now = uids(place)
        seen.append({name for name, uid in now.items() if before.get(name) == uid})
        return len(now) == 2 and not seen[-1]

    place.until(is_over, "both pods are new")
    assert {"web-1"} not in seen
    place.until(
        lambda: (
            (status := place.get("statefulsets", "web")["status"])["currentRevision"]
            == status["updateRevision"]
        ),
        "its revisions agree",
    )


def test_a_partition_keeps_the_pods_below_it(place: Place) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}
    stateful(place, updateStrategy=strategy)
    before = uids(place)

    restart(place, "statefulsets")

    place.until(
        lambda: (
            uids(place).get("web-1") not in {None, before["web-1"]}
            and waiting.ready(place, 2)
            and place.get("statefulsets", "web")["status"].get("updatedReplicas") == 1
        ),
        "the upper pod is new",
    )
    assert uids(place)["web-0"] == before["web-0"]
    status = place.get("statefulsets", "web")["status"]
    assert status["currentRevision"] != status["updateRevision"]


def test_on_delete_nothing_rolls_until_a_pod_is_deleted(place: Place) -> None:
    stateful(place, updateStrategy={"type": "OnDelete"})
    before = uids(place)
    restart(place, "statefulsets")
    place.until(
        lambda: (
            (status := place.get("statefulsets", "web")["status"])["updateRevision"]
            != status["currentRevision"]
        ),
        "a new revision",
    )
    assert uids(place) == before
    assert "updatedReplicas" not in place.get("statefulsets", "web")["status"]

    place.ask("DELETE", "pods", "web-0")

    place.until(lambda: uids(place).get("web-0") not in {None, before["web-0"]}, "another pod")
    waiting.ready(place, 2)
    place.until(
        lambda: place.get("statefulsets", "web")["status"].get("updatedReplicas") == 1, "one"
    )
    assert uids(place)["web-1"] == before["web-1"]


def test_a_daemon_set_has_one_pod_a_node_and_rolls(place: Place) -> None:
    nodes = len(place.client.ask("GET", "/api/v1/nodes").items)
    place.make("daemonsets", workload())
    waiting.ready(place, nodes)
    before = uids(place)

    restart(place, "daemonsets")

    place.until(lambda: not set(uids(place)) & set(before), "new pods")
    waiting.ready(place, nodes)
    status = place.until(
        lambda: (
            status
            if (status := place.get("daemonsets", "web")["status"]).get("numberAvailable") == nodes
            and status.get("updatedNumberScheduled") == nodes
            else None
        ),
        "its status",
    )
    assert (status["desiredNumberScheduled"], status["observedGeneration"]) == (nodes, 2)


def test_a_daemon_set_on_delete_keeps_its_pods(place: Place) -> None:
    nodes = len(place.client.ask("GET", "/api/v1/nodes").items)
    place.make("daemonsets", workload(updateStrategy={"type": "OnDelete"}))
    waiting.ready(place, nodes)
    before = uids(place)

    restart(place, "daemonsets")

    place.until(
        lambda: place.get("daemonsets", "web")["status"]["observedGeneration"] == 2, "it has seen"
    )
    assert "updatedNumberScheduled" not in place.get("daemonsets", "web")["status"]
    assert uids(place) == before


def job(script: str, **more: object) -> Json:
    spec = pod_spec(script) | {"restartPolicy": "Never"}
    return {"metadata": {"name": "web"}, "spec": {"template": template(spec=spec), **more}}


def test_a_job_completes_and_keeps_its_pod(place: Place) -> None:
    made = place.make("jobs", job("exit 0"))

    place.until(lambda: waiting.condition(place.get("jobs", "web"), "Complete"), "it completes")

    uid = made["metadata"]["uid"]
    assert made["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    (pod,) = place.items("pods", labelSelector="job-name=web")
    assert pod["status"]["phase"] == "Succeeded"
    status = place.get("jobs", "web")["status"]
    assert status["succeeded"] == 1
    assert "completionTime" in status


def test_a_job_that_fails_is_tried_again_and_then_failed(place: Place) -> None:
    place.make("jobs", job("exit 1", backoffLimit=0))

    failed = place.until(lambda: waiting.condition(place.get("jobs", "web"), "Failed"), "it fails")

    assert (failed["reason"], failed["message"]) == (
        "BackoffLimitExceeded",
        "Job has reached the specified backoff limit",
    )


def test_a_native_sidecar_ends_with_its_job(place: Place) -> None:
    body = job("sleep 1; exit 0")
    sidecar = container(IDLE, name="sidecar") | {"restartPolicy": "Always"}
    body["spec"]["template"]["spec"]["initContainers"] = [sidecar]
    place.make("jobs", body)

    place.until(lambda: waiting.condition(place.get("jobs", "web"), "Complete"), "it completes")

    (pod,) = place.items("pods", labelSelector="job-name=web")
    assert pod["status"]["phase"] == "Succeeded"
    (beside,) = pod["status"]["initContainerStatuses"]
    assert "terminated" in beside["state"]


def test_a_pod_that_crashes_is_restarted_and_backs_off(place: Place) -> None:
    place.make("deployments", workload(replicas=1, spec=pod_spec("exit 3")))

    def waits() -> Json | None:
        statuses: list[Json] = [
            one for pod in waiting.pods(place) for one in pod["status"].get("containerStatuses", [])
        ]
        reasons = [one["state"].get("waiting", {}).get("reason") for one in statuses]
        return statuses[0] if "CrashLoopBackOff" in reasons else None

    found = place.until(waits, "it backs off")
    assert found["restartCount"] >= 1
    assert found["lastState"]["terminated"]["exitCode"] == 3


@pytest.mark.parametrize("plural", ["deployments", "statefulsets", "daemonsets"])
def test_a_workload_is_selected_by_its_labels(place: Place, plural: str) -> None:
    given: Json = {"serviceName": "web"} if plural == "statefulsets" else {}
    body = workload(**given)
    if plural != "daemonsets":
        body["spec"]["replicas"] = 0
    body["metadata"]["labels"] = {"team": "a"}
    place.make(plural, body)

    assert len(place.items(plural, labelSelector="team=a")) == 1
    assert place.items(plural, labelSelector="team!=a") == []
