"""StatefulSets and DaemonSets: order, partitions, OnDelete, one pod a node."""

import pytest

from deployments.rehearsal.cluster.objects import (
    Json,
    is_terminating,
    labels_of,
    name_of,
    spec_of,
    status_of,
    uid_of,
)
from deployments.rehearsal.cluster.resources import (
    CONTROLLERREVISIONS,
    DAEMONSETS,
    PODS,
    STATEFULSETS,
)
from deployments.rehearsal.cluster.store import Change, ChangeKind
from tests.rehearsal.running_cluster import (
    NEVER,
    Cluster,
    rolling,
    run,
    running,
    workload,
)

HASH = "controller-revision-hash"
ON_DELETE = {"type": "OnDelete"}


def told(cluster: Cluster, kind: ChangeKind) -> list[str]:
    """Return a list that fills with the names of pods as this happens to them."""
    names: list[str] = []

    def hear(change: Change) -> None:
        if change.resource == PODS and change.kind is kind:
            names.append(name_of(change.object))

    cluster.server.store.listen(hear)
    return names


async def stateful(cluster: Cluster, replicas: int = 2, **more: object) -> None:
    body = workload("web", replicas=replicas)
    body["spec"] |= {"serviceName": "web"} | more
    await cluster.make(STATEFULSETS, body)


def hashes(cluster: Cluster) -> list[str]:
    return [labels_of(pod)[HASH] for pod in cluster.pods()]


def partition(number: int) -> Json:
    return {"type": "RollingUpdate", "rollingUpdate": {"partition": number}}


def test_a_statefulset_s_pods_come_one_after_the_other_and_bear_their_number() -> None:
    async def story() -> None:
        async with running() as cluster:
            seen: list[int] = []

            def hear(change: Change) -> None:
                if change.resource == PODS and change.kind is ChangeKind.ADDED:
                    seen.append(len(cluster.ready()))

            cluster.server.store.listen(hear)
            await stateful(cluster, replicas=3)

            assert [name_of(pod) for pod in cluster.pods()] == ["web-0", "web-1", "web-2"]
            assert seen == [0, 1, 2]
            labels = labels_of(cluster.pods()[1])
            assert labels["statefulset.kubernetes.io/pod-name"] == "web-1"
            assert labels["apps.kubernetes.io/pod-index"] == "1"
            status = cluster.status(STATEFULSETS)
            assert status["currentRevision"] == status["updateRevision"] == labels[HASH]
            assert (status["readyReplicas"], status["availableReplicas"]) == (3, 3)

    run(story)


def test_a_restart_goes_from_the_last_pod_to_the_first_and_waits_for_each() -> None:
    async def story() -> None:
        async with running() as cluster:
            await stateful(cluster, replicas=3)
            made = told(cluster, ChangeKind.ADDED)
            await cluster.restart(STATEFULSETS, "web")

            assert made == ["web-2", "web-1", "web-0"]
            status = cluster.status(STATEFULSETS)
            assert status["currentRevision"] == status["updateRevision"]
            assert (status["updatedReplicas"], status["currentReplicas"]) == (3, 3)
            assert set(hashes(cluster)) == {status["updateRevision"]}

    run(story)


def test_below_the_partition_pods_stay_old_even_if_they_are_deleted() -> None:
    async def story() -> None:
        async with running() as cluster:
            await stateful(cluster, updateStrategy=partition(1))
            (old, _) = hashes(cluster)
            await cluster.restart(STATEFULSETS, "web")
            status = cluster.status(STATEFULSETS)
            assert hashes(cluster) == [old, status["updateRevision"]]
            assert status["currentRevision"] == old
            assert (status["updatedReplicas"], status["currentReplicas"]) == (1, 1)

            before = uid_of(cluster.get(PODS, "web-0"))
            await cluster.delete(PODS, "web-0")
            await cluster.settled()
            assert uid_of(cluster.get(PODS, "web-0")) != before
            assert hashes(cluster)[0] == old

    run(story)


def test_on_delete_a_pod_becomes_new_when_somebody_deletes_it() -> None:
    async def story() -> None:
        async with running() as cluster:
            await stateful(cluster, updateStrategy=ON_DELETE)
            old = hashes(cluster)
            await cluster.restart(STATEFULSETS, "web")
            assert hashes(cluster) == old
            assert "updatedReplicas" not in cluster.status(STATEFULSETS)

            for name in ("web-1", "web-0"):
                await cluster.delete(PODS, name)
                await cluster.settled()
            status = cluster.status(STATEFULSETS)
            assert status["updatedReplicas"] == 2
            assert hashes(cluster) == [status["updateRevision"]] * 2
            # As seen on a real mesh: nobody calls it the current one, though all pods are new.
            assert status["currentRevision"] != status["updateRevision"]

    run(story)


def test_a_pod_that_does_not_get_ready_blocks_those_before_it() -> None:
    async def story() -> None:
        async with running() as cluster:
            await stateful(cluster)
            (old, _) = hashes(cluster)

            def spoil(found: Json) -> None:
                container = found["spec"]["template"]["spec"]["containers"][0]
                container["command"] = ["sh", "-c", NEVER]

            await cluster.change(STATEFULSETS, "web", spoil)
            assert cluster.ready() == ["web-0"]
            assert hashes(cluster)[0] == old
            assert cluster.status(STATEFULSETS)["updatedReplicas"] == 1

    run(story)


def test_a_parallel_statefulset_waits_for_nobody_to_fill_up() -> None:
    async def story() -> None:
        async with running() as cluster:
            made = told(cluster, ChangeKind.ADDED)
            body = workload("web", replicas=3, serviceName="web", podManagementPolicy="Parallel")
            await cluster.make(STATEFULSETS, body, settled=False)
            await cluster.until(lambda: len(made) == 3)
            assert not cluster.ready()

    run(story)


def test_a_smaller_statefulset_loses_its_last_pods_first() -> None:
    async def story() -> None:
        async with running() as cluster:
            await stateful(cluster, replicas=3)
            gone = told(cluster, ChangeKind.DELETED)

            def shrink(found: Json) -> None:
                found["spec"]["replicas"] = 1

            await cluster.change(STATEFULSETS, "web", shrink)
            assert gone == ["web-2", "web-1"]

    run(story)


def test_a_template_that_comes_back_gets_its_revision_back_under_a_new_number() -> None:
    async def story() -> None:
        async with running() as cluster:
            await stateful(cluster)
            template = spec_of(cluster.get(STATEFULSETS, "web"))["template"]
            first = cluster.status(STATEFULSETS)["updateRevision"]
            await cluster.restart(STATEFULSETS, "web")

            def undo(found: Json) -> None:
                found["spec"]["template"] = template

            await cluster.change(STATEFULSETS, "web", undo)
            assert cluster.status(STATEFULSETS)["updateRevision"] == first
            assert len(cluster.all(CONTROLLERREVISIONS)) == 2
            assert cluster.get(CONTROLLERREVISIONS, first)["revision"] == 3

    run(story)


async def daemons(cluster: Cluster, strategy: Json) -> None:
    await cluster.make(DAEMONSETS, workload("web", updateStrategy=strategy))


NODES = ("one", "two", "three")


def test_a_daemonset_has_one_pod_on_each_node() -> None:
    async def story() -> None:
        async with running(nodes=NODES) as cluster:
            await daemons(cluster, rolling(0, 1))
            assert {spec_of(pod)["nodeName"] for pod in cluster.pods()} == set(NODES)
            status = cluster.status(DAEMONSETS)
            assert (status["desiredNumberScheduled"], status["numberReady"]) == (3, 3)
            assert (status["updatedNumberScheduled"], status["numberMisscheduled"]) == (3, 0)
            assert "numberUnavailable" not in status

    run(story)


@pytest.mark.parametrize(
    ("strategy", "fewest", "most"),
    [
        pytest.param(rolling(0, 1), 2, 3, id="one node at a time is without"),
        # The next surge comes in the step in which an old pod goes, and before that.
        pytest.param(rolling(1, 0), 3, 5, id="no node is without"),
    ],
)
def test_a_daemonset_s_restart_keeps_to_its_strategy(
    strategy: Json, fewest: int, most: int
) -> None:
    async def story() -> None:
        async with running(nodes=NODES) as cluster:
            await daemons(cluster, strategy)
            before = set(cluster.ready())
            ready: list[int] = []
            present: list[int] = []

            def hear(change: Change) -> None:
                if change.resource == PODS:
                    staying = [pod for pod in cluster.pods() if not is_terminating(pod)]
                    present.append(len(staying))
                    ready.append(len({name_of(pod) for pod in staying} & set(cluster.ready())))

            cluster.server.store.listen(hear)
            await cluster.restart(DAEMONSETS, "web")

            assert not before & set(cluster.ready())
            assert (min(ready), max(present)) == (fewest, most)
            assert cluster.status(DAEMONSETS)["updatedNumberScheduled"] == 3

    run(story)


def test_a_daemonset_on_delete_keeps_its_old_pods_and_counts_none_as_updated() -> None:
    async def story() -> None:
        async with running() as cluster:
            await daemons(cluster, ON_DELETE)
            (before,) = cluster.ready()
            await cluster.restart(DAEMONSETS, "web")
            assert cluster.ready() == [before]
            status = cluster.status(DAEMONSETS)
            assert "updatedNumberScheduled" not in status
            assert status["observedGeneration"] == 2

            await cluster.delete(PODS, before)
            await cluster.settled()
            assert cluster.ready()
            assert cluster.status(DAEMONSETS)["updatedNumberScheduled"] == 1

    run(story)


def test_a_daemonset_s_new_pod_that_is_never_ready_stops_the_restart() -> None:
    async def story() -> None:
        async with running(nodes=NODES) as cluster:
            await daemons(cluster, rolling(1, 0))
            before = cluster.ready()

            def spoil(found: Json) -> None:
                container = found["spec"]["template"]["spec"]["containers"][0]
                container["command"] = ["sh", "-c", NEVER]

            await cluster.change(DAEMONSETS, "web", spoil)
            assert cluster.ready() == before
            assert len(cluster.pods()) == 4
            assert all(status_of(pod)["phase"] == "Running" for pod in cluster.pods())

    run(story)
