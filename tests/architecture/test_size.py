import ast
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT, modules

LONGEST_FILE = 400
LONGEST_FUNCTION = 50
MODULES = modules("deployments", "flows", "tasks")


def _lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_can_be_read_in_one_sitting(path: Path) -> None:
    text = path.read_text()
    too_long = {
        node.name: _lines(node)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and _lines(node) > LONGEST_FUNCTION
    }

    assert not too_long
    assert len(text.splitlines()) <= LONGEST_FILE
