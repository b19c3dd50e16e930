from typing import Any

import pytest

from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import (
    DEPLOYMENTS,
    MUTATING_WEBHOOKS,
    PODS,
    SERVICES,
)
from deployments.rehearsal.cluster.strategic import strategic_merge
from tests.rehearsal.api import DEPLOYMENTS as PATH
from tests.rehearsal.api import JSON_PATCH, MAPS, STRATEGIC, Api, asked, config_map, deployment

_TWO = {"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}}


@pytest.mark.parametrize(
    ("resource", "obj", "patch", "expected"),
    [
        pytest.param(
            PODS,
            _TWO,
            {"spec": {"containers": [{"name": "b", "image": "2"}]}},
            {"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "2"}]}},
            id="containers merge by name",
        ),
        pytest.param(
            PODS,
            _TWO,
            {"spec": {"containers": [{"$patch": "delete", "name": "a"}]}},
            {"spec": {"containers": [{"name": "b", "image": "1"}]}},
            id="$patch: delete takes one out",
        ),
        pytest.param(
            PODS,
            _TWO,
            {"spec": {"containers": [{"$patch": "replace"}, {"name": "c", "image": "3"}]}},
            {"spec": {"containers": [{"name": "c", "image": "3"}]}},
            id="$patch: replace puts others in their place",
        ),
        pytest.param(
            PODS,
            _TWO,
            {
                "spec": {
                    "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
                    "containers": [{"name": "b", "image": "2"}],
                }
            },
            {"spec": {"containers": [{"name": "b", "image": "2"}, {"name": "a", "image": "1"}]}},
            id="$setElementOrder orders",
        ),
        pytest.param(
            DEPLOYMENTS,
            {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}},
            {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}},
            {"spec": {"strategy": {"type": "Recreate"}}},
            id="$retainKeys keeps no others",
        ),
        pytest.param(
            PODS,
            {"metadata": {"finalizers": ["a", "b"]}},
            {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]}},
            {"metadata": {"finalizers": ["b", "c"]}},
            id="finalizers are a set",
        ),
        pytest.param(
            PODS,
            {"spec": {"tolerations": [{"key": "a"}]}},
            {"spec": {"tolerations": [{"key": "b"}]}},
            {"spec": {"tolerations": [{"key": "b"}]}},
            id="tolerations are replaced",
        ),
        pytest.param(
            SERVICES,
            {"spec": {"ports": [{"port": 80, "name": "a"}]}},
            {"spec": {"ports": [{"port": 81, "name": "b"}]}},
            {"spec": {"ports": [{"port": 80, "name": "a"}, {"port": 81, "name": "b"}]}},
            id="the ports of a Service merge by their number",
        ),
        pytest.param(
            MUTATING_WEBHOOKS,
            {"webhooks": [{"name": "a", "clientConfig": {"caBundle": ""}}, {"name": "b"}]},
            {"webhooks": [{"name": "a", "clientConfig": {"caBundle": "eA=="}}]},
            {"webhooks": [{"name": "a", "clientConfig": {"caBundle": "eA=="}}, {"name": "b"}]},
            id="webhooks merge by name",
        ),
        pytest.param(
            PODS,
            {"metadata": {"labels": {"a": "1", "b": "2"}}},
            {"metadata": {"labels": {"a": None}}},
            {"metadata": {"labels": {"b": "2"}}},
            id="null removes",
        ),
    ],
)
def test_strategic_merge(resource: Resource, obj: Json, patch: Json, expected: Json) -> None:
    assert strategic_merge(resource, obj, patch) == expected


def test_a_json_patch_does_what_it_says_or_nothing() -> None:
    async def test(api: Api) -> None:
        await api.post(MAPS, config_map(a="1"))
        operations: list[Any] = [
            {"op": "test", "path": "/data/a", "value": "1"},
            {"op": "replace", "path": "/data/a", "value": "2"},
        ]
        assert (await api.patch(f"{MAPS}/a", operations, JSON_PATCH))["data"] == {"a": "2"}
        assert (await api.patch(f"{MAPS}/a", operations, JSON_PATCH))["code"] == 422
        assert (await api.patch(f"{MAPS}/a", {"op": "x"}, JSON_PATCH))["code"] == 400
        assert (await api.get(f"{MAPS}/a"))["data"] == {"a": "2"}

    asked(test)


def test_a_patch_with_a_stale_version_is_a_conflict() -> None:
    async def test(api: Api) -> None:
        created = await api.post(MAPS, config_map(a="1"))
        version = {"resourceVersion": created["metadata"]["resourceVersion"]}
        change = {"metadata": version, "data": {"a": "2"}}

        assert (await api.patch(f"{MAPS}/a", change))["data"] == {"a": "2"}
        assert (await api.patch(f"{MAPS}/a", change))["code"] == 409

    asked(test)


def test_a_restart_is_a_strategic_merge_of_one_annotation() -> None:
    async def test(api: Api) -> None:
        await api.post(PATH, deployment())
        noted = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": "now"}}}
        changed = await api.patch(f"{PATH}/a", {"spec": {"template": noted}}, STRATEGIC)

        template = changed["spec"]["template"]
        assert template["metadata"] == {"labels": {"app": "a"}} | noted["metadata"]
        assert template["spec"]["containers"][0]["image"] == "i:1"

    asked(test)
