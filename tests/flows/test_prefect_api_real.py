"""
The adapters against a real Prefect server, which LocalServer starts: what the fakes claim is so.

Needs nothing but loopback; the server is started once, and a second time after it was killed.
"""

import json
import os
import signal
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest

from tasks.adapters.local_server import LocalServer
from tasks.adapters.prefect_api import PrefectApi
from tasks.domain.approval import Row
from tasks.domain.errors import BadInputError, RefusedError

Json: TypeAlias = Mapping[str, Any]
SetState = Callable[[str, Json], str]
NOBODY = str(uuid.uuid4())
SUSPENDED: Json = {
    "type": "PAUSED",
    "name": "Suspended",
    "state_details": {"pause_reschedule": True, "pause_key": "gate-start", "pause_timeout": None},
}


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prefect") / "state"


@pytest.fixture(scope="module")
def server(state_dir: Path) -> Iterator[LocalServer]:
    server = LocalServer(state_dir, environ=os.environ)
    server.ensure()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def url(server: LocalServer) -> str:
    return server.ensure()


@pytest.fixture(scope="module")
def raw(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def api(url: str) -> Iterator[PrefectApi]:
    with PrefectApi(url) as client:
        yield client


@pytest.fixture(scope="module")
def deployment(raw: httpx.Client) -> str:
    flow = raw.post("flows/", json={"name": "upgrade"}).raise_for_status().json()["id"]
    schema = {"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}
    body = {
        "name": "istio canary",
        "flow_id": flow,
        "parameter_openapi_schema": schema,
        "enforce_parameter_schema": True,
    }
    raw.post("deployments/", json=body).raise_for_status()
    return "upgrade/istio canary"


@pytest.fixture
def run(api: PrefectApi, raw: httpx.Client, deployment: str) -> str:
    """Return a run of a deployment that is Running."""
    started = api.start(deployment, {"to": "1.29.1"})
    for state in ("PENDING", "RUNNING"):
        set_state(raw, started, {"type": state})
    return started


def set_state(raw: httpx.Client, run: str, state: Json) -> None:
    response = raw.post(f"flow_runs/{run}/set_state", json={"state": state}).raise_for_status()
    assert response.json()["status"] == "ACCEPT"


def pause_keys(raw: httpx.Client, run: str) -> list[str]:
    policy = raw.get(f"flow_runs/{run}").raise_for_status().json()["empirical_policy"]
    return list(policy["pause_keys"])


def test_a_live_server_is_found_and_not_started_again(
    server: LocalServer, url: str, state_dir: Path
) -> None:
    said: list[str] = []
    other = LocalServer(state_dir, environ=os.environ, say=said.append)
    assert other.ensure() == server.address() == url
    assert said == []
    assert (state_dir / "server.json").stat().st_mode & 0o777 == 0o600


def test_its_files_are_its_owners_alone(url: str, state_dir: Path) -> None:
    assert (state_dir / "prefect").stat().st_mode & 0o077 == 0
    assert (state_dir / "prefect" / "prefect.db").stat().st_mode & 0o077 == 0


def test_its_dashboard_speaks_to_it_and_to_no_other_page(url: str, raw: httpx.Client) -> None:
    base = url.removesuffix("/api")
    settings = raw.get(f"{base}/ui-settings").raise_for_status().json()
    assert (settings["api_url"], settings["default_ui"]) == (url, "v1")
    answer = raw.get("health", headers={"Origin": "https://elsewhere.example"})
    assert "access-control-allow-origin" not in answer.headers


def test_a_run_is_started_with_parameters_that_fit(
    api: PrefectApi, raw: httpx.Client, deployment: str
) -> None:
    assert api.is_ready()
    assert api.has_deployment(deployment)
    assert not api.has_deployment("upgrade/nothing")
    started = api.start(deployment, {"to": "1.29.1"})
    assert api.state(started) == "SCHEDULED"
    assert api.knows(started)
    assert raw.get(f"flow_runs/{started}").json()["parameters"] == {"to": "1.29.1"}
    with pytest.raises(BadInputError, match="do not fit"):
        api.start(deployment, {"to": 1})


def test_thirty_votes_of_many_hands_are_all_read(api: PrefectApi, run: str) -> None:
    votes = [
        Row(key=f"vote-start-{n:024x}", value=f'{{"n": {n}, "é": "\U0001f600"}}') for n in range(30)
    ]
    votes.append(Row(key="control-abort-1", value="{}"))
    for vote in votes:
        api.cast(run, vote)
        api.cast(run, vote)
    assert sorted(api.rows(run), key=lambda row: row.key) == sorted(votes, key=lambda row: row.key)


def test_votes_beyond_a_page_are_read_too(api: PrefectApi, raw: httpx.Client, run: str) -> None:
    for n in range(205):
        body = {"key": f"vote-start-{n}", "value": ""}
        raw.post(f"flow_runs/{run}/input", json=body).raise_for_status()
    assert len({row.key for row in api.rows(run)}) == 205


def test_another_value_under_a_taken_key_is_refused(api: PrefectApi, run: str) -> None:
    api.cast(run, Row(key="vote-start-1", value="first"))
    with pytest.raises(RefusedError, match="already has another input"):
        api.cast(run, Row(key="vote-start-1", value="second"))


def test_what_belongs_to_no_run_is_refused(api: PrefectApi) -> None:
    for ask in (api.state, api.resume, api.reschedule):
        with pytest.raises(RefusedError, match="404"):
            ask(NOBODY)
    with pytest.raises(RefusedError, match="404"):
        api.cast(NOBODY, Row(key="vote-start-1", value=""))
    assert not api.rows(NOBODY)
    assert not api.knows(NOBODY)


def test_a_suspended_run_is_resumed_by_one_of_many(
    api: PrefectApi, raw: httpx.Client, run: str
) -> None:
    assert not api.resume(run), "it was not waiting"
    set_state(raw, run, SUSPENDED)
    assert api.flow_run(run).state_name == "Suspended"
    answers: list[bool] = []
    people = [threading.Thread(target=lambda: answers.append(api.resume(run))) for _ in range(4)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    # The loser of a collision on a locked database cannot tell that it was not the winner.
    assert len(answers) == 4
    assert any(answers)
    assert api.flow_run(run).state_name == "Resuming"
    assert not api.resume(run)


def test_a_run_that_is_scheduled_again_keeps_its_pause_keys(
    api: PrefectApi, raw: httpx.Client, run: str
) -> None:
    set_state(raw, run, SUSPENDED)
    with pytest.raises(RefusedError, match="Suspended"):
        api.reschedule(run)
    assert api.resume(run)
    for state in ("PENDING", "RUNNING"):
        set_state(raw, run, {"type": state})
    api.reschedule(run)
    api.reschedule(run)
    assert api.state(run) == "SCHEDULED"
    assert pause_keys(raw, run) == ["gate-start"]


# The last one: from here on the server is another process.
def test_a_killed_server_is_started_again_once_with_the_same_data_and_address(
    server: LocalServer, api: PrefectApi, url: str, run: str, state_dir: Path
) -> None:
    vote = Row(key="vote-start-1", value="kept")
    api.cast(run, vote)
    pid = json.loads((state_dir / "server.json").read_bytes())["pid"]
    os.killpg(pid, signal.SIGKILL)
    while server.address() is not None:
        pass
    found: list[str] = []
    servers = [server, LocalServer(state_dir, environ=os.environ)]

    def command(one: LocalServer) -> None:
        found.append(one.ensure())

    commands = [threading.Thread(target=command, args=(one,)) for one in servers]
    for thread in commands:
        thread.start()
    for thread in commands:
        thread.join()
    assert found == [url, url]
    assert list(api.rows(run)) == [vote]
    servers[1].stop()
    assert server.address() is None
    assert not (state_dir / "server.json").exists()
