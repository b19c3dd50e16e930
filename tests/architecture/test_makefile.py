import re

from tests.architecture.repository import read

TARGETS = set(re.findall(r"^([a-z][a-z-]*):", read("Makefile"), re.MULTILINE))


def _called(name: str) -> set[str]:
    """Return the targets that a file's text tells people, or a shell, to make."""
    return set(re.findall(r"(?:^|[`$|&;\"] ?)make ([a-z][a-z-]*)", read(name), re.MULTILINE))


def test_every_target_that_people_are_told_of_exists() -> None:
    assert _called("README.md") <= TARGETS
    assert _called("CONTRIBUTING.md") <= TARGETS


def test_ci_runs_the_readme_s_test_command() -> None:
    assert "test" in _called("README.md") & _called(".ci/run")
