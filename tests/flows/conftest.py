"""What the tests of flows share."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[None]:
    """Run a Prefect server for the tests of flows; once, for it takes ten seconds to start."""
    # Only here: who hands the tests to the workers loads this file, and has no use for Prefect.
    from prefect.testing.utilities import prefect_test_harness  # noqa: PLC0415 - see above

    with prefect_test_harness(server_startup_timeout=120):
        yield
