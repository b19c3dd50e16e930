import re
import tomllib
from importlib.metadata import packages_distributions

import pytest

from tests.architecture.repository import read


@pytest.mark.parametrize("name", ["flows", "tasks", "deployments"])
def test_our_import_names_are_ours_alone(name: str) -> None:
    """A second distribution may overwrite `tasks/`, and pip says no word."""
    assert set(packages_distributions().get(name, [])) <= {"istio-canary"}


def test_the_application_cannot_be_uploaded_by_mistake() -> None:
    project = tomllib.loads(read("pyproject.toml"))["project"]

    assert "Private :: Do Not Upload" in project["classifiers"]


def test_the_changelog_knows_the_version() -> None:
    version = tomllib.loads(read("pyproject.toml"))["project"]["version"]
    newest = re.findall(r"^## \[([^\]]+)\]", read("CHANGELOG.md"), re.MULTILINE)[0]

    assert newest in {"Unreleased", version}
