"""What a client gets that sends junk: Kubernetes' own errors."""

import pytest

from tests.rehearsal.api import (
    DEPLOYMENTS,
    MAPS,
    MERGE,
    PODS,
    STRATEGIC,
    Api,
    asked,
    config_map,
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
