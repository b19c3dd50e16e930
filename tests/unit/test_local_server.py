"""The local server without Prefect: where files go, what is refused, whose process is ended."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from tasks.adapters.local_server import LocalServer, default_state_dir
from tasks.domain.errors import RefusedError, TransientError

# Stands in for `python -m prefect server start`: says its settings, then ends at once.
BROKEN_PREFECT = """
import json, os, sys
print(json.dumps({"argv": sys.argv[1:], "environ": dict(os.environ), "cwd": os.getcwd()}))
sys.exit(3)
"""


def with_prefect(folder: Path, program: str) -> dict[str, str]:
    """Return an environment in which `python -m prefect` is this program."""
    (folder / "prefect").mkdir(parents=True)
    (folder / "prefect" / "__init__.py").touch()
    (folder / "prefect" / "__main__.py").write_text(program)
    return {
        "PYTHONPATH": str(folder),
        "PATH": os.environ["PATH"],
        "PREFECT_API_KEY": "not passed on",
    }


def state_file(folder: Path, *, pid: int, port: int = 1, mode: int = 0o600) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / "server.json"
    path.write_bytes(
        msgspec.json.encode({"url": f"http://127.0.0.1:{port}/api", "pid": pid, "port": port})
    )
    path.chmod(mode)
    return path


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """Somebody else's process, which got the number of a server that is gone."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        yield process
        process.kill()


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"ISTIO_CANARY_HOME": "/a", "XDG_STATE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"XDG_STATE_HOME": "/b", "HOME": "/c"}, "/b/istio-canary"),
        ({"XDG_STATE_HOME": "b", "HOME": "/c"}, "/c/.local/state/istio-canary"),
        ({"HOME": "/c"}, "/c/.local/state/istio-canary"),
    ],
)
def test_the_state_directory_is_where_people_expect_it(
    environ: dict[str, str], expected: str
) -> None:
    assert default_state_dir(environ) == Path(expected)


def test_who_only_looks_makes_nothing(tmp_path: Path) -> None:
    server = LocalServer(tmp_path / "state", environ={})
    assert server.address() is None
    server.stop()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o606])
def test_a_state_file_that_others_can_touch_is_refused(tmp_path: Path, mode: int) -> None:
    state_file(tmp_path / "state", pid=os.getpid(), mode=mode)
    with pytest.raises(RefusedError, match="mode 0600"):
        LocalServer(tmp_path / "state", environ={}).address()


def test_a_state_file_that_is_a_link_or_rubbish_is_refused(tmp_path: Path) -> None:
    path = state_file(tmp_path / "elsewhere", pid=1)
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "server.json").symlink_to(path)
    with pytest.raises(RefusedError, match="remove it"):
        LocalServer(state, environ={}).address()
    (state / "server.json").unlink()
    (state / "server.json").touch(mode=0o600)
    with pytest.raises(RefusedError, match="no state file of ours"):
        LocalServer(state, environ={}).address()


def test_a_directory_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state").chmod(0o777)
    with pytest.raises(RefusedError, match="ISTIO_CANARY_HOME"):
        LocalServer(tmp_path / "state", environ={}).ensure()


def test_a_process_that_only_has_the_number_is_left_alone(
    tmp_path: Path, stranger: subprocess.Popen[bytes]
) -> None:
    path = state_file(tmp_path / "state", pid=stranger.pid)
    server = LocalServer(tmp_path / "state", environ={})
    assert server.address() is None
    server.stop()
    assert stranger.poll() is None
    assert not path.exists()


def test_a_server_that_ends_at_once_is_reported_with_its_log(tmp_path: Path) -> None:
    environ = with_prefect(tmp_path / "lib", BROKEN_PREFECT)
    state = tmp_path / "state"
    with pytest.raises(RefusedError, match=r"server\.log"):
        LocalServer(state, environ=environ).ensure()
    assert state.stat().st_mode & 0o777 == 0o700
    assert (state / "server.log").stat().st_mode & 0o777 == 0o600
    said = msgspec.json.decode((state / "server.log").read_bytes())
    assert said["argv"][:4] == ["server", "start", "--host", "127.0.0.1"]
    assert said["cwd"] == said["environ"]["PREFECT_HOME"] == str(state / "prefect")
    port = said["argv"][-1]
    assert said["environ"]["PREFECT_UI_API_URL"] == f"http://127.0.0.1:{port}/api"
    assert said["environ"]["PREFECT_SERVER_ANALYTICS_ENABLED"] == "false"
    assert "PREFECT_API_KEY" not in said["environ"]


def test_the_port_of_before_is_taken_again_unless_somebody_has_it(tmp_path: Path) -> None:
    environ = with_prefect(tmp_path / "lib", BROKEN_PREFECT)
    state = tmp_path / "state"
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        port = int(busy.getsockname()[1])
        state_file(state, pid=2**22 - 1, port=port)
        with pytest.raises(RefusedError):
            LocalServer(state, environ=environ).ensure()
        assert first_port(state) != port
    state_file(state, pid=2**22 - 1, port=port)
    with pytest.raises(RefusedError):
        LocalServer(state, environ=environ).ensure()
    assert first_port(state) == port


def first_port(state: Path) -> int:
    """Return the port of the first of the two tries; the second made the first's log the older."""
    said = msgspec.json.decode((state / "server.log.1").read_bytes())
    return int(said["argv"][-1])


def test_a_server_that_never_answers_is_ended_though_it_ignores_the_request(
    tmp_path: Path,
) -> None:
    deaf = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)\n"
    environ = with_prefect(tmp_path / "lib", deaf)
    said: list[str] = []
    server = LocalServer(
        tmp_path / "state",
        environ=environ,
        say=said.append,
        patience=timedelta(seconds=0.5),
        grace=timedelta(seconds=0.3),
    )
    with pytest.raises(TransientError, match="did not answer within"):
        server.ensure()
    pid = msgspec.json.decode((tmp_path / "state" / "server.json").read_bytes())["pid"]
    with pytest.raises(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    assert said[0].startswith("Starting a local Prefect server")
