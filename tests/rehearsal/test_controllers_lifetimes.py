"""What goes with what: owners and dependents, namespaces and their contents, quotas."""

import asyncio

from deployments.rehearsal.cluster.controllers.events import Recorder
from deployments.rehearsal.cluster.controllers.old_events import OldEvents
from deployments.rehearsal.cluster.controllers.running import Runner
from deployments.rehearsal.cluster.objects import (
    Json,
    is_terminating,
    name_of,
    owners_of,
    spec_of,
    status_of,
    uid_of,
)
from deployments.rehearsal.cluster.resources import (
    CONFIGMAPS,
    DEPLOYMENTS,
    EVENTS,
    NAMESPACES,
    PODS,
    QUOTAS,
    REPLICASETS,
    SERVICEACCOUNTS,
    VALIDATING_WEBHOOKS,
)
from deployments.rehearsal.cluster.verbs import Server
from tests.rehearsal.running_cluster import NEVER, PLACE, Cluster, pod_spec, run, running


def test_in_the_background_an_owner_goes_first_and_all_below_it_follows() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy(replicas=2)
            await cluster.delete(DEPLOYMENTS, "web", propagation="Background")
            assert not cluster.all(DEPLOYMENTS)
            assert cluster.all(REPLICASETS)
            await cluster.settled()
            assert not cluster.all(REPLICASETS)
            assert not cluster.all(PODS)

    run(story)


def test_in_the_foreground_an_owner_waits_for_all_below_it() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy(replicas=2)
            await cluster.delete(DEPLOYMENTS, "web", propagation="Foreground")
            assert is_terminating(cluster.get(DEPLOYMENTS, "web"))
            counts: list[tuple[int, int]] = []
            cluster.server.store.listen(
                lambda _: counts.append((len(cluster.all(DEPLOYMENTS)), len(cluster.all(PODS))))
            )
            await cluster.settled()
            assert not cluster.all(DEPLOYMENTS)
            assert all(pods == 0 for owners, pods in counts if not owners)

    run(story)


def test_orphaned_dependents_stay_and_forget_their_owner() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy()
            await cluster.delete(DEPLOYMENTS, "web", propagation="Orphan")
            await cluster.settled()
            assert not cluster.all(DEPLOYMENTS)
            (replica_set,) = cluster.all(REPLICASETS)
            assert not owners_of(replica_set)
            assert cluster.ready()

            await cluster.deploy()
            (adopted,) = cluster.all(REPLICASETS)
            assert uid_of(adopted) == uid_of(replica_set)
            assert owners_of(adopted)[0]["name"] == "web"

    run(story)


def owned(name: str, *owners: Json) -> Json:
    references = [
        {"apiVersion": "v1", "kind": "ConfigMap", "name": name_of(one), "uid": uid_of(one)}
        for one in owners
    ]
    return {"metadata": {"name": name, "ownerReferences": references}}


def test_what_has_another_owner_stays_and_what_has_none_left_goes() -> None:
    async def story() -> None:
        async with running() as cluster:
            first = await cluster.make(CONFIGMAPS, owned("first"))
            second = await cluster.make(CONFIGMAPS, owned("second"))
            await cluster.make(CONFIGMAPS, owned("shared", first, second))
            await cluster.delete(CONFIGMAPS, "first")
            await cluster.settled()
            assert [one["name"] for one in owners_of(cluster.get(CONFIGMAPS, "shared"))] == [
                "second"
            ]
            await cluster.delete(CONFIGMAPS, "second")
            await cluster.settled()
            assert "shared" not in [name_of(one) for one in cluster.all(CONFIGMAPS)]

    run(story)


def test_what_names_an_owner_that_never_was_goes_too() -> None:
    async def story() -> None:
        async with running() as cluster:
            nobody: Json = {"metadata": {"name": "nobody", "uid": "no-such-uid"}}
            await cluster.make(CONFIGMAPS, owned("lost", nobody))
            assert "lost" not in [name_of(one) for one in cluster.all(CONFIGMAPS)]

    run(story)


def test_each_namespace_gets_a_service_account_and_the_cluster_s_ca_again_and_again() -> None:
    async def story() -> None:
        async with running() as cluster:
            assert cluster.get(SERVICEACCOUNTS, "default")
            assert cluster.get(CONFIGMAPS, "kube-root-ca.crt")
            await cluster.delete(SERVICEACCOUNTS, "default")
            await cluster.settled()
            assert cluster.get(SERVICEACCOUNTS, "default")

    run(story)


def test_a_deleted_namespace_goes_after_all_that_is_in_it() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.deploy(replicas=3, spec=pod_spec(grace=5))
            await cluster.delete(NAMESPACES, PLACE)
            namespace = cluster.get(NAMESPACES, PLACE)
            assert status_of(namespace)["phase"] == "Terminating"
            assert spec_of(namespace)["finalizers"] == ["kubernetes"]
            await cluster.settled()
            assert cluster.server.store.get(NAMESPACES, PLACE) is None
            left = [
                resource.plural
                for resource in cluster.server.registry
                if resource.namespaced and cluster.all(resource)
            ]
            assert left == []

    run(story)


def test_a_namespace_waits_for_a_finalizer_and_says_so() -> None:
    async def story() -> None:
        async with running() as cluster:
            held: Json = {"metadata": {"name": "held", "finalizers": ["example.com/mine"]}}
            await cluster.make(CONFIGMAPS, held)
            await cluster.delete(NAMESPACES, PLACE)
            await cluster.settled()
            conditions = {
                one["type"]: one for one in cluster.status(NAMESPACES, PLACE)["conditions"]
            }
            assert conditions["NamespaceFinalizersRemaining"]["message"] == (
                "Some content in the namespace has finalizers remaining: "
                "example.com/mine in 1 resource instances"
            )

            def release(found: Json) -> None:
                found["metadata"]["finalizers"] = []

            await cluster.change(CONFIGMAPS, "held", release)
            await cluster.until(lambda: not cluster.server.store.get(NAMESPACES, PLACE))

    run(story)


async def quota(cluster: Cluster, pods: int) -> None:
    await cluster.make(QUOTAS, {"metadata": {"name": "few"}, "spec": {"hard": {"pods": str(pods)}}})


def test_a_quota_says_what_is_used_and_stops_a_rollout_half_way() -> None:
    async def story() -> None:
        async with running() as cluster:
            await quota(cluster, 2)
            await cluster.deploy(replicas=2)
            assert cluster.status(QUOTAS, "few") == {"hard": {"pods": "2"}, "used": {"pods": "2"}}

            await cluster.restart(DEPLOYMENTS, "web", settled=False)
            await cluster.until(lambda: cluster.condition("ReplicaFailure"))
            failure = cluster.condition("ReplicaFailure")
            assert failure["reason"] == "FailedCreate"
            assert "exceeded quota: few, requested: pods=1, used: pods=2" in failure["message"]
            assert len(cluster.ready()) == 2

    run(story)


def test_terminating_pods_count_against_the_quota_and_the_rollout_goes_on_after_them() -> None:
    async def story() -> None:
        async with running() as cluster:
            await quota(cluster, 3)
            await cluster.deploy(replicas=2, spec=pod_spec(grace=20))
            before = set(cluster.ready())
            await cluster.restart(DEPLOYMENTS, "web", settled=False)
            await cluster.until(lambda: cluster.condition("ReplicaFailure"))
            await cluster.until(
                lambda: len(set(cluster.ready()) - before) == 2 and len(cluster.pods()) == 2
            )
            await cluster.settled()
            assert not cluster.condition("ReplicaFailure")

    run(story)


def test_events_are_forgotten_some_time_after_they_were_last_written() -> None:
    async def story() -> None:
        server = Server()
        runner = Runner(server.store, server.registry, server.clock)
        runner.add(OldEvents(server, kept=0.4))
        runner.start()
        events = Recorder(server, "test")
        place: Json = {"metadata": {"name": "web", "namespace": "default", "uid": "1"}}
        await events.normal(PODS, place, "Once", "told once")
        await events.normal(PODS, place, "Again", "told again")
        await asyncio.sleep(0.25)
        await events.normal(PODS, place, "Again", "told again")
        await asyncio.sleep(0.25)
        assert [one["reason"] for one in server.store.list(EVENTS)] == ["Again"]
        await asyncio.sleep(0.3)
        assert not server.store.list(EVENTS)
        await runner.stop()

    run(story)


def test_a_pod_whose_end_a_webhook_is_against_goes_when_it_no_longer_is() -> None:
    async def story() -> None:
        async with running() as cluster:
            await cluster.make(
                PODS, {"metadata": {"name": "web"}, "spec": pod_spec(NEVER, grace=20)}
            )
            await cluster.delete(PODS, "web")
            await cluster.make(VALIDATING_WEBHOOKS, _against_deletion(), settled=False)
            await asyncio.sleep(0.4)  # 40 seconds of pods' time
            assert is_terminating(cluster.get(PODS, "web"))

            await cluster.delete(VALIDATING_WEBHOOKS, "against")
            await cluster.until(lambda: not cluster.all(PODS))

    run(story)


def _against_deletion() -> Json:
    rule = {
        "operations": ["DELETE"],
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "resources": ["pods"],
    }
    service = {"name": "nobody", "namespace": PLACE, "path": "/"}
    webhook = {
        "name": "against.x.io",
        "rules": [rule],
        "clientConfig": {"service": service},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    return {"metadata": {"name": "against"}, "webhooks": [webhook]}
