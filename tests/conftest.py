"""What every test gets: a Prefect of its own that calls nobody, and no real mesh unasked."""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

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

_MESH = Path(__file__).parent / "mesh"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in tests/mesh: no cluster is used up because a mark was forgotten."""
    for item in items:
        if item.path.is_relative_to(_MESH):
            item.add_marker(pytest.mark.mesh)


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """Run a Prefect server for the tests of flows; once, for it takes ten seconds to start."""
    # Only here: importing Prefect takes a second that the unit tests do not need.
    from prefect.testing.utilities import prefect_test_harness  # noqa: PLC0415 - see above

    with prefect_test_harness(server_startup_timeout=120):
        yield
