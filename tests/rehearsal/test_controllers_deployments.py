import asyncio

from deployments.rehearsal.cluster.controllers.deployment_numbers import (
    max_surge,
    max_unavailable,
)
from deployments.rehearsal.cluster.objects import (
    Json,
    annotations_of,
    is_terminating,
    labels_of,
    name_of,
    owners_of,
    spec_of,
    uid_of,
)
from deployments.rehearsal.cluster.resources import (
    DEPLOYMENTS,
    EVENTS,
    PODS,
    REPLICASETS,
    VALIDATING_WEBHOOKS,
)
from deployments.rehearsal.cluster.store import Change
from tests.rehearsal.running_cluster import (
    NEVER,
    PLACE,
    Cluster,
    pod_spec,
    rolling,
    run,
    running,
    workload,
)

REVISION = "deployment.kubernetes.io/revision"


def test_a_new_deployment_gets_its_pods_and_says_so() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy(replicas=3)

            status = cluster.status(DEPLOYMENTS)
            counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
            assert [status[name] for name in counts] == [3, 3, 3, 3]
            assert "unavailableReplicas" not in status
            assert status["observedGeneration"] == 1
            assert cluster.condition("Available")["reason"] == "MinimumReplicasAvailable"
            assert cluster.condition("Progressing")["reason"] == "NewReplicaSetAvailable"
            assert annotations_of(cluster.get(DEPLOYMENTS, "web"))[REVISION] == "1"

    run(story)


def test_its_pods_bear_the_hash_of_their_template_as_their_replicaset_does() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy()

            (replica_set,) = cluster.all(REPLICASETS)
            (pod,) = cluster.pods()
            hashed = labels_of(pod)["pod-template-hash"]
            assert name_of(replica_set) == f"web-{hashed}"
            assert spec_of(replica_set)["selector"]["matchLabels"]["pod-template-hash"] == hashed
            assert name_of(pod).startswith(f"web-{hashed}-")

    run(story)


def test_a_restart_replaces_every_pod_and_never_has_fewer_ready_nor_more_in_all() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy(replicas=3)
            before = set(cluster.ready())
            seen: list[tuple[int, int]] = []

            def hear(change: Change) -> None:
                if change.resource == PODS:
                    staying = [pod for pod in cluster.pods() if not is_terminating(pod)]
                    ready = [pod for pod in staying if name_of(pod) in cluster.ready()]
                    seen.append((len(ready), len(staying)))

            cluster.server.store.listen(hear)
            await cluster.restart(DEPLOYMENTS, "web")

            assert len(cluster.ready()) == 3
            assert not before & set(cluster.ready())
            assert min(ready for ready, _ in seen) == 3
            assert max(staying for _, staying in seen) == 4
            assert annotations_of(cluster.get(DEPLOYMENTS, "web"))[REVISION] == "2"

    run(story)


def test_surge_is_rounded_up_and_unavailability_down_but_not_both_to_nothing() -> None:
    deployment = workload("web", replicas=3, strategy=rolling("25%", "25%"))
    assert (max_surge(deployment), max_unavailable(deployment)) == (1, 0)

    deployment = workload("web", replicas=1, strategy=rolling(0, "25%"))
    assert (max_surge(deployment), max_unavailable(deployment)) == (0, 1)


def test_a_new_pod_that_is_never_ready_leaves_the_old_ones_serving() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy(replicas=2)
            before = cluster.ready()

            await cluster.change(DEPLOYMENTS, "web", _never_ready)

            assert cluster.ready() == before
            assert len(cluster.pods()) == 3
            status = cluster.status(DEPLOYMENTS)
            assert (status["replicas"], status["updatedReplicas"]) == (3, 1)
            assert status["unavailableReplicas"] == 1
            assert cluster.condition("Available")["status"] == "True"
            assert cluster.condition("Progressing")["reason"] == "ReplicaSetUpdated"

    run(story)


def _never_ready(deployment: Json) -> None:
    deployment["spec"]["template"]["spec"]["containers"][0]["command"] = ["sh", "-c", NEVER]


def test_without_progress_the_deadline_passes_in_pods_time() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy(progressDeadlineSeconds=20)

            await cluster.change(DEPLOYMENTS, "web", _never_ready)
            await cluster.until(lambda: cluster.condition("Progressing")["status"] == "False")

            condition = cluster.condition("Progressing")
            newest = name_of(_newest(cluster))
            assert condition["reason"] == "ProgressDeadlineExceeded"
            assert condition["message"] == f'ReplicaSet "{newest}" has timed out progressing.'
            assert cluster.condition("Available")["status"] == "True"

    run(story)


def test_the_deadline_of_a_rollout_begins_with_it_however_long_ago_the_last_one_was() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy(progressDeadlineSeconds=20)
            await asyncio.sleep(0.3)  # half a minute of a pod's time
            said: list[str] = []

            def note(change: Change) -> None:
                if change.resource == DEPLOYMENTS:
                    said.append(cluster.condition("Progressing")["reason"])

            cluster.server.store.listen(note)
            await cluster.restart(DEPLOYMENTS, "web")

            assert "NewReplicaSetCreated" in said
            assert "ProgressDeadlineExceeded" not in said

    run(story)


def _newest(cluster: Cluster) -> Json:
    return max(cluster.all(REPLICASETS), key=lambda one: int(annotations_of(one)[REVISION]))


def test_the_way_back_takes_the_old_replicaset_under_a_new_revision() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy()
            before = spec_of(cluster.get(DEPLOYMENTS, "web"))["template"]
            (first,) = cluster.all(REPLICASETS)
            await cluster.restart(DEPLOYMENTS, "web")

            def undo(deployment: Json) -> None:
                deployment["spec"]["template"] = before

            await cluster.change(DEPLOYMENTS, "web", undo)

            again = cluster.get(REPLICASETS, name_of(first))
            assert uid_of(again) == uid_of(first)
            assert spec_of(again)["replicas"] == 1
            assert annotations_of(again)[REVISION] == "3"
            assert annotations_of(again)["deployment.kubernetes.io/revision-history"] == "1"
            assert len(cluster.all(REPLICASETS)) == 2

    run(story)


def test_recreate_ends_all_old_pods_before_it_makes_a_new_one() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy(replicas=2, strategy={"type": "Recreate"})
            old = {name_of(pod) for pod in cluster.pods()}
            mixed: list[set[str]] = []

            def hear(change: Change) -> None:
                names = {name_of(pod) for pod in cluster.pods()}
                if change.resource == PODS and names & old and names - old:
                    mixed.append(names)

            cluster.server.store.listen(hear)
            await cluster.restart(DEPLOYMENTS, "web")

            assert not mixed
            assert len(set(cluster.ready()) - old) == 2

    run(story)


def test_a_paused_deployment_restarts_nothing_and_still_follows_its_size() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy(replicas=1, paused=False)

            def pause(deployment: Json) -> None:
                deployment["spec"]["paused"] = True

            await cluster.change(DEPLOYMENTS, "web", pause)
            before = cluster.ready()
            await cluster.restart(DEPLOYMENTS, "web")
            assert cluster.ready() == before
            condition = cluster.condition("Progressing")
            assert (condition["status"], condition["reason"]) == ("Unknown", "DeploymentPaused")

            def grow(deployment: Json) -> None:
                deployment["spec"]["replicas"] = 2

            await cluster.change(DEPLOYMENTS, "web", grow)
            assert len(cluster.ready()) == 2
            assert len(cluster.all(REPLICASETS)) == 1

    run(story)


def test_a_deployment_without_replicas_is_complete_at_once() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy(replicas=0)
            await cluster.restart(DEPLOYMENTS, "web")

            assert not cluster.pods()
            status = cluster.status(DEPLOYMENTS)
            assert "replicas" not in status
            assert status["observedGeneration"] == 2
            assert cluster.condition("Progressing")["reason"] == "NewReplicaSetAvailable"

    run(story)


def test_what_admission_refuses_is_told_by_condition_and_counted_event_and_tried_again() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy(replicas=1)
            before = cluster.ready()
            await cluster.make(VALIDATING_WEBHOOKS, REFUSING)

            await cluster.restart(DEPLOYMENTS, "web", settled=False)
            await cluster.until(lambda: _count_of_failures(cluster) > 3)

            assert cluster.ready() == before
            assert cluster.condition("Available")["status"] == "True"
            assert cluster.condition("Progressing")["reason"] == "NewReplicaSetCreated"
            failure = cluster.condition("ReplicaFailure")
            assert (failure["status"], failure["reason"]) == ("True", "FailedCreate")
            assert failure["message"] == REFUSAL

            await cluster.delete(VALIDATING_WEBHOOKS, "refusing")
            await cluster.until(lambda: cluster.ready() and cluster.ready() != before)
            await cluster.settled()
            assert not cluster.condition("ReplicaFailure")

    run(story)


REFUSING: Json = {
    "metadata": {"name": "refusing"},
    "webhooks": [
        {
            "name": "nobody.example.com",
            "admissionReviewVersions": ["v1"],
            "sideEffects": "None",
            "clientConfig": {"service": {"name": "nobody", "namespace": PLACE, "port": 443}},
            "rules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["pods"],
                }
            ],
        }
    ],
}
REFUSAL = (
    'Internal error occurred: failed calling webhook "nobody.example.com": failed to call webhook: '
    f'Post "https://nobody.{PLACE}.svc:443/?timeout=10s": service "nobody" not found'
)


def _count_of_failures(cluster: Cluster) -> int:
    events = [one for one in cluster.all(EVENTS) if one["reason"] == "FailedCreate"]
    assert len(events) <= 1
    if events:
        assert events[0]["message"] == f"Error creating: {REFUSAL}"
        assert events[0]["involvedObject"]["kind"] == "ReplicaSet"
    return events[0]["count"] if events else 0


def test_only_so_many_old_replicasets_are_kept_as_the_history_s_limit_says() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy(revisionHistoryLimit=1)
            for _ in range(3):
                await cluster.restart(DEPLOYMENTS, "web")

            revisions = sorted(annotations_of(one)[REVISION] for one in cluster.all(REPLICASETS))
            assert revisions == ["3", "4"]

    run(story)


def test_pods_without_an_owner_are_adopted_and_those_that_lose_their_label_let_go() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy()
            (pod,) = cluster.pods()

            def relabel(changed: Json) -> None:
                changed["metadata"]["labels"]["app"] = "other"

            await cluster.change(PODS, name_of(pod), relabel)
            (orphan,) = cluster.pods("other")
            assert not owners_of(orphan)
            (other,) = cluster.pods()
            assert name_of(other) != name_of(orphan)

    run(story)


def test_min_ready_seconds_hold_a_ready_pod_back() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.make(
                DEPLOYMENTS,
                workload("web", minReadySeconds=50, strategy=rolling()),
                settled=False,
            )
            await cluster.until(cluster.ready)
            await cluster.settled()
            assert "availableReplicas" not in cluster.status(DEPLOYMENTS)
            assert cluster.condition("Available")["status"] == "False"
            await cluster.until(lambda: cluster.status(DEPLOYMENTS).get("availableReplicas") == 1)

    run(story)


def test_growing_in_the_middle_of_a_rollout_is_shared_between_old_and_new() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy(replicas=4, strategy=rolling(2, 0))
            await cluster.change(DEPLOYMENTS, "web", _never_ready)
            assert sorted(cluster.sizes()) == [2, 4]

            def grow(deployment: Json) -> None:
                deployment["spec"]["replicas"] = 10

            await cluster.change(DEPLOYMENTS, "web", grow)
            assert sum(cluster.sizes()) == 12
            assert sorted(cluster.sizes()) == [4, 8]

    run(story)


def test_two_deployments_of_a_namespace_keep_to_their_own_pods() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy("web", replicas=1)
            await cluster.deploy("other", replicas=30, spec=pod_spec(grace=0))
            assert len(cluster.ready("web")) == 1
            assert len(cluster.ready("other")) == 30
            assert all(one["metadata"]["namespace"] == PLACE for one in cluster.pods())

    run(story)
