"""The API server has bad days that clients are used to: each says what the real one says."""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from deployments.rehearsal.faults.api import Weather
from deployments.rehearsal.faults.parsing import parse_faults
from deployments.rehearsal.faults.troubles import Troubles
from deployments.rehearsal.scenario.finding import find

NAMESPACE = "/api/v1/namespaces/bank"
DEPLOYMENT = "/apis/apps/v1/namespaces/bank/deployments/ledger"
PODS = "/api/v1/namespaces/bank/pods"


async def _well(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"well"})


def asked(
    fault: str,
    *,
    method: str = "GET",
    path: str = NAMESPACE,
    query: str = "",
    agent: bytes = b"kubectl/1",
) -> list[Mapping[str, Any]]:
    """Return what a client gets to hear of an API server with a fault."""
    heard = list[Mapping[str, Any]]()
    found = Troubles(parse_faults([fault], find("shop")), late={}, new="1-29-1")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": [(b"user-agent", agent)],
    }

    async def send(message: Message) -> None:
        heard.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    async def told() -> None:
        found.begin()
        await Weather(_well, found.active, seed=1)(scope, receive, send)

    asyncio.run(told())
    return heard


@pytest.mark.parametrize(
    ("fault", "status"), [("api-429%100", 429), ("api-500%100", 500), ("api-429%0", 200)]
)
def test_it_refuses_as_many_requests_as_it_was_told_to(fault: str, status: int) -> None:
    start, body = asked(fault)

    assert start["status"] == status
    assert (b'"kind":"Status"' in body["body"]) is (status != 200)


def test_it_says_after_how_long_to_come_back() -> None:
    start, _ = asked("api-429%100")

    assert (b"retry-after", b"1") in start["headers"]


def test_it_hangs_up_in_the_middle_of_an_answer() -> None:
    start, body = asked("api-cut%100")

    assert int(dict(start["headers"])[b"content-length"]) > len(body["body"])


def test_it_takes_a_second_at_least_and_answers_then() -> None:
    began = time.monotonic()

    _, body = asked("api-slow%100")

    assert body["body"] == b"well"
    assert time.monotonic() - began >= 1


@pytest.mark.parametrize(
    ("method", "path", "subject"),
    [
        pytest.param("PATCH", DEPLOYMENT, 'deployments.apps "ledger"', id="a patch"),
        pytest.param("PUT", NAMESPACE, 'namespaces "bank"', id="an update"),
        pytest.param("PUT", f"{NAMESPACE}/finalize", 'namespaces "bank"', id="a part of an object"),
    ],
)
def test_a_change_meets_another_one_and_is_told_so_in_the_real_words(
    method: str, path: str, subject: str
) -> None:
    start, body = asked("api-409%100", method=method, path=path)
    status = json.loads(body["body"])

    assert start["status"] == status["code"] == 409
    assert status["reason"] == "Conflict"
    assert status["message"] == (
        f"Operation cannot be fulfilled on {subject}: the object has been modified; "
        "please apply your changes to the latest version and try again"
    )


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_nothing_but_a_change_meets_another_one(method: str) -> None:
    assert asked("api-409%100", method=method)[0]["status"] == 200


def test_a_watch_is_ended_by_an_event_that_says_that_its_place_is_forgotten() -> None:
    start, body = asked("api-410%100", path=PODS, query="watch=true&resourceVersion=41")
    event = json.loads(body["body"])

    assert start["status"] == 200  # a watch is answered before it can go wrong
    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
    assert event["object"]["message"] == "too old resource version: 41 (42)"


def test_the_next_page_of_a_list_is_refused_as_too_late() -> None:
    start, body = asked("api-410%100", path=PODS, query="limit=500&continue=abc")

    assert start["status"] == 410
    assert json.loads(body["body"])["reason"] == "Expired"


@pytest.mark.parametrize("query", ["", "limit=500", "watch=true", "watch=1&resourceVersion=0"])
def test_what_begins_with_the_present_is_never_too_late(query: str) -> None:
    assert asked("api-410%100", path=PODS, query=query)[0]["status"] == 200


@pytest.mark.parametrize("fault", ["api-500%100", "api-409%100"])
def test_istioctl_is_spared_for_it_would_never_get_through(fault: str) -> None:
    answer = asked(fault, method="PATCH", path=DEPLOYMENT, agent=b"istioctl/1.29.1")

    assert answer[0]["status"] == 200
