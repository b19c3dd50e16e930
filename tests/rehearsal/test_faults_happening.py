"""Faults befall what they name, from the moment that they name, and nothing else."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from deployments.rehearsal.cluster.controllers.fates import CRASH_LOOP, NEVER_READY, NORMAL
from deployments.rehearsal.faults.api import Weather
from deployments.rehearsal.faults.parsing import parse_faults
from deployments.rehearsal.faults.troubles import Troubles
from deployments.rehearsal.scenario.finding import find

SHOP = find("shop")
OLD, NEW = "1-28-3", "1-29-1"


def troubles(*texts: str) -> Troubles:
    return Troubles(parse_faults(texts, SHOP), late={"search": 2.0}, new=NEW)


def pod(namespace: str, replica_set: str, *, revision: str = NEW) -> dict[str, Any]:
    owner = {"kind": "ReplicaSet", "name": replica_set, "controller": True}
    metadata = {
        "name": f"{replica_set}-abcde",
        "namespace": namespace,
        "uid": "1",
        "annotations": {"istio.io/rev": revision},
        "ownerReferences": [owner],
    }
    return {"metadata": metadata}


def begun(found: Troubles, ask: Callable[[Troubles], object]) -> object:
    """Return an answer of troubles that have just begun."""

    async def told() -> object:
        found.begin()
        return ask(found)

    return asyncio.run(told())


def test_a_stuck_rollout_befalls_one_workload_s_pods_under_the_new_revision() -> None:
    found = troubles("stuck-rollout:bank/ledger", "crash-loop:bank/fraud")

    fates = begun(
        found,
        lambda it: [
            it.of(pod("bank", "ledger-5d98bc9469")),
            it.of(pod("bank", "fraud-5d98bc9469")),
            it.of(pod("bank", "ledger-5d98bc9469", revision=OLD)),
            it.of(pod("bank", "ledgers-5d98bc9469")),
            it.of(pod("web", "ledger-5d98bc9469")),
        ],
    )

    assert fates == [NEVER_READY, CRASH_LOOP, NORMAL, NORMAL, NORMAL]


def test_nothing_goes_wrong_before_the_upgrade_begins_or_before_its_moment() -> None:
    found = troubles("stuck-rollout:bank/ledger@60")
    ledger = pod("bank", "ledger-5d98bc9469")

    assert found.of(ledger) is NORMAL
    assert begun(found, lambda it: it.of(ledger)) is NORMAL


def test_the_mesh_is_moody_where_it_was_asked_to_be() -> None:
    found = troubles("proxies-stale:bank", "proxies-rejected:web", "istiod-silent:1-29-1")
    bank, web = pod("bank", "ledger-1"), pod("web", "assets-1")
    istiods = [{"metadata": {"labels": {"istio.io/rev": one}}} for one in (OLD, NEW)]

    assert begun(found, lambda it: (it.is_stale(bank), it.is_stale(web))) == (True, False)
    assert begun(found, lambda it: it.rejection(bank)) is None
    assert begun(found, lambda it: it.rejection(web)) is not None
    assert begun(found, lambda it: [it.is_silent(one) for one in istiods]) == [False, True]


def test_late_proxies_are_no_fault_but_the_scenario_s_own() -> None:
    assert troubles().lag(pod("search", "query-1")) == 2.0
    assert troubles().lag(pod("web", "assets-1")) == 0.0


async def _well(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"well"})


def asked(fault: str, *, agent: bytes = b"kubectl/1") -> list[Mapping[str, Any]]:
    """Return what a client gets to hear of an API server with a fault."""
    found, heard = troubles(fault), list[Mapping[str, Any]]()
    scope = {"type": "http", "headers": [(b"user-agent", agent)]}

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
def test_the_api_server_refuses_as_many_requests_as_it_was_told_to(fault: str, status: int) -> None:
    start, body = asked(fault)

    assert start["status"] == status
    assert (b'"kind":"Status"' in body["body"]) is (status != 200)


def test_it_says_after_how_long_to_come_back() -> None:
    start, _ = asked("api-429%100")

    assert (b"retry-after", b"1") in start["headers"]


def test_it_hangs_up_in_the_middle_of_an_answer() -> None:
    start, body = asked("api-cut%100")

    assert int(dict(start["headers"])[b"content-length"]) > len(body["body"])


def test_istioctl_is_spared_for_it_would_never_get_through() -> None:
    assert asked("api-500%100", agent=b"istioctl/1.29.1")[0]["status"] == 200
