"""What a process takes from its environment."""

import os
import socket
from pathlib import Path

import pytest

from tasks.settings import Settings


def test_state_is_kept_where_the_environment_says(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ISTIO_CANARY_HOME", str(tmp_path))

    assert Settings.read().home == tmp_path


def test_a_process_names_its_machine_and_itself_and_is_never_taken_for_another() -> None:
    first, second = Settings.read().process, Settings.read().process

    assert first.startswith(f"{socket.gethostname()}/{os.getpid()}/")
    assert first != second


def test_an_own_server_gets_no_credentials_of_another() -> None:
    theirs = Settings(
        home=Path("/home/ann"),
        prefect_api_url="https://prefect.test/api",
        prefect_auth="ann:secret",
        prefect_api_key="key",
        process="host/1/me",
    )

    ours = theirs.with_own_server("http://127.0.0.1:4242/api")

    assert ours == Settings(
        home=Path("/home/ann"),
        prefect_api_url="http://127.0.0.1:4242/api",
        prefect_auth=None,
        prefect_api_key=None,
        process="host/1/me",
        is_own_server=True,
    )
    assert not theirs.is_own_server
