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
from tests.rehearsal.slack_at_work import CHANNEL, COMMAND, WHO, actions, at_work, button, client
from tests.rehearsal.test_slack_interactions import VIEW

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


def test_every_control_does_what_hands_do_in_the_same_process() -> None:
    with at_work(patience=0.05) as running:
        slack = Process({"control": running.control, "bot_token": "", "api_url": running.api_url})
        where = {"channel": CHANNEL, "user": WHO}
        typed = slack.control("command", where | {"command": COMMAND, "text": "status"})
        view = client(running).views_open(
            trigger_id=typed["outcome"]["payload"]["trigger_id"], view=VIEW
        )["view"]["id"]
        values = {"why": {"reason": "late"}}
        sent = slack.control("submit", {"user": WHO, "view_id": view, "values": values})
        closed = slack.control("close", {"user": WHO, "view_id": view})
        told = slack.control("event", {"event": {"type": "app_mention"}})
        client(running).chat_postEphemeral(channel=CHANNEL, user=WHO, text="psst")
        for name, body in (
            ("rates", {"factor": 0.5}),
            ("patience", {"seconds": 1}),
            ("request_url", {"url": "http://127.0.0.1:9/"}),
            ("sockets", {"do": "silence"}),
            ("sockets", {"do": "duplicate", "times": 3}),
            ("sockets", {"do": "reorder", "times": 4}),
            ("sockets", {"do": "speak"}),
            ("sockets", {"do": "cut"}),
            ("sockets", {"do": "disconnect", "reason": "warning"}),
            ("groups", {"group": "S0ADMINS", "members": None}),
            ("down", {"down": False}),
        ):
            assert slack.control(name, body) == {"status": 200}
        wrong = [slack.control("faults", {"kind": "poem"}), slack.control("rates", {})]
        state = slack.control("state")
        inside, hub = running.slack, running.slack.hub

        assert typed["outcome"]["payload"]["text"] == "status"
        assert sent["outcome"]["payload"]["view"]["state"]["values"]["why"]
        assert closed["outcome"] is None
        assert not told["outcome"]["acknowledged"]
        assert [one["status"] for one in wrong] == [400, 400]
        assert (inside.limits.factor, inside.patience) == (0.5, 1)
        assert inside.request_url == "http://127.0.0.1:9/"
        assert (hub.troubles.duplicate, hub.troubles.reorder) == (3, 4)
        assert (state["groups"], state["views"], state["sockets"]["open"]) == ({}, [], 0)
        assert state["ephemerals"][0]["to"] == WHO
