"""`doctor --slack`: what the gatekeeper's file names is there in Slack, or it is said what is missing."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from deployments.cli_doctor import examined
from deployments.rehearsal.slack.running import RunningSlack
from deployments.rehearsal.slack.serving import serving
from deployments.rehearsal.slack.workspace import ADMINS, RANDOM, TEAM, UPGRADES
from tasks.domain.access import Denied, Permission
from tasks.settings import Settings
from tasks.wiring import using
from tests.fakes import FakeCluster, services
from tests.unit.plan_cases import mesh


class FakeAccess:
    """A cluster that keeps no Secret of ours."""

    def whoami(self) -> str:
        return "ann"

    def denied(self, permissions: Sequence[Permission]) -> Sequence[Denied]:
        return ()

    def secret(self, namespace: str, name: str, key: str) -> bytes:
        raise AssertionError


@pytest.fixture
def slack() -> Iterator[RunningSlack]:
    with serving() as running:
        yield running


def examine(slack: RunningSlack, folder: Path, **cluster: object) -> dict[str, tuple[bool, str]]:
    tokens = {}
    for name in ("bot_token", "app_token"):
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(getattr(slack.app, name))
        tokens[name] = f"file:{path}"
    config = folder / "gatekeeper.yaml"
    clusters = [{"name": "eu", "channel": UPGRADES.id, **cluster}]
    config.write_text(
        json.dumps({"clusters": clusters, "slack": {"api_url": slack.api_url, **tokens}})
    )
    settings = Settings(
        home=folder, prefect_api_url=None, prefect_auth=None, prefect_api_key=None, process="me"
    )
    made = replace(services(cluster=FakeCluster(mesh())), access=FakeAccess())
    with using(made):
        found = examined(settings, "ann", to=None, istioctl=[], slack=config)
    return {one.what: (one.is_good, f"{one.text} {one.todo}") for one in found.checks}


def approvers(group: str) -> dict[str, object]:
    return {"upgrade": {"gates": {"approvers": [f"slack-group:{TEAM}/{group}"]}}}


def test_everything_is_in_order_in_a_workspace_that_was_set_up(
    slack: RunningSlack, tmp_path: Path
) -> None:
    found = examine(slack, tmp_path, **approvers(ADMINS.id))
    of_slack = {what: one for what, one in found.items() if "Slack" in what or "C0" in what}
    assert len(of_slack) >= 4, found
    assert [what for what, (is_good, _) in of_slack.items() if not is_good] == []


def test_a_channel_that_the_bot_was_not_invited_to_is_named(
    slack: RunningSlack, tmp_path: Path
) -> None:
    found = examine(slack, tmp_path, channel=RANDOM.id)
    ((is_good, text),) = (one for what, one in found.items() if RANDOM.id in what)
    assert not is_good
    assert "invite" in text


def test_a_group_that_is_not_there_is_named(slack: RunningSlack, tmp_path: Path) -> None:
    found = examine(slack, tmp_path, **approvers("S0NOBODY"))
    ((is_good, _),) = (one for what, one in found.items() if "S0NOBODY" in what)
    assert not is_good
