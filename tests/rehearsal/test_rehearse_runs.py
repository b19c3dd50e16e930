"""Whole rehearsals, as people start them."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.adapters.local_server import LocalServer
from tests.mesh.waiting import until
from tests.rehearsal.rehearsing import Rehearsals

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(
        not Path("/proc/self/environ").exists(), reason="looks for what is left behind in /proc"
    ),
]


@pytest.fixture(scope="module")
def rehearsals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsals]:
    found = Rehearsals(home=tmp_path_factory.mktemp("home"))
    yield found
    assert found.processes() == []


@pytest.fixture(scope="module")
def with_prefect(rehearsals: Rehearsals) -> Iterator[Rehearsals]:
    """Return rehearsals that find a Prefect server that others use, and leave it as it is."""
    server = LocalServer(rehearsals.home / "rehearsal", environ=os.environ)
    with server.used():
        yield rehearsals
    server.stop()


def test_a_killed_rehearsal_leaves_a_prefect_server_at_most_and_the_next_one_clears_it_away(
    rehearsals: Rehearsals,
) -> None:
    running = rehearsals.start("--yes")
    running.until_it_says("gates: start")
    os.kill(running.process.pid, signal.SIGKILL)
    running.wait()
    until(
        lambda: all("prefect server" in one for one in rehearsals.processes()),
        what="cluster and upgrade are gone",
        seconds=60,
    )

    ended = rehearsals.run("--scenario", "sleep", "--speed", "10", "--yes", "-o", "json")

    assert ended.code == 0, ended
    assert ended.document["outcome"] == "Done"
    assert "proxies: " in ended.err
    assert "sleep has ended with exit code 0, as it is meant to" in ended.err
    assert rehearsals.processes() == []


def test_attic_stops_before_the_uninstall_and_says_what_people_have_to_do(
    with_prefect: Rehearsals,
) -> None:
    ended = with_prefect.run("--scenario", "attic", "--speed", "10", "--yes", "-o", "json")

    assert ended.code == 6, ended
    story = " ".join(ended.document["todo"])
    for left in ("attic/forgotten", "attic/import", "attic/frozen", "loft/bound", "tag 'legacy'"):
        assert left in story
    assert with_prefect.processes() == []


TWO_WAVES = """\
description: A workload that will not do, and one behind it.
istio: {version: 1.28.3, revision: default}
namespaces:
  first:
    labels: {istio-injection: enabled}
    workloads: [{deployment: web, replicas: 2}]
  second:
    labels: {istio-injection: enabled}
    workloads: [{deployment: web, replicas: 2}]
faults: ["stuck-rollout:first/web"]
upgrade:
  to: 1.29.1
  waves: [[first], [second]]
  timeouts: {rollout_seconds: 5}
exit_code: 5
"""


def test_a_stuck_rollout_sends_its_wave_back_and_no_other_wave_is_touched(
    with_prefect: Rehearsals, tmp_path: Path
) -> None:
    scenario = tmp_path / "two-waves.yaml"
    scenario.write_text(TWO_WAVES)

    ended = with_prefect.run("--scenario", str(scenario), "--speed", "10", "--yes", "-o", "json")

    assert ended.code == 5, ended
    assert "first/Deployment/web did not roll out" in ended.document["text"]
    assert "second: " not in ended.err.partition("installing 1.29.1")[2]
    assert "two-waves has ended with exit code 5, as it is meant to" in ended.err
    assert with_prefect.processes() == []


def test_ctrl_c_while_slack_is_asked_ends_slack_and_gatekeeper_too(
    with_prefect: Rehearsals,
) -> None:
    running = with_prefect.start("--slack", "--keep", "--speed", "10", "-o", "json")
    running.until_it_says("Gate start waits for an answer in Slack: http://127.0.0.1:")
    assert any("deployments.cli gatekeeper" in one for one in with_prefect.processes())
    running.interrupt()
    running.until_it_says("The cluster and its Slack stay")
    assert any("deployments.cli gatekeeper" in one for one in with_prefect.processes())
    running.interrupt()

    ended = running.wait(60)

    assert ended.code == 130, ended
    assert ended.document["outcome"] == "Interrupted"
    assert with_prefect.processes() == []


def test_ctrl_c_ends_the_upgrade_and_everything_that_was_started(with_prefect: Rehearsals) -> None:
    running = with_prefect.start("--yes")
    running.until_it_says("is ready and injects")
    running.interrupt()

    ended = running.wait(60)

    assert ended.code == 130, ended
    assert with_prefect.processes() == []
