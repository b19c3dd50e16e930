"""A rehearsal whose gates are asked in Slack, and a browser that looks at it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.adapters.local_server import LocalServer
from tests.browser.chromium import Tab, chromium, found
from tests.rehearsal.rehearsing import Rehearsals


@pytest.fixture(scope="session")
def rehearsals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsals]:
    """Return rehearsals with one Prefect server for them all, which takes long to start."""
    made = Rehearsals(home=tmp_path_factory.mktemp("home"))
    server = LocalServer(made.home / "rehearsal", environ=os.environ)
    with server.used():
        yield made
    server.stop()
    assert made.processes() == []


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[Tab]:
    """Return a browser's page. Its last picture is in the test's folder, for when it fails."""
    program = found()
    assert program is not None, "there is no Chromium: apt-get install chromium"
    with chromium(program, tmp_path) as made:
        made.resize(1280, 900)
        yield made
        made.picture(tmp_path / "last.png")
