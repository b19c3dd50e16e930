"""What a Service shows of its pods, and what a budget allows to be taken from them."""

import pytest

from deployments.rehearsal.cluster.controllers.evictions import allow
from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import (
    Json,
    labels_of,
    name_of,
    owners_of,
    status_of,
    uid_of,
)
from deployments.rehearsal.cluster.resources import (
    DEPLOYMENTS,
    ENDPOINTS,
    ENDPOINTSLICES,
    PDBS,
    PODS,
    SERVICES,
)
from tests.rehearsal.running_cluster import NEVER, PLACE, Cluster, pod_spec, run, running


def service(name: str = "web", **more: object) -> Json:
    spec: Json = {"selector": {"app": name}, "ports": [{"name": "http", "port": 8080}]}
    return {"metadata": {"name": name}, "spec": spec | more}


def endpoints(cluster: Cluster) -> dict[str, Json]:
    """Return the conditions of all endpoints, by the pod's name."""
    return {
        one["targetRef"]["name"]: one["conditions"]
        for each in cluster.all(ENDPOINTSLICES)
        for one in each.get("endpoints") or ()
    }


def test_a_service_s_slice_names_its_ready_pods_and_the_service() -> None:
    async def story() -> None:
        async with running() as cluster:
            made = await cluster.make(SERVICES, service())
            await cluster.deploy(replicas=2)

            (found,) = cluster.all(ENDPOINTSLICES)
            assert labels_of(found)["kubernetes.io/service-name"] == "web"
            assert owners_of(found)[0]["uid"] == uid_of(made)
            assert found["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
            ready = {"ready": True, "serving": True, "terminating": False}
            assert endpoints(cluster) == dict.fromkeys(cluster.ready(), ready)
            (subset,) = cluster.get(ENDPOINTS, "web")["subsets"]
            assert len(subset["addresses"]) == 2
            assert "notReadyAddresses" not in subset

    run(story)


def test_a_pod_that_is_not_ready_is_told_apart_and_one_that_ends_still_serves() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.make(SERVICES, service())
            await cluster.deploy(spec=pod_spec(NEVER))
            (conditions,) = endpoints(cluster).values()
            assert conditions == {"ready": False, "serving": False, "terminating": False}
            (subset,) = cluster.get(ENDPOINTS, "web")["subsets"]
            assert len(subset["notReadyAddresses"]) == 1

            await cluster.make(SERVICES, service("other"))
            await cluster.deploy("other", spec=pod_spec(grace=100000))
            (name,) = cluster.ready("other")
            await cluster.delete(PODS, name)
            await cluster.until(lambda: endpoints(cluster)[name]["terminating"])
            assert endpoints(cluster)[name] == {
                "ready": False,
                "serving": True,
                "terminating": True,
            }

    run(story)


def test_a_named_target_port_is_each_pod_s_own_number() -> None:
    async def story() -> None:
        async with running() as cluster:
            spec = pod_spec()
            spec["containers"][0]["ports"] = [{"name": "web", "containerPort": 8080}]
            await cluster.deploy(spec=spec)
            ports = [{"name": "http", "port": 80, "targetPort": "web"}]
            await cluster.make(SERVICES, service(ports=ports))

            (found,) = cluster.all(ENDPOINTSLICES)
            assert found["ports"][0]["port"] == 8080

    run(story)


def test_more_than_a_hundred_pods_need_more_than_one_slice() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.make(SERVICES, service())
            await cluster.deploy(replicas=130)

            sizes = [len(one["endpoints"]) for one in cluster.all(ENDPOINTSLICES)]
            assert sorted(sizes) == [30, 100]
            assert set(endpoints(cluster)) == set(cluster.ready())

    run(story)


def test_a_deleted_service_takes_its_endpoints_along() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.make(SERVICES, service())
            await cluster.deploy()
            await cluster.delete(SERVICES, "web")
            await cluster.settled()
            assert not cluster.all(ENDPOINTSLICES)
            assert not cluster.all(ENDPOINTS)

    run(story)


def test_a_service_without_a_selector_is_left_alone() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.make(SERVICES, service(selector=None))
            assert not cluster.all(ENDPOINTSLICES)
            assert not cluster.all(ENDPOINTS)

    run(story)


async def budget(cluster: Cluster, **limits: object) -> None:
    body = {
        "metadata": {"name": "web"},
        "spec": {"selector": {"matchLabels": {"app": "web"}}} | limits,
    }
    await cluster.make(PDBS, body)


@pytest.mark.parametrize(
    ("limits", "desired", "allowed"),
    [
        pytest.param({"minAvailable": 2}, 2, 1, id="so many"),
        pytest.param({"minAvailable": 3}, 3, 0, id="all of them"),
        pytest.param({"minAvailable": "50%"}, 2, 1, id="a share, rounded up"),
        pytest.param({"maxUnavailable": 1}, 2, 1, id="all but one"),
        pytest.param({"maxUnavailable": "34%"}, 1, 2, id="all but a share, rounded up"),
    ],
)
def test_a_budget_says_how_many_pods_may_go(limits: Json, desired: int, allowed: int) -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy(replicas=3)
            await budget(cluster, **limits)

            status = cluster.status(PDBS)
            assert (status["currentHealthy"], status["expectedPods"]) == (3, 3)
            assert (status["desiredHealthy"], status["disruptionsAllowed"]) == (desired, allowed)
            condition = cluster.condition("DisruptionAllowed", of=PDBS)
            assert condition["reason"] == ("SufficientPods" if allowed else "InsufficientPods")

    run(story)


def test_each_eviction_takes_one_from_the_budget_until_none_is_left() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy(replicas=2)
            await budget(cluster, minAvailable=1)
            first, second = cluster.pods()

            await allow(cluster.server, first, dry_run=True)
            assert cluster.status(PDBS)["disruptionsAllowed"] == 1
            await allow(cluster.server, first)
            assert cluster.status(PDBS)["disruptionsAllowed"] == 0
            assert list(cluster.status(PDBS)["disruptedPods"]) == [name_of(first)]

            with pytest.raises(ApiError) as refused:
                await allow(cluster.server, second)
            assert refused.value.code == 429
            assert refused.value.message == (
                "Cannot evict pod as it would violate the pod's disruption budget."
            )
            (cause,) = (refused.value.details or {})["causes"]
            assert cause["message"] == (
                "The disruption budget web needs 1 healthy pods and has 2 currently"
            )

            await cluster.delete(PODS, name_of(first))
            await cluster.settled()
            assert cluster.status(PDBS)["disruptionsAllowed"] == 1
            assert "disruptedPods" not in cluster.status(PDBS)

    run(story)


def test_a_budget_does_not_hinder_a_rollout() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy(replicas=2)
            await budget(cluster, minAvailable=2)
            await cluster.restart(DEPLOYMENTS, "web")
            assert cluster.condition("Progressing")["reason"] == "NewReplicaSetAvailable"
            assert cluster.status(PDBS)["disruptionsAllowed"] == 0
            assert all(status_of(pod)["phase"] == "Running" for pod in cluster.pods())
            assert {pod["metadata"]["namespace"] for pod in cluster.pods()} == {PLACE}

    run(story)
