from deployments.rehearsal.cluster.objects import name_of
from deployments.rehearsal.cluster.resources import CONFIGMAPS
from deployments.rehearsal.cluster.store import Change, ChangeKind
from tests.rehearsal.api import DEPLOYMENTS, MAPS, PODS, Api, asked, config_map, deployment, pod


def test_what_nobody_waits_for_goes_at_once() -> None:
    async def test(api: Api) -> None:
        created = await api.post(MAPS, config_map())
        status = await api.delete(f"{MAPS}/a")

        assert status["status"] == "Success"
        uid = created["metadata"]["uid"]
        assert status["details"] == {"name": "a", "kind": "configmaps", "uid": uid}
        assert (await api.get(f"{MAPS}/a"))["code"] == 404

    asked(test)


def test_a_finalizer_keeps_an_object_until_it_is_taken_away() -> None:
    async def test(api: Api) -> None:
        body = config_map()
        body["metadata"]["finalizers"] = ["x.io/wait"]
        await api.post(MAPS, body)
        marked = await api.delete(f"{MAPS}/a")
        again = await api.delete(f"{MAPS}/a")

        assert marked["metadata"]["deletionTimestamp"]
        assert again["metadata"]["resourceVersion"] == marked["metadata"]["resourceVersion"]
        refused = await api.post(MAPS, config_map())
        assert refused["message"] == 'object is being deleted: configmaps "a" already exists'

        await api.patch(f"{MAPS}/a", {"metadata": {"finalizers": None}})
        assert (await api.get(f"{MAPS}/a"))["code"] == 404

    asked(test)


def test_a_pod_on_a_node_is_given_its_grace() -> None:
    async def test(api: Api) -> None:
        await api.post(PODS, pod())
        binding = {"metadata": {"name": "a"}, "target": {"kind": "Node", "name": "n"}}
        assert (await api.post(f"{PODS}/a/binding", binding))["status"] == "Success"
        marked = await api.delete(f"{PODS}/a")
        sooner = await api.delete(f"{PODS}/a", {"gracePeriodSeconds": 5})

        assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
        assert sooner["metadata"]["deletionGracePeriodSeconds"] == 5
        await api.delete(f"{PODS}/a?gracePeriodSeconds=0")
        assert (await api.get(f"{PODS}/a"))["code"] == 404

    asked(test)


def test_a_pod_that_is_nowhere_yet_goes_at_once() -> None:
    async def test(api: Api) -> None:
        await api.post(PODS, pod())
        gone = await api.delete(f"{PODS}/a")

        assert gone["kind"] == "Pod"
        assert (await api.get(f"{PODS}/a"))["code"] == 404

    asked(test)


def test_foreground_leaves_the_object_to_the_garbage_collector() -> None:
    async def test(api: Api) -> None:
        await api.post(DEPLOYMENTS, deployment())
        marked = await api.delete(f"{DEPLOYMENTS}/a", {"propagationPolicy": "Foreground"})

        assert marked["metadata"]["finalizers"] == ["foregroundDeletion"]
        assert marked["metadata"]["deletionTimestamp"]

    asked(test)


def test_only_the_object_that_is_meant_is_deleted() -> None:
    async def test(api: Api) -> None:
        created = await api.post(MAPS, config_map())
        refused = await api.delete(f"{MAPS}/a", {"preconditions": {"uid": "x"}})

        uid = created["metadata"]["uid"]
        assert refused["message"] == (
            'Operation cannot be fulfilled on ConfigMap "a": the UID in the precondition (x) does '
            f"not match the UID in record ({uid}). The object might have been deleted and then "
            "recreated"
        )
        assert (await api.delete(f"{MAPS}/a", {"preconditions": {"uid": uid}}))[
            "status"
        ] == "Success"

    asked(test)


def test_a_collection_is_deleted_by_its_labels() -> None:
    async def test(api: Api) -> None:
        await api.post(MAPS, config_map("a"))
        labelled = config_map("b")
        labelled["metadata"]["labels"] = {"x": "y"}
        await api.post(MAPS, labelled)
        deleted = await api.delete(f"{MAPS}?labelSelector=x%3Dy")

        assert [one["metadata"]["name"] for one in deleted["items"]] == ["b"]
        assert [one["metadata"]["name"] for one in (await api.get(MAPS))["items"]] == ["a"]

    asked(test)


def test_a_namespace_ends_when_it_is_finalized_and_takes_nothing_new_until_then() -> None:
    async def test(api: Api) -> None:
        created = await api.post("/api/v1/namespaces", {"metadata": {"name": "n"}})
        assert created["metadata"]["labels"] == {"kubernetes.io/metadata.name": "n"}
        ending = await api.delete("/api/v1/namespaces/n")
        refused = await api.post("/api/v1/namespaces/n/configmaps", config_map())

        assert ending["status"] == {"phase": "Terminating"}
        assert refused["code"] == 403
        assert refused["message"] == (
            'configmaps "a" is forbidden: unable to create new content in namespace n because it '
            "is being terminated"
        )
        assert refused["details"]["causes"][0]["reason"] == "NamespaceTerminating"
        final = ending | {"spec": {"finalizers": []}}
        await api.put("/api/v1/namespaces/n/finalize", final)
        assert (await api.get("/api/v1/namespaces/n"))["code"] == 404

    asked(test)


def test_an_eviction_asks_before_it_deletes() -> None:
    async def test(api: Api) -> None:
        seen: list[bool] = []

        async def allow(_server: object, _pod: object, *, dry_run: bool) -> None:
            seen.append(dry_run)

        api.server.check_eviction = allow
        await api.post(PODS, pod())
        eviction = {"kind": "Eviction", "metadata": {"name": "a"}}
        done = await api.post(f"{PODS}/a/eviction", eviction)

        assert done["status"] == "Success"
        assert seen == [False]
        assert (await api.get(f"{PODS}/a"))["code"] == 404

    asked(test)


def test_deleting_many_minds_nobody_who_was_faster() -> None:
    async def test(api: Api) -> None:
        for name in "abc":
            await api.post(MAPS, config_map(name))
        store = api.server.store

        def be_faster(change: Change) -> None:
            if change.kind is ChangeKind.DELETED and name_of(change.object) == "a":
                store.remove(CONFIGMAPS, "b", "default")

        store.listen(be_faster)
        deleted = await api.delete(MAPS)

        assert deleted["kind"] == "ConfigMapList"
        assert not store.list(CONFIGMAPS, "default")

    asked(test)
