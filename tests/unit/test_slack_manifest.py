"""The app's manifest asks for what the code needs, and for nothing else."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tasks.domain.slack_methods import BOT_SCOPES, Method

ROOT = Path(__file__).parents[2]
MANIFEST: Any = yaml.safe_load((ROOT / "deployments/slack/manifest.yaml").read_text())


def test_the_scopes_are_exactly_those_that_our_calls_need() -> None:
    scopes = MANIFEST["oauth_config"]["scopes"]
    assert list(scopes) == ["bot"]
    assert sorted(scopes["bot"]) == sorted(BOT_SCOPES)


@pytest.mark.parametrize("method", Method)
def test_every_method_of_the_table_is_called(method: Method) -> None:
    adapters = "".join(
        path.read_text()
        for path in (ROOT / "tasks/adapters").glob("slack*.py")
        if path.name not in {"slack_errors.py", "slack_calls.py"}
    )
    assert f"Method.{method.name}" in adapters


def test_there_is_no_call_beside_the_table() -> None:
    callers = [
        path.name
        for path in (ROOT / "tasks/adapters").glob("*.py")
        if "api_call(" in path.read_text() or "WebClient(" in path.read_text()
    ]
    assert sorted(callers) == ["slack_calls.py", "slack_socket.py"]


def test_people_can_press_and_type_and_we_listen_by_a_socket() -> None:
    settings = MANIFEST["settings"]
    assert settings["interactivity"]["is_enabled"] is True
    assert settings["socket_mode_enabled"] is True
    (command,) = MANIFEST["features"]["slash_commands"]
    assert command["command"] == "/istio-canary"
