"""The gatekeeper's file: what it says, and what is refused by name."""

from pathlib import Path

import pytest

from deployments.gatekeeper.config import read_config
from tasks.domain.errors import BadInputError

WHOLE = """\
clusters:
  - name: eu
    context: prod-eu
    channel: C0MESH
    upgrade: {gates: {approvers: ["slack-group:T1/S1"]}}
signing_key: secret:istio-canary/signing/key
starters: ["slack-group:T1/S1"]
slack: {bot_token: "secret:istio-canary/slack/bot"}
dashboard: https://prefect.example.com
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "gatekeeper.yaml"
    path.write_text(text)
    return path


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    found = read_config(write(tmp_path, WHOLE))
    assert found.clusters[0].access.context == "prod-eu"
    assert found.slack.app_token == "env:SLACK_APP_TOKEN"
    assert found.starters == ["slack-group:T1/S1"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        pytest.param("clusters: []", "clusters: List should have at least 1 item", id="no cluster"),
        pytest.param("", "the file: Input should be a valid dictionary", id="nothing"),
        pytest.param("a: [", "is not YAML", id="broken"),
        pytest.param(
            "clusters: [{name: EU, channel: C0MESH}]", "clusters.0.name", id="a name in capitals"
        ),
        pytest.param(
            "clusters: [{name: eu, channel: '#mesh'}]", "clusters.0.channel", id="a channel's name"
        ),
        pytest.param(
            "clusters: [{name: eu, channel: C01}, {name: eu, channel: C02}]",
            "there are two clusters named eu",
            id="one name twice",
        ),
        pytest.param(
            "clusters: [{name: eu, channel: C01}]\nstarters: [bob]",
            "starter 'bob' is neither",
            id="a starter who is nobody",
        ),
        pytest.param(
            "clusters: [{name: eu, channel: C01}]\nslack: {bot_token: xoxb-1-secret}",
            "slack.bot_token",
            id="a token instead of a reference",
        ),
        pytest.param(
            "clusters: [{name: eu, channel: C01}]\ntoken: 1", "token: Extra inputs", id="a typo"
        ),
    ],
)
def test_a_file_is_refused_by_what_is_wrong_in_it(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(BadInputError) as raised:
        read_config(write(tmp_path, text))
    assert why in str(raised.value)
    assert "xoxb" not in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"nowhere\.yaml cannot be read: No such file"):
        read_config(tmp_path / "nowhere.yaml")


def test_a_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gatekeeper.yaml"
    path.write_bytes(b"clusters: \xff")
    with pytest.raises(BadInputError, match="it is no UTF-8 text"):
        read_config(path)
