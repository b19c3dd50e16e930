"""A rehearsal whose gates are asked in Slack says where, and why it cannot."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.rehearsal.errors import BrokenError
from deployments.rehearsal.rehearsing.gatekeeper import Gatekeeper
from deployments.rehearsal.rehearsing.in_slack import gates_in_slack, pointing_to
from deployments.rehearsal.slack.running import RunningSlack
from deployments.rehearsal.slack.serving import serving


@pytest.fixture(scope="module")
def slack() -> Iterator[RunningSlack]:
    with serving() as running:
        yield running


def gatekeeper(folder: Path, config: dict[str, object], said: list[str]) -> Gatekeeper:
    url = {"PREFECT_API_URL": "http://127.0.0.1:1/api"}
    return Gatekeeper(config, folder=folder, home=folder, environment_too=url, say=said.append)


def test_the_terminal_says_at_each_gate_where_it_is_decided(slack: RunningSlack) -> None:
    said: list[str] = []
    say = pointing_to(slack, said.append)

    say("run 1-29-1-abcde")
    say("gate wave-2 waits for 1 approval(s) of plan 2bbc8d692db5, until tomorrow")

    assert said[0] == "run 1-29-1-abcde"
    assert said[2:] == [f"Gate wave-2 waits for an answer in Slack: {slack.page}"]


def test_a_scenario_s_own_approvers_stay_and_others_are_the_group_s(slack: RunningSlack) -> None:
    own = gates_in_slack({"gates": {"approvers": ["slack:T0REHEARSE/U0BOB"], "quorum": 1}}, slack)
    others = gates_in_slack({"to": "1.29.1", "gates": {"at": ["start"]}}, slack)

    assert own["gates"]["approvers"] == ["slack:T0REHEARSE/U0BOB"]
    assert others["to"] == "1.29.1"
    assert others["gates"] == {"approvers": ["slack-group:T0REHEARSE/S0ADMINS"], "at": ["start"]}


def test_a_gatekeeper_that_cannot_start_says_why_though_it_prints_a_document(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    refused = gatekeeper(tmp_path, {"clusters": []}, said)
    try:
        with pytest.raises(BrokenError, match=r"the gatekeeper has ended: .*clusters: "):
            refused.await_up()
    finally:
        refused.stop()

    assert said == []
