"""What a client gets that sends junk: Kubernetes' own errors."""

import pytest

from deployments.rehearsal.cluster.objects import Json
from tests.rehearsal.api import (
    DEPLOYMENTS,
    JSON_PATCH,
    MAPS,
    MERGE,
    PODS,
    STRATEGIC,
    Api,
    asked,
    config_map,
    deployment,
    pod,
)

_JSON = "application/json"


@pytest.mark.parametrize(
    ("method", "path", "body", "kind", "code", "reason"),
    [
        pytest.param("GET", f"{PODS}/a", None, _JSON, 404, "NotFound", id="no such object"),
        pytest.param("GET", "/api/v1/colors", None, _JSON, 404, "NotFound", id="no such kind"),
        pytest.param(
            "DELETE",
            "/api/v1/namespaces",
            None,
            _JSON,
            405,
            "MethodNotAllowed",
            id="all namespaces together",
        ),
        pytest.param("GET", f"{PODS}/a/color", None, _JSON, 404, "NotFound", id="no such part"),
        pytest.param("PUT", PODS, pod(), _JSON, 405, "MethodNotAllowed", id="update of many"),
        pytest.param("POST", f"{PODS}/a", pod(), _JSON, 405, "MethodNotAllowed", id="create one"),
        pytest.param("POST", PODS, b"{", _JSON, 400, "BadRequest", id="no JSON"),
        pytest.param("POST", PODS, b"\xff", _JSON, 400, "BadRequest", id="no text"),
        pytest.param("POST", PODS, b"[]", _JSON, 400, "BadRequest", id="no object"),
        pytest.param("POST", PODS, {"kind": "Node"}, _JSON, 400, "BadRequest", id="another kind"),
        pytest.param(
            "POST", PODS, {"apiVersion": "v2"}, _JSON, 400, "BadRequest", id="another version"
        ),
        pytest.param(
            "POST", PODS, {"metadata": "x"}, _JSON, 400, "BadRequest", id="metadata is text"
        ),
        pytest.param(
            "POST",
            PODS,
            {"metadata": {"name": "a", "labels": {"a": 1}}},
            _JSON,
            400,
            "BadRequest",
            id="a label is a number",
        ),
        pytest.param(
            "POST",
            PODS,
            {"metadata": {"name": "a"}, "spec": {"containers": "x"}},
            _JSON,
            400,
            "BadRequest",
            id="containers are text",
        ),
        pytest.param(
            "PATCH", f"{MAPS}/there", {"data": 3}, MERGE, 422, "Invalid", id="data is a number"
        ),
        pytest.param(
            "PATCH", f"{MAPS}/there", b"[]", MERGE, 400, "BadRequest", id="a patch is a list"
        ),
        pytest.param(
            "PATCH",
            f"{MAPS}/there",
            {"$patch": "color"},
            STRATEGIC,
            500,
            "",
            id="an unknown directive",
        ),
        pytest.param(
            "POST",
            PODS,
            b"a",
            "text/plain",
            415,
            "UnsupportedMediaType",
            id="no media type we read",
        ),
        pytest.param(
            "PATCH",
            f"{MAPS}/there",
            {},
            _JSON,
            415,
            "UnsupportedMediaType",
            id="a patch of no kind",
        ),
        pytest.param(
            "POST", f"{PODS}?dryRun=Some", pod(), _JSON, 422, "Invalid", id="a dry run of no kind"
        ),
        pytest.param(
            "DELETE",
            f"{MAPS}/there",
            {"propagationPolicy": "Sideways"},
            _JSON,
            422,
            "Invalid",
            id="a propagation of no kind",
        ),
        pytest.param(
            "DELETE",
            f"{MAPS}/there",
            {"gracePeriodSeconds": "x"},
            _JSON,
            500,
            "",
            id="a grace of no time",
        ),
        pytest.param(
            "POST",
            MAPS,
            b" " * (3 * 1024 * 1024 + 1),
            _JSON,
            413,
            "RequestEntityTooLarge",
            id="more than 3 MiB",
        ),
        pytest.param(
            "GET",
            f"{PODS}?resourceVersion=999999",
            None,
            _JSON,
            504,
            "Timeout",
            id="a version of the future",
        ),
    ],
)
def test_junk_is_answered_with_a_status(
    method: str, path: str, body: object, kind: str, code: int, reason: str
) -> None:
    async def test(api: Api) -> None:
        await api.post(MAPS, config_map("there"))
        response = await api.ask(method, path, body, kind=kind)
        status = response.json()

        assert (response.status_code, status["code"], status.get("reason", "")) == (
            code,
            code,
            reason,
        )
        assert status["kind"] == "Status"
        assert status["status"] == "Failure"

    asked(test)


def _template(**metadata: object) -> Json:
    made = deployment()
    made["spec"]["template"]["metadata"] |= metadata
    return made


def _deep(kind: str) -> bytes:
    return {"json": b'{"data":' + b"[" * 100_000, "yaml": b"[" * 5_000 + b"]" * 5_000}[kind]


_BOMB = b"a: &a [x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 8)) for i in range(12)
)
_OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "there"}
_ACCOUNT = [{"manager": "m", "operation": "Update", "fieldsV1": {"f:data": 5}}]
_SERVICES = "/api/v1/namespaces/default/services"
_ACCESS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_YAML = "application/yaml"


@pytest.mark.parametrize(
    ("method", "path", "body", "kind", "code"),
    [
        pytest.param("POST", DEPLOYMENTS, _template(labels=5), _JSON, 400, id="labels deep within"),
        pytest.param("POST", DEPLOYMENTS, deployment(strategy="x"), _JSON, 400, id="a strategy"),
        pytest.param("POST", DEPLOYMENTS, deployment(paused="x"), _JSON, 400, id="a flag"),
        pytest.param(
            "POST", DEPLOYMENTS, deployment(minReadySeconds="1"), _JSON, 400, id="a number"
        ),
        pytest.param("POST", PODS, pod(managedFields=_ACCOUNT), _JSON, 400, id="managed fields"),
        pytest.param(
            "POST", PODS, pod(ownerReferences=[_OWNER]), _JSON, 422, id="an owner without uid"
        ),
        pytest.param(
            "POST",
            _SERVICES,
            {"metadata": {"name": "a"}, "spec": {"type": "NodePort", "ports": [{"name": "x"}]}},
            _JSON,
            422,
            id="a port without a number",
        ),
        pytest.param(
            "PUT",
            f"{PODS}/there/status",
            pod("there") | {"status": {"conditions": [1]}},
            _JSON,
            400,
            id="conditions of a status",
        ),
        pytest.param("GET", f"{PODS}/there/binding", None, _JSON, 405, id="a binding is not read"),
        pytest.param("POST", f"{PODS}/there/binding", {"target": 5}, _JSON, 400, id="a binding"),
        pytest.param(
            "POST", f"{PODS}/there/eviction", {"deleteOptions": 5}, _JSON, 400, id="an eviction"
        ),
        pytest.param("POST", _ACCESS, {"spec": 5}, _JSON, 400, id="a review"),
        pytest.param(
            "DELETE",
            f"{PODS}/there?propagationPolicy=Sideways",
            None,
            _JSON,
            422,
            id="a propagation in the query",
        ),
        pytest.param(
            "PATCH",
            f"{PODS}/there",
            [{"op": "add", "path": "a", "value": 1}],
            JSON_PATCH,
            422,
            id="a pointer that is none",
        ),
        pytest.param(
            "PATCH",
            f"{PODS}/there",
            [{"op": "replace", "path": "", "value": 5}],
            JSON_PATCH,
            422,
            id="a patch that leaves no object",
        ),
        pytest.param("POST", MAPS, _deep("json"), _JSON, 400, id="too deep"),
        pytest.param("POST", MAPS, _deep("yaml"), _YAML, 400, id="too deep in YAML"),
        pytest.param("POST", MAPS, b"a: &a [*a]", _YAML, 400, id="YAML without an end"),
        pytest.param("POST", MAPS, _BOMB, _YAML, 400, id="YAML that is more than it looks"),
    ],
)
def test_a_wrong_type_is_the_clients_mistake_wherever_it_is(
    method: str, path: str, body: object, kind: str, code: int
) -> None:
    async def test(api: Api) -> None:
        await api.post(PODS, pod("there"))
        response = await api.ask(method, path, body, kind=kind)
        status = response.json()

        assert (response.status_code, status["kind"], status["code"]) == (code, "Status", code)

    asked(test)


def test_what_a_service_selects_by_may_be_called_like_anything() -> None:
    async def test(api: Api) -> None:
        selector = {"ports": "x", "spec": "y", "template": "z"}
        spec = {"selector": selector, "ports": [{"port": 80}]}
        made = await api.post(_SERVICES, {"metadata": {"name": "a"}, "spec": spec})

        assert made["spec"]["selector"] == selector

    asked(test)


def test_a_condition_without_a_type_is_in_nobodys_way() -> None:
    async def test(api: Api) -> None:
        await api.post(PODS, pod())
        await api.patch(f"{PODS}/a/status", {"status": {"conditions": [{}]}})
        binding = {"metadata": {"name": "a"}, "target": {"name": "n"}}

        assert (await api.post(f"{PODS}/a/binding", binding))["status"] == "Success"

    asked(test)


def test_yaml_becomes_the_json_that_it_means() -> None:
    async def test(api: Api) -> None:
        body = b"metadata: {name: a, annotations: {day: 2026-01-31, 1: one}}"
        response = await api.ask("POST", MAPS, body, kind=_YAML)

        assert response.json()["metadata"]["annotations"] == {"day": "2026-01-31", "1": "one"}

    asked(test)


def test_an_answer_that_nobody_could_read_is_not_acceptable() -> None:
    async def test(api: Api) -> None:
        response = await api.ask("GET", PODS, accept="image/png")
        assert response.status_code == 406

    asked(test)


def test_a_too_large_body_is_refused_in_the_real_words() -> None:
    async def test(api: Api) -> None:
        response = await api.ask("POST", MAPS, b" " * 10_000_000)
        assert response.json()["message"] == "Request entity too large: limit is 3145728"

    asked(test)


def test_the_details_of_what_is_missing_name_it() -> None:
    async def test(api: Api) -> None:
        status = await api.get(f"{DEPLOYMENTS}/a")

        assert status["message"] == 'deployments.apps "a" not found'
        assert status["details"] == {"name": "a", "group": "apps", "kind": "deployments"}

    asked(test)


def test_a_path_that_is_none_is_not_found() -> None:
    async def test(api: Api) -> None:
        for path in ("/x", "/apis/x.io", "/apis/x.io/v1/colors", "/api/v2"):
            response = await api.ask("GET", path)
            assert (response.status_code, response.text) == (404, "404 page not found\n")

    asked(test)
