"""Who goes with whom: owners, namespaces, budgets, endpoints, graces."""

from tests.contract import waiting
from tests.contract.client import Json
from tests.contract.manifests import (
    SERVE,
    budget,
    config,
    container,
    pod,
    pod_spec,
    service,
    workload,
)
from tests.contract.place import Place


def owned(name: str, owner: Json, **more: object) -> Json:
    body = config(name)
    reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": owner["metadata"]["name"]}
    body["metadata"]["ownerReferences"] = [reference | {"uid": owner["metadata"]["uid"]} | more]
    return body


def test_what_an_object_owns_goes_after_it(place: Place) -> None:
    owner = place.make("configmaps", config("owner"))
    place.make("configmaps", owned("part", owner))

    place.ask("DELETE", "configmaps", "owner")

    assert place.find("configmaps", "owner") is None
    place.until(lambda: place.find("configmaps", "part") is None, "the part is gone")


def test_in_the_foreground_what_an_object_owns_goes_before_it(place: Place) -> None:
    owner = place.make("configmaps", config("owner"))
    part = owned("part", owner, blockOwnerDeletion=True)
    part["metadata"]["finalizers"] = ["contract.example/wait"]
    place.make("configmaps", part)

    place.ask("DELETE", "configmaps", "owner", {"propagationPolicy": "Foreground"})

    place.until(
        lambda: "deletionTimestamp" in place.get("configmaps", "part")["metadata"], "it goes"
    )
    still = place.get("configmaps", "owner")["metadata"]
    assert still["finalizers"] == ["foregroundDeletion"]
    place.merge("configmaps", "part", {"metadata": {"finalizers": None}})
    place.until(lambda: place.find("configmaps", "owner") is None, "the owner is gone")


def test_orphans_stay_and_lose_their_owner(place: Place) -> None:
    owner = place.make("configmaps", config("owner"))
    place.make("configmaps", owned("part", owner))

    place.ask("DELETE", "configmaps", "owner", {"propagationPolicy": "Orphan"})

    place.until(lambda: place.find("configmaps", "owner") is None, "the owner is gone")
    assert "ownerReferences" not in place.get("configmaps", "part")["metadata"]


def test_a_deleted_deployment_takes_its_pods_along(place: Place) -> None:
    place.make("deployments", workload(replicas=1))
    waiting.ready(place, 1)

    place.ask("DELETE", "deployments", "web")

    place.until(
        lambda: not place.items("pods", labelSelector="app=web") and not place.items("replicasets"),
        "everything of it is gone",
    )


def test_a_deleted_namespace_ends_when_all_in_it_is_gone(place: Place) -> None:
    other = place.cluster.place()
    body = config()
    body["metadata"]["finalizers"] = ["contract.example/wait"]
    other.make("configmaps", body)
    path = f"/api/v1/namespaces/{other.name}"

    answer = place.client.ask("DELETE", path)

    assert answer.code == 200
    place.until(
        lambda: "deletionTimestamp" in other.get("configmaps", "one")["metadata"], "it is marked"
    )
    assert place.client.ask("GET", path).object["status"]["phase"] == "Terminating"
    late = other.ask("POST", "configmaps", "", config("late"))
    other.merge("configmaps", "one", {"metadata": {"finalizers": None}})
    place.until(lambda: place.client.ask("GET", path).code == 404, "the namespace is gone")
    assert late.said == (
        403,
        "Forbidden",
        (
            f'configmaps "late" is forbidden: unable to create new content in namespace '
            f"{other.name} because it is being terminated"
        ),
    )


def test_a_pod_that_is_deleted_runs_on_for_its_grace(place: Place) -> None:
    body = pod()
    body["spec"]["terminationGracePeriodSeconds"] = 3
    place.make("pods", body)
    place.until(lambda: place.get("pods", "web")["status"]["phase"] == "Running", "it runs")

    answer = place.ask("DELETE", "pods", "web")

    assert answer.body["metadata"]["deletionGracePeriodSeconds"] == 3
    assert "deletionTimestamp" in answer.body["metadata"]
    assert answer.body["status"]["phase"] == "Running"
    place.until(lambda: place.find("pods", "web") is None, "it is gone")


def test_a_running_pod_has_an_address_and_says_when_it_is_ready(place: Place) -> None:
    place.make("pods", pod())

    found = place.until(
        lambda: one if waiting.is_ready(one := place.get("pods", "web")) else None, "it is ready"
    )

    status = found["status"]
    assert status["phase"] == "Running"
    assert status["podIPs"] == [{"ip": status["podIP"]}]
    assert {"PodScheduled", "Initialized", "ContainersReady", "Ready"} <= {
        one["type"] for one in status["conditions"]
    }
    (only,) = status["containerStatuses"]
    assert (only["ready"], only["started"], only["restartCount"]) == (True, True, 0)
    assert "running" in only["state"]


def test_a_pod_whose_probe_fails_runs_and_is_not_ready(place: Place) -> None:
    place.make("pods", pod() | {"spec": pod_spec(is_probed=True)})

    place.until(lambda: place.get("pods", "web")["status"]["phase"] == "Running", "it runs")

    condition = waiting.condition(place.get("pods", "web"), "Ready")
    assert (condition["status"], condition["reason"]) == ("False", "ContainersNotReady")
    assert condition["message"] == "containers with unready status: [web]"


def test_an_image_that_cannot_be_had_waits(place: Place) -> None:
    body = pod()
    body["spec"]["containers"] = [container() | {"image": "docker.io/library/nosuch:1"}]
    place.make("pods", body)

    def waits() -> str:
        statuses = place.get("pods", "web")["status"].get("containerStatuses", [{}])
        return str(statuses[0].get("state", {}).get("waiting", {}).get("reason", ""))

    place.until(lambda: waits() == "ErrImageNeverPull", "its image is not there")


def test_a_service_has_the_addresses_of_its_ready_pods(place: Place) -> None:
    place.make("services", service())
    place.make("pods", pod(labels={"app": "web"}) | {"spec": pod_spec(SERVE, is_probed=True)})
    place.make("pods", pod("never", labels={"app": "web"}) | {"spec": pod_spec(is_probed=True)})

    def endpoints() -> dict[str, bool]:
        slices = place.items("endpointslices", labelSelector="kubernetes.io/service-name=web")
        found = [end for one in slices for end in one.get("endpoints") or []]
        return {end["targetRef"]["name"]: end["conditions"]["ready"] for end in found}

    place.until(lambda: endpoints() == {"web": True, "never": False}, "its endpoints")


def test_a_budget_says_how_many_pods_may_go(place: Place) -> None:
    place.make("deployments", workload(replicas=2))
    place.make("poddisruptionbudgets", budget(minAvailable=1))
    waiting.ready(place, 2)

    status = place.until(
        lambda: (
            status
            if (status := place.get("poddisruptionbudgets", "web").get("status", {})).get(
                "disruptionsAllowed"
            )
            else None
        ),
        "its status",
    )

    assert (status["currentHealthy"], status["desiredHealthy"], status["expectedPods"]) == (2, 1, 2)


def test_an_eviction_beyond_the_budget_is_429(place: Place) -> None:
    place.make("deployments", workload(replicas=1))
    place.make("poddisruptionbudgets", budget(minAvailable=1))
    (only,) = waiting.ready(place, 1)
    place.until(
        lambda: place.get("poddisruptionbudgets", "web").get("status", {}).get("currentHealthy"),
        "its status",
    )
    name = only["metadata"]["name"]
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}

    answer = place.ask("POST", "pods", name, eviction, sub="eviction")

    assert answer.said == (
        429,
        "TooManyRequests",
        "Cannot evict pod as it would violate the pod's disruption budget.",
    )
    (cause,) = answer.body["details"]["causes"]
    assert cause["reason"] == "DisruptionBudget"
    assert cause["message"] == (
        "The disruption budget web needs 1 healthy pods and has 1 currently"
    )


def test_a_budget_does_not_stop_a_rollout(place: Place) -> None:
    place.make("deployments", workload(replicas=1))
    place.make("poddisruptionbudgets", budget(minAvailable=1))
    before = waiting.names(waiting.ready(place, 1))

    place.merge(
        "deployments", "web", {"spec": {"template": {"metadata": {"annotations": {"a": "1"}}}}}
    )

    place.until(lambda: not before & waiting.names(waiting.pods(place)), "another pod")


def test_a_quota_counts_what_there_is(place: Place) -> None:
    hard = {"pods": "1", "count/configmaps": "20"}
    place.make("resourcequotas", {"metadata": {"name": "few"}, "spec": {"hard": hard}})
    place.make("pods", pod())

    place.until(
        lambda: (
            place.get("resourcequotas", "few").get("status", {}).get("used", {}).get("pods") == "1"
        ),
        "its status",
    )
    answer = place.ask("POST", "pods", "", pod("two"))

    assert answer.said == (
        403,
        "Forbidden",
        (
            'pods "two" is forbidden: exceeded quota: few, requested: pods=1, used: pods=1, '
            "limited: pods=1"
        ),
    )
