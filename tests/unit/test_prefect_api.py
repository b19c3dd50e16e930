"""Prefect's API against a fake that answers as a real server was seen to (3.8.8)."""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import httpx
import pytest

from tasks.adapters.prefect_api import PrefectApi
from tasks.domain.approval import Row
from tasks.domain.errors import BadInputError, RefusedError, TransientError

RUN = "0f6b3c1e-5d0c-4c7e-9a53-0d4a3f7f4a10"
DEPLOYMENT = "7e0f9c58-21a3-4f0e-8f0f-9d5a1f6d2b11"
URL = "http://prefect.example:4200/api"

Body: TypeAlias = Any


class FakePrefect:
    """Inputs, one run and one deployment; answers can be put before the real ones."""

    def __init__(self) -> None:
        self.inputs: dict[str, str] = {}
        self.state: dict[str, object] = {"type": "RUNNING", "name": "Running", "message": None}
        self.deployment: str | None = DEPLOYMENT
        self.started: list[Mapping[str, Any]] = []
        self.asked: list[str] = []
        self.headers: httpx.Headers = httpx.Headers()
        self.first: dict[str, list[httpx.Response | Exception]] = {}
        self.after_lost_answer: Callable[[], object] = lambda: None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api")
        self.asked.append(f"{request.method} {path}")
        self.headers = request.headers
        for end, answers in self.first.items():
            if path.endswith(end) and answers:
                answer = answers.pop(0)
                if isinstance(answer, Exception):
                    self.after_lost_answer()
                    raise answer
                return answer
        body = json.loads(request.content or b"null")
        return self.answer(path.split("/")[1:], body)

    def answer(self, path: list[str], body: Body) -> httpx.Response:
        match path:
            case ["health"]:
                return httpx.Response(200, json=True)
            case ["flow_runs", run, *rest] if run == RUN:
                return self.run(rest, body)
            case ["deployments", "name", "upgrade", "istio canary"]:
                return httpx.Response(200, json={"id": DEPLOYMENT})
            case ["deployments", found, "create_flow_run"] if found == DEPLOYMENT:
                self.started.append(body)
                return httpx.Response(201, json={"id": RUN, "name": "quick-fox"})
            case _:
                return httpx.Response(404, json={"detail": "the secret of somebody else"})

    def run(self, path: list[str], body: Body) -> httpx.Response:  # noqa: PLR0911 - the routes
        match path:
            case []:
                run = {"id": RUN, "name": "r", "state": self.state}
                return httpx.Response(200, json={**run, "deployment_id": self.deployment})
            case ["resume"]:
                return self.resume()
            case ["set_state"]:
                self.state = {**body["state"], "name": "Scheduled"}
                return httpx.Response(201, json={"status": "ACCEPT", "state": self.state})
            case ["input"] if body["key"] in self.inputs:
                return httpx.Response(409)
            case ["input"]:
                self.inputs[body["key"]] = body["value"]
                return httpx.Response(201)
            case ["input", "filter"]:
                return self.page(body)
            case ["input", key] if key in self.inputs:
                return httpx.Response(200, text=self.inputs[key])
            case _:
                return httpx.Response(404)

    def page(self, body: Body) -> httpx.Response:
        seen = frozenset(body["exclude_keys"])
        rows = [
            {"id": "x", "key": key, "value": value}
            for key, value in self.inputs.items()
            if key.startswith(body["prefix"]) and key not in seen
        ]
        return httpx.Response(200, json=rows[: body["limit"]])

    def resume(self) -> httpx.Response:
        if self.state["type"] != "PAUSED":
            return httpx.Response(200, json={"status": "ABORT", "state": None})
        self.state = {"type": "SCHEDULED", "name": "Resuming"}
        return httpx.Response(201, json={"status": "ACCEPT", "state": self.state})


@pytest.fixture
def prefect() -> FakePrefect:
    return FakePrefect()


@pytest.fixture
def rests() -> list[float]:
    return []


@pytest.fixture
def api(prefect: FakePrefect, rests: list[float]) -> Iterator[PrefectApi]:
    transport = httpx.MockTransport(prefect)
    with PrefectApi(URL, transport=transport, rest=rests.append) as client:
        yield client


def suspended(prefect: FakePrefect) -> None:
    prefect.state = {"type": "PAUSED", "name": "Suspended"}


# ---- votes


def test_all_votes_and_controls_are_read_page_by_page(
    prefect: FakePrefect, api: PrefectApi
) -> None:
    prefect.inputs = {f"vote-start-{n}": f"v{n}" for n in range(450)}
    prefect.inputs |= {"control-abort-1": "c", "prefect-schema": "not ours"}
    rows = api.rows(RUN)
    assert {row.key: row.value for row in rows} == {
        key: value for key, value in prefect.inputs.items() if key != "prefect-schema"
    }
    assert len(rows) == 451


def test_a_server_that_always_sends_the_same_page_is_not_asked_for_ever(
    prefect: FakePrefect, api: PrefectApi
) -> None:
    same = [{"key": "vote-a", "value": "x"}]
    prefect.first["filter"] = [httpx.Response(200, json=same) for _ in range(4)]
    assert api.rows(RUN) == (Row(key="vote-a", value="x"), Row(key="vote-a", value="x"))


def test_a_flood_of_rows_is_said_and_does_not_go_on(prefect: FakePrefect, api: PrefectApi) -> None:
    prefect.inputs = {f"vote-{n}": "" for n in range(10_300)}
    with pytest.raises(RefusedError, match="more than 10000"):
        api.rows(RUN)


def test_a_vote_cast_twice_is_one_vote(prefect: FakePrefect, api: PrefectApi) -> None:
    for _ in range(2):
        api.cast(RUN, Row(key="vote-start-1", value="ja, é"))
    assert prefect.inputs == {"vote-start-1": "ja, é"}


def test_another_vote_under_the_same_key_is_refused_unshown(
    prefect: FakePrefect, api: PrefectApi
) -> None:
    prefect.inputs["vote-start-1"] = "somebody's words"
    with pytest.raises(RefusedError, match="another input under vote-start-1") as caught:
        api.cast(RUN, Row(key="vote-start-1", value="mine"))
    assert "words" not in str(caught.value)


@pytest.mark.parametrize("key", ["Vote-1", "vote_1", "vote/1", "", "../x", "vote-\n"])
def test_a_key_that_prefect_does_not_take_is_bad_input(
    prefect: FakePrefect, api: PrefectApi, key: str
) -> None:
    with pytest.raises(BadInputError, match="lower case"):
        api.cast(RUN, Row(key=key, value=""))
    assert prefect.asked == []


# ---- runs


@pytest.mark.parametrize("run", ["", "latest", f"{RUN}/x", "../admin/settings"])
def test_what_is_no_flow_run_id_never_reaches_a_path(
    prefect: FakePrefect, api: PrefectApi, run: str
) -> None:
    with pytest.raises(BadInputError, match="UUID"):
        api.state(run)
    assert prefect.asked == []


def test_a_run_is_described_in_prefects_words(prefect: FakePrefect, api: PrefectApi) -> None:
    prefect.state = {"type": "PAUSED", "name": "Suspended", "message": "waiting"}
    info = api.flow_run(RUN)
    assert (info.state_type, info.state_name, info.state_message) == (
        "PAUSED",
        "Suspended",
        "waiting",
    )
    assert (info.id, info.deployment_id) == (RUN, DEPLOYMENT)


def test_a_flow_run_is_known_by_its_id_whatever_the_address(api: PrefectApi) -> None:
    assert api.knows(RUN)
    assert not api.knows(DEPLOYMENT)


def test_what_is_not_prefect_does_not_pass_for_one_without_the_flow_run(
    prefect: FakePrefect, api: PrefectApi
) -> None:
    prefect.first["/flow_runs/" + RUN] = [httpx.Response(200, html="<html></html>")]
    with pytest.raises(RefusedError, match="is not Prefect's API"):
        api.knows(RUN)


def test_a_suspended_run_is_resumed_once(prefect: FakePrefect, api: PrefectApi) -> None:
    suspended(prefect)
    assert api.resume(RUN)
    assert not api.resume(RUN)


@pytest.mark.parametrize("code", [200, 201])
@pytest.mark.parametrize("status", ["REJECT", "ABORT"])
def test_the_code_of_a_refused_resume_is_not_believed(
    prefect: FakePrefect, api: PrefectApi, code: int, status: str
) -> None:
    suspended(prefect)
    prefect.first["resume"] = [httpx.Response(code, json={"status": status})]
    assert not api.resume(RUN)


@pytest.mark.parametrize(
    "answer",
    [httpx.Response(503), httpx.Response(409), httpx.ReadError("reset by peer")],
    ids=["the database was locked", "somebody resumed at the same time", "the connection was lost"],
)
def test_a_resume_that_got_no_answer_is_asked_again(
    prefect: FakePrefect,
    api: PrefectApi,
    rests: list[float],
    answer: httpx.Response | httpx.TransportError,
) -> None:
    suspended(prefect)
    prefect.first["resume"] = [answer, answer]
    assert api.resume(RUN)
    assert rests == [0.2, 0.4]


def test_a_resume_whose_answer_was_lost_still_counts(prefect: FakePrefect, api: PrefectApi) -> None:
    suspended(prefect)
    prefect.first["resume"] = [httpx.ReadError("reset")]
    prefect.after_lost_answer = prefect.resume
    assert api.resume(RUN)


def test_a_resume_that_never_gets_an_answer_may_be_tried_later(
    prefect: FakePrefect, api: PrefectApi
) -> None:
    suspended(prefect)
    prefect.first["resume"] = [httpx.Response(503)] * 20
    with pytest.raises(TransientError, match="did not resume"):
        api.resume(RUN)


def test_a_run_whose_process_is_gone_is_scheduled_without_force(
    prefect: FakePrefect, api: PrefectApi
) -> None:
    api.reschedule(RUN)
    api.reschedule(RUN)
    assert prefect.state["type"] == "SCHEDULED"
    assert prefect.asked.count(f"POST /flow_runs/{RUN}/set_state") == 1


@pytest.mark.parametrize("state", ["PAUSED", "COMPLETED", "CANCELLING"])
def test_a_run_that_does_not_run_is_not_scheduled_again(
    prefect: FakePrefect, api: PrefectApi, state: str
) -> None:
    prefect.state = {"type": state, "name": state.title()}
    with pytest.raises(RefusedError, match="only one that is Running or Pending"):
        api.reschedule(RUN)


def test_a_run_without_a_deployment_is_not_scheduled_for_nobody(
    prefect: FakePrefect, api: PrefectApi
) -> None:
    prefect.deployment = None
    with pytest.raises(RefusedError, match="no worker"):
        api.reschedule(RUN)


# ---- deployments


def test_a_deployment_is_known_by_its_name(api: PrefectApi) -> None:
    assert api.has_deployment("upgrade/istio canary")
    assert not api.has_deployment("upgrade/other")
    with pytest.raises(BadInputError, match="FLOW/DEPLOYMENT"):
        api.has_deployment("upgrade")


def test_a_start_that_is_sent_twice_makes_one_run(prefect: FakePrefect, api: PrefectApi) -> None:
    prefect.first["create_flow_run"] = [httpx.Response(503)]
    assert api.start("upgrade/istio canary", {"to": "1.29.1"}) == RUN
    assert prefect.started[0]["parameters"] == {"to": "1.29.1"}
    assert prefect.started[0]["idempotency_key"]


@pytest.mark.parametrize("code", [400, 409, 422])
def test_parameters_that_do_not_fit_are_bad_input(
    prefect: FakePrefect, api: PrefectApi, code: int
) -> None:
    prefect.first["create_flow_run"] = [httpx.Response(code, json={"detail": "to is 'hunter2'"})]
    with pytest.raises(BadInputError, match="do not fit") as caught:
        api.start("upgrade/istio canary", {})
    assert "hunter2" not in str(caught.value)


def test_a_start_without_a_deployment_says_how_to_make_it(api: PrefectApi) -> None:
    with pytest.raises(RefusedError, match="prefect deploy"):
        api.start("upgrade/other", {})


# ---- errors, and who we are


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(401), RefusedError),
        (httpx.Response(403), RefusedError),
        (httpx.Response(404, json={"detail": "hunter2"}), RefusedError),
        (httpx.Response(429), TransientError),
        (httpx.Response(500, json={"detail": "hunter2"}), TransientError),
        (httpx.ConnectError("hunter2"), TransientError),
    ],
)
def test_failures_become_ours_with_host_and_path_and_no_body(
    prefect: FakePrefect,
    api: PrefectApi,
    answer: httpx.Response | Exception,
    error: type[Exception],
) -> None:
    prefect.first[RUN] = [answer] * 4
    with pytest.raises(error, match=rf"prefect\.example:4200 .*/flow_runs/{RUN}") as caught:
        api.state(RUN)
    assert "hunter2" not in str(caught.value)


def test_a_short_outage_is_outlasted(prefect: FakePrefect, api: PrefectApi) -> None:
    prefect.first[RUN] = [httpx.ReadError("reset"), httpx.Response(503)]
    assert api.state(RUN) == "RUNNING"


def test_a_page_that_is_not_prefects_is_named(prefect: FakePrefect, api: PrefectApi) -> None:
    prefect.first[RUN] = [httpx.Response(200, html="<html>log in</html>")]
    with pytest.raises(RefusedError, match="not Prefect's API"):
        api.state(RUN)


def test_ready_means_that_prefect_says_so(prefect: FakePrefect, api: PrefectApi) -> None:
    assert api.is_ready()
    prefect.first["health"] = [httpx.ConnectError("refused"), httpx.Response(200, html="<html>")]
    assert not api.is_ready()
    assert not api.is_ready()


@pytest.mark.parametrize(
    ("auth", "api_key", "expected"),
    [
        (None, None, None),
        ("me:pass", None, "Basic " + base64.b64encode(b"me:pass").decode()),
        (None, "pnu_1", "Bearer pnu_1"),
        ("me:pass", "pnu_1", "Basic " + base64.b64encode(b"me:pass").decode()),
    ],
)
def test_credentials_are_sent_as_prefects_own_client_does(
    prefect: FakePrefect, auth: str | None, api_key: str | None, expected: str | None
) -> None:
    transport = httpx.MockTransport(prefect)
    with PrefectApi(URL, auth=auth, api_key=api_key, transport=transport) as api:
        assert api.is_ready()
    assert prefect.headers.get("authorization") == expected


@pytest.mark.parametrize("url", ["", "prefect:4200", "ftp://x/api", "http://me:hunter2@x/api"])
def test_an_address_that_is_none_is_bad_input_and_not_repeated(url: str) -> None:
    with pytest.raises(BadInputError, match="http://HOST:PORT/api") as caught:
        PrefectApi(url)
    assert "hunter2" not in str(caught.value)


def test_a_key_with_a_line_break_is_bad_input_and_not_repeated() -> None:
    with pytest.raises(BadInputError, match="PREFECT_API_KEY") as caught:
        PrefectApi(URL, api_key="hunter2\n")
    assert "hunter2" not in str(caught.value)
