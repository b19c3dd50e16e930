"""The README's table is the one of the checks."""

from tests.contract.table import BEGINNING, README, text


def test_the_table_in_the_readme_is_the_one_of_the_checks() -> None:
    _, _, written = README.read_text().partition(BEGINNING)

    assert written.strip() == text().strip(), "write it with: python -m tests.contract.table"
