import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from slack_sdk.web import WebClient

from deployments.rehearsal.slack.objects import Json, object_of
from deployments.rehearsal.slack.workspace import default_workspace
from tests.rehearsal.slack_at_work import CHANNEL, WHO, actions, button

PROGRAM = [sys.executable, "-m", "deployments.rehearsal.slack", "--print-json"]


class Process:
    """A Slack that is another process."""

    def __init__(self, told: dict[str, str]) -> None:
        self.told = told
        self.api = WebClient(token=told["bot_token"], base_url=told["api_url"])

    def control(self, name: str, body: object = None, *, method: str | None = None) -> Json:
        sent = None if body is None else json.dumps(body).encode()
        address = urlsplit(self.told["control"] + name)
        connection = HTTPConnection(address.netloc)
        try:
            connection.request(method or ("POST" if sent else "GET"), address.path, sent)
            answer = connection.getresponse()
            return {"status": answer.status} | object_of(json.load(answer))
        finally:
            connection.close()


@contextmanager
def started(*arguments: str) -> Iterator[Process]:
    """Start a Slack, and end it by letting go of its stdin."""
    with subprocess.Popen(
        [*PROGRAM, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdin
        assert running.stdout
        try:
            yield Process(json.loads(running.stdout.readline()))
        finally:
            running.stdin.close()
            assert running.wait(10) == 0


def test_another_process_is_spoken_to_and_commanded() -> None:
    with started("--rates", "off", "--patience", "0.05") as slack:
        api, control = slack.api, slack.control
        ts = api.chat_postMessage(channel=CHANNEL, text="Go?", blocks=[actions(button())])["ts"]
        where = {"channel": CHANNEL, "user": WHO}
        pressed = control("press", where | {"ts": ts, "action_id": "go"})["outcome"]
        wrong = control("press", where | {"ts": ts, "action_id": "other"})
        typo = control("press", where | {"tss": ts})
        said = control("say", where | {"text": "hm", "thread_ts": ts})
        control("groups", {"group": "mesh-admins", "members": []})
        control("faults", {"kind": "error", "method": "users.info", "error": "fatal_error"})
        control("sockets", {"do": "cut"})
        state = control("state")
        control("faults", method="DELETE")
        control("down", {"down": True})
        after = control("state")

    assert not pressed["acknowledged"]
    assert pressed["payload"]["actions"][0]["action_id"] == "go"
    assert wrong == {"status": 400, "error": f"alice sees no other at {ts}"}
    assert typo["status"] == 400
    messages = state["channels"][0]["messages"]
    assert [one["ts"] for one in messages] == [ts, said["ts"]]
    assert state["groups"] == {"mesh-admins": []}
    assert state["faults"][0]["error"] == "fatal_error"
    assert state["warnings"] == {WHO: ["rehearsed did not respond"]}
    assert state["counts"] == {"chat.postMessage": 1}
    assert state["calls"][0]["method"] == "chat.postMessage"
    assert slack.told["bot_token"] not in json.dumps(state)
    assert (after["faults"], after["is_down"]) == ([], True)


def test_the_controls_are_only_for_who_knows_the_word() -> None:
    with started() as slack:
        slack.told["control"] = f"{slack.told['url']}/control/guess/"
        answers = [slack.control("state"), slack.control("down", {"down": True})]
        assert slack.api.auth_test()["ok"]

    assert [one["status"] for one in answers] == [403, 403]


def test_a_workspace_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "workspace.json"
    app = {"bot_token": "xoxb-known", "signing_secret": "known"}
    people = [dataclasses.asdict(one) for one in default_workspace().people]
    path.write_text(json.dumps({"domain": "ours", "app": app, "people": people}))
    with started("--workspace", str(path)) as slack:
        assert slack.told["bot_token"] == "xoxb-known"
        assert slack.told["app_token"].startswith("xapp-")
        assert slack.api.auth_test()["team"] == "ours"


def test_a_workspace_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "workspace.json"
    path.write_text('{"people": [{"id": 1}]}')
    done = subprocess.run(
        [*PROGRAM, "--workspace", str(path)], input="", capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "$.people[0].id" in done.stderr
