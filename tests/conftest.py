"""
What every test gets: a Prefect of its own that calls nobody, and no real mesh unasked.

`make test` has several workers; what each of them takes as a whole is decided here.
"""

import atexit
import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

import hypothesis
import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

# Prefect reads these when it is imported, so they come first. A home of its own keeps the person's
# profile, which may point at a real server, out of reach.
_PREFECT_HOME = tempfile.mkdtemp(prefix="istio-canary-tests-")
atexit.register(shutil.rmtree, _PREFECT_HOME, ignore_errors=True)
os.environ.update(
    PREFECT_HOME=_PREFECT_HOME,
    PREFECT_SERVER_ANALYTICS_ENABLED="false",
    DO_NOT_TRACK="1",
)
for _name in ("PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_PROFILE"):
    os.environ.pop(_name, None)

# How long one example takes says more of the machine than of the code.
hypothesis.settings.register_profile("ours", deadline=None)
hypothesis.settings.load_profile("ours")

_MESH = Path(__file__).parent / "mesh"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in tests/mesh: no cluster is used up because a mark was forgotten."""
    for item in items:
        if item.path.is_relative_to(_MESH):
            item.add_marker(pytest.mark.mesh)
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


class _Workers(LoadScopeScheduling):  # type: ignore[misc]
    """
    Gives each worker whole files, in which tests may share what they start.

    A folder with a conftest.py is not divided either: that starts a server once for all its files.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.partition("::")[0])
        folder = file.parent
        return str(folder if (self.config.rootpath / folder / "conftest.py").exists() else file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> _Workers:
    """Divide the tests among workers, if there are any."""
    config.option.loadscopereorder = False  # the long ones are first, see above
    return _Workers(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many rows of the contract hold, and on which cluster; see contract/conftest.py."""
    reports = terminalreporter.getreports("passed")
    held = Counter(dict(report.user_properties).get("contract") for report in reports)
    for where, count in held.items():
        if where is not None:
            terminalreporter.write_line(f"contract: {count} rows held on {where}")
