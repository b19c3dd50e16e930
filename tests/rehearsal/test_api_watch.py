import asyncio

from deployments.rehearsal.cluster.resources import CONFIGMAPS
from deployments.rehearsal.cluster.store import REMEMBERED
from tests.rehearsal.api import MAPS, PODS, Api, asked, config_map, pod

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


def test_a_watch_replays_what_happened_since_a_version_and_goes_on() -> None:
    async def test(api: Api) -> None:
        version = (await api.get(MAPS))["metadata"]["resourceVersion"]
        await api.post(MAPS, config_map("a"))
        await api.patch(f"{MAPS}/a", {"data": {"x": "1"}})
        async with api.watch(f"{MAPS}?watch=true&resourceVersion={version}") as watch:
            assert await watch.some(2) == [("ADDED", "a"), ("MODIFIED", "a")]
            last = await api.patch(f"{MAPS}/a", {"data": {"x": "2"}})
            await api.delete(f"{MAPS}/a")
            assert await watch.some(1) == [("MODIFIED", "a")]
            gone = await watch.next()

        assert gone["type"] == "DELETED"
        assert gone["object"]["data"] == {"x": "2"}
        versions = [int(one["metadata"]["resourceVersion"]) for one in (gone["object"], last)]
        assert versions[0] > versions[1]

    asked(test)


def test_a_watch_from_nowhere_begins_with_what_is_there() -> None:
    async def test(api: Api) -> None:
        await api.post(MAPS, config_map("a"))
        async with api.watch(f"{MAPS}?watch=1&resourceVersion=0") as watch:
            assert await watch.some(1) == [("ADDED", "a")]

    asked(test)


def test_a_streamed_list_ends_with_a_bookmark_that_says_so() -> None:
    async def test(api: Api) -> None:
        await api.post(MAPS, config_map("a"))
        query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true"
        async with api.watch(f"{MAPS}?watch=1&{query}") as watch:
            assert await watch.some(1) == [("ADDED", "a")]
            bookmark = await watch.next()
            await api.post(MAPS, config_map("b"))
            assert await watch.some(1) == [("ADDED", "b")]

        assert bookmark["type"] == "BOOKMARK"
        metadata = bookmark["object"]["metadata"]
        assert metadata["annotations"] == {"k8s.io/initial-events-end": "true"}
        assert bookmark["object"]["kind"] == "ConfigMap"

    asked(test)


def test_what_comes_to_match_is_added_and_what_ceases_to_is_deleted() -> None:
    async def test(api: Api) -> None:
        query = "watch=1&labelSelector=a%3Db&resourceVersion=0"
        async with api.watch(f"{MAPS}?{query}") as watch:
            await api.post(MAPS, config_map("a"))
            await api.patch(f"{MAPS}/a", {"metadata": {"labels": {"a": "b"}}})
            await api.patch(f"{MAPS}/a", {"data": {"x": "1"}})
            await api.patch(f"{MAPS}/a", {"metadata": {"labels": {"a": None}}})

            assert await watch.some(3) == [("ADDED", "a"), ("MODIFIED", "a"), ("DELETED", "a")]

    asked(test)


def test_a_watch_of_one_namespace_hears_of_no_other() -> None:
    async def test(api: Api) -> None:
        async with api.watch(f"{MAPS}?watch=1&resourceVersion=0") as watch:
            await api.post(MAPS.replace("default", "kube-public"), config_map("a"))
            await api.post(MAPS, config_map("b"))

            assert await watch.some(1) == [("ADDED", "b")]

    asked(test)


def test_a_watch_from_a_forgotten_version_is_told_that_it_is_gone() -> None:
    async def test(api: Api) -> None:
        version = (await api.get(MAPS))["metadata"]["resourceVersion"]
        created = await api.post(MAPS, config_map("a"))
        for _ in range(2 * REMEMBERED):
            api.server.store.put(CONFIGMAPS, created)
        async with api.watch(f"{MAPS}?watch=1&resourceVersion={version}") as watch:
            event = await watch.next()

        assert event["type"] == "ERROR"
        assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
        assert event["object"]["message"].startswith("too old resource version: ")

    asked(test)


def test_a_watch_ends_after_the_time_that_was_asked_for() -> None:
    async def test(api: Api) -> None:
        query = "watch=1&timeoutSeconds=1&allowWatchBookmarks=true"
        async with asyncio.timeout(30):
            response = await api.ask("GET", f"{PODS}?{query}")

        assert response.status_code == 200
        assert b"BOOKMARK" in response.content

    asked(test)


def test_a_watch_can_be_a_table() -> None:
    async def test(api: Api) -> None:
        await api.post(PODS, pod())
        response = await api.ask("GET", f"{PODS}?watch=1&timeoutSeconds=1", accept=TABLE)

        assert b'"kind":"Table"' in response.content

    asked(test)
