"""What the README says of rehearsals and of Slack is so: the real code reads its examples."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main
import yaml

from deployments.cli import app
from deployments.gatekeeper.config import ClusterConfig, GatekeeperConfig, SlackConfig, read_config
from deployments.gatekeeper.words import parse_wish
from deployments.rehearsal.faults.kinds import KINDS
from deployments.rehearsal.scenario import parsing
from tasks.domain.parameters import Deciding, parse

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SLACK = README.partition("## People decide in Slack")[2].partition("\n## ")[0]
COMMANDS = [
    re.sub(r"\s+#.*", "", line)
    for line in re.findall(r"^(?:\.venv/bin/)?istio-canary .*", README, re.MULTILINE)
]


def test_its_table_has_each_fault_that_there_is_and_no_other() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+(?::[A-Z/]+)?)` \|", README, re.MULTILINE)

    assert [row for row in rows if row.partition(":")[0] in KINDS] == [
        kind.shape for kind in KINDS.values()
    ]


def test_its_scenario_is_one() -> None:
    example = re.search(r"```\n(description: .*?)```", README, re.DOTALL)
    assert example is not None

    scenario = parsing.parse(example[1], file="README.md", source=Path("README.yaml"))

    assert scenario.pods == 2000


@pytest.mark.parametrize("line", COMMANDS)
def test_its_commands_are_understood(line: str) -> None:
    name, *words = shlex.split(line)[1:]
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    if name == "--help":
        return

    assert group.commands[name].make_context(name, words).params


def test_its_gatekeeper_s_file_is_one_and_shows_every_field(tmp_path: Path) -> None:
    example = re.search(r"```yaml\n(clusters:.*?)```", SLACK, re.DOTALL)
    assert example is not None
    file = tmp_path / "gatekeeper.yaml"
    file.write_text(example[1])

    config = read_config(file)

    assert config.slack == SlackConfig()
    upgrade = parse({"to": "1.29.1", **config.clusters[0].upgrade})
    assert upgrade.gates.signing_key == config.signing_key
    written = yaml.safe_load(example[1])
    assert written.keys() == GatekeeperConfig.model_fields.keys()
    assert written["slack"].keys() == SlackConfig.model_fields.keys()
    assert written["clusters"][0].keys() == ClusterConfig.model_fields.keys()


def test_its_policies_are_parameters() -> None:
    examples = re.findall(r"```yaml\n(to: .*?)```", README, re.DOTALL)
    assert len(examples) == 2

    for example in examples:
        parse(yaml.safe_load(example))


def test_it_explains_each_field_of_a_policy_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \| (\S*) ?\|$", SLACK, re.MULTILINE)
    defaults = {name: field.get_default() for name, field in Deciding.model_fields.items()}

    assert dict(rows).keys() == defaults.keys()
    for name, told in rows:
        if told:
            assert told == str(defaults[name]).removesuffix(".0").lower()


def test_its_slash_commands_are_understood() -> None:
    typed = re.findall(r"^/istio-canary (.*)", SLACK, re.MULTILINE)

    assert {parse_wish(one).verb for one in typed} >= {"status", "approve", "reject", "rollback"}


def test_the_pictures_are_there() -> None:
    pictures = re.findall(r"!\[.*?\]\((.*?)\)", README)

    assert [one for one in pictures if not (ROOT / one).is_file()] == []
