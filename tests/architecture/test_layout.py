import sys
from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from tests.architecture.repository import ROOT

FLOW_MODULES = sorted(p.stem for p in (ROOT / "flows").glob("*.py") if not p.stem.startswith("_"))


@pytest.mark.parametrize("stem", FLOW_MODULES)
def test_no_flow_module_hides_a_library(stem: str) -> None:
    """Prefect puts flows/ first on sys.path, so a flow file's bare name must be free."""
    elsewhere = [entry for entry in sys.path if Path(entry).resolve() != ROOT / "flows"]

    assert stem not in sys.stdlib_module_names
    assert PathFinder.find_spec(stem, elsewhere) is None
