"""What `doctor --slack` says, asked of the rehearsal's Slack."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from deployments.rehearsal.slack.running import RunningSlack
from deployments.rehearsal.slack.serving import serving
from deployments.rehearsal.slack.state import Slack
from deployments.rehearsal.slack.workspace import ADMINS, RANDOM, UPGRADES, App, default_workspace
from tasks.domain.documents import Examined
from tasks.domain.errors import BadInputError
from tasks.domain.slack_methods import BOT_SCOPES
from tasks.examining_slack import SlackNeeds, examine_slack


@pytest.fixture
def slack() -> Iterator[RunningSlack]:
    with serving(slack_with(tuple(BOT_SCOPES))) as running:
        yield running


def slack_with(scopes: tuple[str, ...]) -> Slack:
    return Slack(replace(default_workspace(), app=App(bot_scopes=scopes)))


def no_cluster(namespace: str, name: str, key: str) -> bytes:
    raise BadInputError(f"there is no Secret {namespace}/{name} with {key}")


def examined(
    slack: RunningSlack, monkeypatch: pytest.MonkeyPatch, **needs: object
) -> dict[str, Examined]:
    monkeypatch.setenv("BOT", slack.app.bot_token)
    monkeypatch.setenv("APP", slack.app.app_token)
    monkeypatch.setenv("SIGNING", slack.app.signing_secret)
    asked = {"url": slack.api_url, "bot_token": "env:BOT", "app_token": "env:APP", **needs}
    found = examine_slack(SlackNeeds(**asked), secrets=no_cluster)  # type: ignore[arg-type]
    assert "xoxb-" not in str(found).replace("(xoxb-...)", "")
    return {one.what: one for one in found}


def test_all_is_well(slack: RunningSlack, monkeypatch: pytest.MonkeyPatch) -> None:
    found = examined(
        slack,
        monkeypatch,
        signing_secret="env:SIGNING",
        channels=[UPGRADES.id],
        groups=[ADMINS.id],
    )
    assert {what: one.text for what, one in found.items()} == {
        "Slack bot token": "bot U0BOT of workspace T0REHEARSE",
        "Slack scopes": "complete",
        "Slack channel C0UPGRADES": "the bot is a member",
        "Slack group S0ADMINS": "2 people",
        "Slack app token": "may connect (connections:write)",
        "Slack signing secret": "readable",
    }
    assert all(one.is_good for one in found.values())
    assert slack.calls("chat.postMessage") == []


def test_what_is_missing_is_named_with_what_to_do(
    slack: RunningSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    slack.change_group(ADMINS.id, [])
    found = examined(
        slack,
        monkeypatch,
        app_token="env:BOT",
        signing_secret="secret:mesh/slack/signing",
        channels=[RANDOM.id, "C0NOWHERE"],
        groups=[ADMINS.id, "S0NOBODY"],
    )
    bad = {what: one for what, one in found.items() if not one.is_good}
    assert set(bad) == set(found) - {"Slack bot token", "Slack scopes"}
    assert all(one.todo or what == "Slack signing secret" for what, one in bad.items())
    assert "invite the bot" in bad["Slack channel C0RANDOM"].todo
    assert "app-level token" in bad["Slack app token"].todo
    assert bad["Slack group S0ADMINS"].text == "nobody is in it"


def test_a_token_that_slack_does_not_know_ends_the_look(
    slack: RunningSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER", "xoxb-other")
    found = examined(slack, monkeypatch, bot_token="env:OTHER", app_token=None)
    (only,) = found.values()
    assert "invalid_auth" in only.text
    assert "install the app again" in only.todo


def test_scopes_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(slack_with((*BOT_SCOPES, "users:read"))) as slack:
        found = examined(slack, monkeypatch)["Slack scopes"]
        assert (found.is_good, found.text) == (True, "complete, and not needed: users:read")
    with serving(slack_with(tuple(BOT_SCOPES - {"usergroups:read", "commands"}))) as slack:
        found = examined(slack, monkeypatch)["Slack scopes"]
        assert (found.is_good, found.text) == (False, "missing: commands, usergroups:read")
        assert "manifest.yaml" in found.todo
