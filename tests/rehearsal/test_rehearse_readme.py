"""What the README says of rehearsals is so."""

import re
from pathlib import Path

from deployments.rehearsal.faults.kinds import KINDS
from deployments.rehearsal.scenario import parsing

README = (Path(__file__).parents[2] / "README.md").read_text()


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
