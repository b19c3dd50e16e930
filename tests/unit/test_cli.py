"""The command line: its help teaches, and bad input is a sentence, an exit code and a document."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from deployments.cli import app
from tests.architecture.repository import read

BAD_INPUT = 2

ANYWHERE = ["--kubeconfig", "--context", "--istio-namespace", "--output"]
DECIDING = [*ANYWHERE, "--reason"]
PLANNING = [
    *ANYWHERE,
    *("--to", "--from", "--revision", "--istioctl", "--filename", "--set", "--wave", "--gates"),
    *("--keep-old", "--override", "--parameters"),
]
FLAGS = {
    "plan": PLANNING,
    "upgrade": [*PLANNING, "--yes"],
    "status": [*ANYWHERE, "--watch"],
    "approve": DECIDING,
    "reject": DECIDING,
    "hold": DECIDING,
    "resume": DECIDING,
    "abort": DECIDING,
    "rollback": [*ANYWHERE, "--istioctl"],
    "audit": ANYWHERE,
    "doctor": [*ANYWHERE, "--istioctl", "--to"],
}


def run(*arguments: str) -> Result:
    wide = {"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}
    return CliRunner().invoke(app, arguments, prog_name="istio-canary", env=wide)


def words(text: str) -> set[str]:
    """Return the words of a help page; of a table's cells, without its lines."""
    return set(re.findall(r"[\w-]+", text))


def assert_told(ended: Result, sentence: str) -> None:
    """Insist on exit code 2, one document that says why, and the same for people on stderr."""
    assert ended.exit_code == BAD_INPUT, ended.output
    document = json.loads(ended.stdout)
    assert document["schema"] == "istio-canary/report/v1"
    assert document["outcome"] == "BadInput"
    assert document["exit_code"] == BAD_INPUT
    assert sentence in document["text"]
    assert sentence in ended.stderr
    assert "Traceback" not in ended.output


# ---------------------------------------------------------------- help


def test_help_names_every_command_and_every_exit_code() -> None:
    ended = run("--help")
    assert ended.exit_code == 0
    assert set(FLAGS) <= words(ended.stdout)
    told = " ".join(ended.stdout.split())
    for code in ("0 done", "1 unexpected", "2 bad input", "3 blocked", "4 rejected"):
        assert code in told
    for code in ("5 rolled back", "6 stopped in between", "130 interrupted"):
        assert code in told


@pytest.mark.parametrize("command", FLAGS)
def test_a_command_s_help_names_all_its_flags(command: str) -> None:
    ended = run(command, "--help")
    assert ended.exit_code == 0
    assert set(FLAGS[command]) <= words(ended.stdout)


@pytest.mark.parametrize(
    ("command", "short"),
    [("plan", "-p"), ("plan", "-f"), ("upgrade", "-o"), ("status", "-w"), ("doctor", "-h")],
)
def test_short_flags_are_named_too(command: str, short: str) -> None:
    assert short in words(run(command, "--help").stdout)


@pytest.mark.parametrize("command", FLAGS)
def test_the_help_asked_for_in_short_is_the_same(command: str) -> None:
    assert run(command, "-h").stdout == run(command, "--help").stdout


def test_no_command_at_all_gets_the_help() -> None:
    assert "Usage: istio-canary" in run().output


@pytest.mark.parametrize("command", FLAGS)
def test_the_readme_names_every_command(command: str) -> None:
    assert command in words(read("README.md"))


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize("command", ["plan", "upgrade"])
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        pytest.param([], "--to is missing", id="no version at all"),
        pytest.param(
            ["--to", "latest"],
            "an Istio version looks like 1.29.1, not 'latest'",
            id="something else than a version",
        ),
        pytest.param(["--to", "1.29.1", "--gates", "lunch"], "not 'lunch'", id="no gate of ours"),
        pytest.param(["--to", "1.29.1", "--wave", ""], "--wave number 1", id="an empty wave"),
        pytest.param(
            ["--to", "1.29.1", "--wave", "shop", "--wave", "bank,shop"],
            "namespace shop is in wave 1 and again in wave 2",
            id="overlapping waves",
        ),
        pytest.param(
            ["--to", "1.29.1", "--set", "tag"], "--set takes PATH=VALUE, not 'tag'", id="no value"
        ),
        pytest.param(
            ["--to", "1.29.1", "--revision", "1.29.1"], "'1.29.1'", id="no DNS label as revision"
        ),
        pytest.param(
            ["--to", "1.29.1", "-p", "/nowhere/file"],
            "--parameters /nowhere/file cannot be read",
            id="no parameters file",
        ),
        pytest.param(
            ["--to", "1.29.1", "-f", "/nowhere/overlay"],
            "--filename /nowhere/overlay cannot be read",
            id="no overlay",
        ),
        pytest.param(
            ["--to", "1.29.1", "--kubeconfig", "/nowhere/config"],
            "there is no kubeconfig /nowhere/config",
            id="no kubeconfig",
        ),
    ],
)
def test_a_wrong_wish_is_told(command: str, arguments: list[str], sentence: str) -> None:
    assert_told(run(command, *arguments, "-o", "json"), sentence)


NEED_NO_VERSION = sorted(FLAGS.keys() - {"plan", "upgrade"})


@pytest.mark.parametrize("command", NEED_NO_VERSION)
def test_a_kubeconfig_that_is_not_there_is_told(command: str) -> None:
    ended = run(command, "--kubeconfig", "/nowhere/config", "-o", "json")
    assert_told(ended, "there is no kubeconfig /nowhere/config")


@pytest.mark.parametrize("command", NEED_NO_VERSION)
def test_a_context_that_is_not_there_is_told_with_those_that_are(
    command: str, tmp_path: Path
) -> None:
    ended = run(command, "--kubeconfig", _kubeconfig(tmp_path), "--context", "prod", "-o", "json")
    assert_told(ended, "has no context 'prod'; it has staging")


@pytest.mark.parametrize("command", NEED_NO_VERSION)
def test_an_api_server_that_nobody_answers_at_is_told(command: str, tmp_path: Path) -> None:
    ended = run(command, "--kubeconfig", _kubeconfig(tmp_path), "-o", "json")
    assert_told(ended, "the cluster cannot be reached: the API server 127.0.0.1:1 did not answer")


def _kubeconfig(folder: Path) -> str:
    """Write a kubeconfig for an address where nothing listens."""
    file = folder / "config"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "staging", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "staging",
    }
    file.write_text(json.dumps(config), encoding="utf-8")
    file.chmod(0o600)
    return str(file)


def test_people_get_the_sentence_alone() -> None:
    ended = run("plan", "--to", "latest")
    assert ended.exit_code == BAD_INPUT
    assert ended.stdout == ""
    assert ended.stderr == "BadInput: an Istio version looks like 1.29.1, not 'latest'\n"


def test_a_flag_that_there_is_not_is_bad_input() -> None:
    ended = run("plan", "--force")
    assert ended.exit_code == BAD_INPUT
    assert "--force" in ended.stderr
