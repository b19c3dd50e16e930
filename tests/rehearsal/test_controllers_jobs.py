from deployments.rehearsal.cluster.objects import Json, labels_of, name_of, status_of
from deployments.rehearsal.cluster.resources import JOBS, PODS
from tests.rehearsal.running_cluster import Cluster, container, run, running

PROXY = {"name": "istio-proxy", "image": "docker.io/proxy:1", "restartPolicy": "Always"}


def job(script: str = "sleep 3", **more: object) -> Json:
    spec: Json = {
        "restartPolicy": "Never",
        "initContainers": [PROXY],
        "containers": [container(script, probed=False)],
    }
    return {"metadata": {"name": "web"}, "spec": {"template": {"spec": spec}} | more}


def pods(cluster: Cluster) -> list[Json]:
    return cluster.all(PODS)


def kinds(cluster: Cluster) -> set[str]:
    return {one["type"] for one in cluster.status(JOBS).get("conditions", ())}


def test_a_job_completes_though_its_sidecar_would_run_for_ever() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.make(JOBS, job())
            await cluster.until(lambda: "Complete" in kinds(cluster))

            status = cluster.status(JOBS)
            assert status["succeeded"] == 1
            assert "active" not in status
            assert status["completionTime"]
            assert kinds(cluster) == {"Complete", "SuccessCriteriaMet"}
            (pod,) = pods(cluster)
            assert status_of(pod)["phase"] == "Succeeded"
            (proxy,) = status_of(pod)["initContainerStatuses"]
            assert proxy["state"]["terminated"]["reason"] == "Completed"
            assert proxy["ready"] is False

    run(story)


def test_its_pods_bear_its_name() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.make(JOBS, job("sleep 100000"))
            (pod,) = pods(cluster)
            assert labels_of(pod)["batch.kubernetes.io/job-name"] == "web"
            assert name_of(pod).startswith("web-")
            assert cluster.status(JOBS)["active"] == 1

    run(story)


def test_a_job_runs_so_many_pods_at_a_time_until_enough_have_succeeded() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.make(JOBS, job("sleep 1", completions=3, parallelism=2), settled=False)
            await cluster.until(lambda: cluster.status(JOBS).get("active") == 2)
            await cluster.until(lambda: "Complete" in kinds(cluster))
            assert len(pods(cluster)) == 3

    run(story)


def test_a_job_whose_pods_fail_gives_up_after_its_limit() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.make(JOBS, job("exit 1", backoffLimit=1), settled=False)
            await cluster.until(lambda: "Failed" in kinds(cluster))
            assert cluster.status(JOBS)["failed"] == 2
            assert len(pods(cluster)) == 2

    run(story)


def test_the_pods_of_a_deleted_job_go_with_it() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.make(JOBS, job("sleep 100000"))
            await cluster.delete(JOBS, "web", propagation="Background")
            await cluster.until(lambda: not pods(cluster))

    run(story)
