"""
The table of the contract, as it stands in README.md: `python -m tests.contract.table` writes it.

It is made from the names of the checks, so that it can claim nothing that is not checked.
"""

import importlib
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Final

from tests.contract import test_injection
from tests.contract.client import Json

README: Final = Path(__file__).with_name("README.md")
BEGINNING: Final = "<!-- The table begins here; `python -m tests.contract.table` writes it. -->\n"
_APART: Final = {"test_proofs", "test_table"}
_PRECEDENCE: Final = "test_the_table_of_precedence"
Row = tuple[str, int]  # what is so, and in how many cases


def text() -> str:
    """Return the whole table."""
    groups = {_title(module): list(_rows(module)) for module in _modules()}
    count = sum(cases for rows in groups.values() for _, cases in rows)
    parts = [f"{count} checks.\n"]
    for title, rows in groups.items():
        cases = sum(cases for _, cases in rows)
        parts.append(f"\n### {title} ({cases})\n\n")
        parts.extend(f"- {said}{f' ({number} cases)' * (number > 1)}\n" for said, number in rows)
    return "".join([*parts, "\n### Who injects a pod\n\n", *_precedence()])


def _modules() -> Iterator[ModuleType]:
    for path in sorted(Path(__file__).parent.glob("test_*.py")):
        if path.stem not in _APART:
            yield importlib.import_module(f"tests.contract.{path.stem}")


def _title(module: ModuleType) -> str:
    """Return the subject of a module: its docstring's first words."""
    return (module.__doc__ or "").strip().partition(":")[0].partition("\n")[0].rstrip(".")


def _rows(module: ModuleType) -> Iterator[Row]:
    for name, check in vars(module).items():
        if name.startswith("test_") and check.__module__ == module.__name__:
            yield _said(name), _cases(check)


def _said(name: str) -> str:
    words = name.removeprefix("test_").replace("_", " ").replace(" s ", "'s ")
    return words[0].upper() + words[1:] + "."


def _cases(check: Callable[..., None]) -> int:
    marks = getattr(check, "pytestmark", [])
    return math.prod(len(mark.args[1]) for mark in marks if mark.name == "parametrize")


def _precedence() -> Iterator[str]:
    pods = list(test_injection.PODS)
    yield "The default is 1-28-3, the tag `prod` is 1-29-1.\n\n"
    yield f"| namespace | {' | '.join(pods)} |\n"
    yield f"|{' --- |' * (len(pods) + 1)}\n"
    for labels, expected in test_injection.TABLE:
        cells = [revision or "-" for revision in expected]
        yield f"| {_words(labels)} | {' | '.join(cells)} |\n"


def _words(labels: Mapping[str, Json]) -> str:
    return ", ".join(f"{key}={value}" for key, value in labels.items()) or "none"


def main() -> None:
    """Write the table into the README."""
    before = README.read_text().partition(BEGINNING)[0]
    README.write_text(f"{before}{BEGINNING}\n{text()}")


if __name__ == "__main__":
    main()
