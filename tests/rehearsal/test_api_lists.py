import base64
import json
import time

import pytest

from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.resources import PODS as PODS_RESOURCE
from deployments.rehearsal.cluster.store import Entry
from deployments.rehearsal.cluster.web.pages import Moment, Pages
from tests.rehearsal.api import MAPS, PODS, Api, asked, config_map, pod

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("labelSelector=app%3Da", "a"),
        ("labelSelector=app!%3Da", "b,c"),
        ("labelSelector=app in (a,b)", "a,b"),
        ("labelSelector=app notin (a),tier", "b"),
        ("labelSelector=!app", "c"),
        ("labelSelector=app,tier%3Dx", "b"),
        ("fieldSelector=metadata.name%3Db", "b"),
        ("fieldSelector=metadata.name!%3Db", "a,c"),
        ("fieldSelector=status.phase%3DPending,metadata.name%3Da", "a"),
        ("", "a,b,c"),
    ],
)
def test_selectors_choose(query: str, names: str) -> None:
    async def test(api: Api) -> None:
        await api.post(PODS, pod("b", labels={"app": "b", "tier": "x"}))
        await api.post(PODS, pod("a", labels={"app": "a"}))
        await api.post(PODS, pod("c"))
        found = await api.get(f"{PODS}?{query}")

        assert ",".join(one["metadata"]["name"] for one in found["items"]) == names
        assert found["kind"] == "PodList"

    asked(test)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("labelSelector=a%3D%3D%3Db", "unable to parse requirement"),
        ("labelSelector=,", "unable to parse requirement"),
        ("fieldSelector=spec.color%3Dred", "field label not supported: spec.color"),
        ("fieldSelector=x", "invalid selector: 'x'; can't understand 'x'"),
        ("limit=x", 'strconv.ParseInt: parsing "x": invalid syntax'),
        ("continue=x", "continue key is not valid"),
    ],
)
def test_a_bad_query_is_refused(query: str, text: str) -> None:
    async def test(api: Api) -> None:
        refused = await api.get(f"{PODS}?{query}")

        assert refused["code"] == 400
        assert text in refused["message"]

    asked(test)


def test_all_pages_are_of_one_moment() -> None:
    async def test(api: Api) -> None:
        for name in "abcde":
            await api.post(MAPS, config_map(name))
        first = await api.get(f"{MAPS}?limit=2")
        await api.delete(f"{MAPS}/d")
        await api.post(MAPS, config_map("bb"))
        token = first["metadata"]["continue"]
        second = await api.get(f"{MAPS}?limit=2&continue={token}")
        third = await api.get(f"{MAPS}?limit=2&continue={second['metadata']['continue']}")

        pages = [first, second, third]
        names = [one["metadata"]["name"] for page in pages for one in page["items"]]
        assert names == ["a", "b", "c", "d", "e"]
        assert len({page["metadata"]["resourceVersion"] for page in pages}) == 1
        assert first["metadata"]["remainingItemCount"] == 3
        assert "continue" not in third["metadata"]

    asked(test)


def test_a_page_of_a_forgotten_moment_is_too_late() -> None:
    async def test(api: Api) -> None:
        for name in "ab":
            await api.post(MAPS, config_map(name))
        token = (await api.get(f"{MAPS}?limit=1"))["metadata"]["continue"]
        for _ in range(64):
            await api.get(f"{MAPS}?limit=1")
        refused = await api.get(f"{MAPS}?limit=1&continue={token}")

        assert (refused["code"], refused["reason"]) == (410, "Expired")

    asked(test)


def test_lists_reach_over_namespaces_or_not() -> None:
    async def test(api: Api) -> None:
        await api.post(MAPS, config_map("a"))
        await api.post(MAPS.replace("default", "kube-public"), config_map("b"))

        assert len((await api.get("/api/v1/configmaps"))["items"]) == 2
        assert len((await api.get(MAPS))["items"]) == 1

    asked(test)


def test_a_table_of_pods_says_what_kubectl_shows() -> None:
    async def test(api: Api) -> None:
        await api.post(PODS, pod())
        table = await api.get(PODS, accept=TABLE)

        assert table["kind"] == "Table"
        headings = [column["name"] for column in table["columnDefinitions"]]
        assert headings[:5] == ["Name", "Ready", "Status", "Restarts", "Age"]
        assert table["rows"][0]["cells"][:4] == ["a", "0/1", "Pending", "0"]
        assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"

    asked(test)


def test_metadata_only_is_metadata_only() -> None:
    async def test(api: Api) -> None:
        await api.post(PODS, pod())
        accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
        found = await api.get(PODS, accept=accept)

        assert found["kind"] == "PartialObjectMetadataList"
        assert set(found["items"][0]) == {"kind", "apiVersion", "metadata"}

    asked(test)


def test_ten_thousand_pods_are_listed_in_well_under_a_second() -> None:
    async def test(api: Api) -> None:
        body = pod("", generateName="a-") | {"kind": "Pod"}
        del body["metadata"]["name"]
        for _ in range(10_000):
            await api.server.create(PODS_RESOURCE, body, namespace="default")
        await api.ask("GET", PODS)  # each is encoded once

        async def seconds() -> float:
            before = time.process_time()  # not the clock: others may be busy here, too
            response = await api.ask("GET", PODS)
            assert len(response.content) > 5_000_000
            return time.process_time() - before

        assert min([await seconds() for _ in range(5)]) < 0.7

    asked(test)


def test_namespaces_are_sorted_with_the_slash_that_follows_them() -> None:
    async def test(api: Api) -> None:
        for name in ("a", "a-b"):
            await api.post("/api/v1/namespaces", {"metadata": {"name": name}})
            await api.post(f"/api/v1/namespaces/{name}/configmaps", config_map())
        found = await api.get("/api/v1/configmaps")

        assert [one["metadata"]["namespace"] for one in found["items"]] == ["a-b", "a"]

    asked(test)


@pytest.mark.parametrize("limit", ["0", "-1"])
def test_a_limit_of_nothing_is_none(limit: str) -> None:
    async def test(api: Api) -> None:
        for name in "ab":
            await api.post(MAPS, config_map(name))
        found = await api.get(f"{MAPS}?limit={limit}")

        assert len(found["items"]) == 2
        assert "continue" not in found["metadata"]

    asked(test)


def test_a_token_that_leads_out_of_its_list_is_refused() -> None:
    async def test(api: Api) -> None:
        for name in "ab":
            await api.post(MAPS, config_map(name))
        version = (await api.get(f"{MAPS}?limit=1"))["metadata"]["resourceVersion"]
        forged = {"moment": 1, "start": -1, "rv": int(version)}
        token = base64.urlsafe_b64encode(json.dumps(forged).encode()).decode()

        assert (await api.get(f"{MAPS}?continue={token}"))["code"] == 400

    asked(test)


def test_the_moments_of_lists_are_forgotten_after_five_minutes_or_for_want_of_room() -> None:
    now = 0.0
    pages = Pages(lambda: now)
    entry = Entry({"apiVersion": "v1", "kind": "ConfigMap"})
    old = pages.first(Moment([entry] * 3, 1), 1)
    now = 299.0
    half_way = pages.next(old.next, 1)
    now = 301.0
    with pytest.raises(ApiError, match="too old to display"):
        pages.next(half_way.next, 1)

    one, other = (pages.first(Moment([entry] * 90_000, version), 500) for version in (2, 3))
    pages.next(one.next, 500)  # somebody goes on with this one
    pages.first(Moment([entry] * 90_000, 4), 500)
    with pytest.raises(ApiError, match="too old to display"):
        pages.next(other.next, 500)
    assert pages.next(one.next, 500).remaining == 89_000
