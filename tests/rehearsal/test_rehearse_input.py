"""What cannot be rehearsed is told in a sentence, with exit code 2, before anything runs."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deployments.cli import app


def rehearse(*words: str) -> Result:
    return CliRunner().invoke(app, ["rehearse", *words])


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


@pytest.fixture
def wrong(tmp_path: Path) -> Path:
    path = tmp_path / "wrong.yaml"
    path.write_text("description: x\nistio: {}\nupgrade: {to: 1.29.1, wavs: []}\n")
    return path


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        pytest.param(["--scenario", "slepe"], "there is no such scenario; there are attic",
                     id="a scenario that is not there"),
        pytest.param(["--fault", "flood:web"], "there is no such fault", id="no such fault"),
        pytest.param(["--fault", "stuck-rollout:test-ns/slep"], "there are: test-ns/sleep",
                     id="a fault of nobody"),
        pytest.param([], "give --yes to approve them all", id="gates and no terminal"),
        pytest.param(["--serve-only", "--yes"], "--serve-only runs no upgrade; leave --yes out",
                     id="an answer and no question"),
        pytest.param(["--serve-only", "--slack"], "--serve-only runs no upgrade; leave --slack out",
                     id="a Slack and no gate"),
        pytest.param(["--slack", "--yes"], "--slack lets people decide on its page; leave --yes",
                     id="answers and a page to answer on"),
        pytest.param(["--yes", "--slack-port", "8000"], "give --slack, too",
                     id="the port of a page that nobody asked for"),
        pytest.param(["--yes", "--kubeconfig", "/nowhere/at/all"], "there is no folder /nowhere/at",
                     id="a folder that is not there"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_told_in_a_sentence(words: list[str], complaint: str) -> None:
    ended = rehearse(*words)

    assert ended.exit_code == 2
    assert complaint in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_scenario_s_upgrade_is_checked_as_any_parameters_file_is(wrong: Path) -> None:
    ended = rehearse("--scenario", str(wrong), "--yes", "-o", "json")

    assert ended.exit_code == 2
    assert json.loads(ended.stdout)["outcome"] == "BadInput"
    assert f"{wrong}: upgrade: wavs" in ended.stderr


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("flood:web", "flood:web: there is no such fault"),
        ("stuck-rollout:a/b", "stuck-rollout:a/b: odd has no a/b"),
        ("api-409@soon", "api-409@soon: @SECONDS takes a number"),
    ],
)
def test_a_scenario_s_own_fault_is_refused_by_file_line_and_field(
    tmp_path: Path, fault: str, complaint: str
) -> None:
    path = tmp_path / "odd.yaml"
    head = "description: x\nistio: {}\nupgrade: {to: 1.29.1}\n"
    path.write_text(f"{head}faults:\n  - api-409\n  - {fault}\n")

    ended = rehearse("--scenario", str(path), "--yes")

    assert ended.exit_code == 2
    assert f"{path}, line 6: faults[1]: {complaint}" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_file_that_leads_to_another_cluster_is_not_written_over(tmp_path: Path) -> None:
    precious = tmp_path / "config"
    precious.write_text("the way to production")

    ended = rehearse("--serve-only", "--kubeconfig", str(precious))

    assert ended.exit_code == 2
    assert "is there already" in ended.stderr
    assert precious.read_text() == "the way to production"


def test_a_port_in_use_is_told_as_such(taken_port: int) -> None:
    ended = rehearse("--serve-only", "--port", str(taken_port))

    assert ended.exit_code == 2
    assert f"--port {taken_port} is in use" in ended.stderr


def test_a_port_in_use_is_told_before_anything_is_started_for_slack(taken_port: int) -> None:
    ended = rehearse("--slack", "--slack-port", str(taken_port))

    assert ended.exit_code == 2
    assert f"--slack-port {taken_port} is in use" in ended.stderr
    assert "Prefect" not in ended.stderr
