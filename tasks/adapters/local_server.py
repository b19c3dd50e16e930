"""
A Prefect server of our own on loopback, for runs without a deployment.

It outlives the command that started it, so that an unfinished run keeps its history and its votes,
and is started again on the same data when it is found dead. One state file says where it is; only
its owner may read that, and a process is ended only after it was recognised.
"""

import fcntl
import http.client
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

from tasks.domain.errors import RefusedError, TransientError

_HOST: Final = "127.0.0.1"
_PATIENCE: Final = timedelta(seconds=90)
_GRACE: Final = timedelta(seconds=10)
_LOOK_EVERY: Final = 0.1
_SAY_EVERY: Final = 10.0
_ANSWER_WITHIN: Final = 5.0
_PORT_TRIES: Final = 10
_LONGEST: Final = 65_536
_PROC: Final = Path("/proc")
_NEVER: Final = threading.Event()

# There are no deployments or automations here. What records events stays: the graph needs it.
_UNUSED_SERVICES: Final = ("SCHEDULER", "FOREMAN", "LATE_RUNS", "TRIGGERS")


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    """What the state file says."""

    url: str
    pid: int
    port: int


class _Settings(msgspec.Struct, frozen=True):
    """What a Prefect server says of itself, as far as it tells one from another."""

    home: str


def default_state_dir(environ: Mapping[str, str]) -> Path:
    """Return where our files are kept, when nothing else was said."""
    if own := environ.get("ISTIO_CANARY_HOME"):
        return Path(own).expanduser().absolute()
    base = Path(environ.get("XDG_STATE_HOME", ""))
    home = Path(environ["HOME"]) if environ.get("HOME") else Path.home()
    # The XDG specification has relative paths ignored.
    return (base if base.is_absolute() else home / ".local" / "state") / "istio-canary"


class LocalServer:
    """One Prefect server for one state directory and one person."""

    def __init__(
        self,
        state_dir: Path,
        *,
        environ: Mapping[str, str],
        say: Callable[[str], object] = lambda _: None,
        patience: timedelta = _PATIENCE,
        grace: timedelta = _GRACE,
    ) -> None:
        """
        Look after the server of one directory.

        `say` is told what takes time; `patience` is for the server to answer, `grace` to end.
        """
        self._dir = state_dir.absolute()
        self._home = self._dir / "prefect"
        self._file = self._dir / "server.json"
        self._log = self._dir / "server.log"
        self._environ = environ
        self._say = say
        self._patience = patience.total_seconds()
        self._grace = grace.total_seconds()
        self._child: subprocess.Popen[bytes] | None = None

    def address(self) -> str | None:
        """Return the API's address if the server lives. Changes nothing."""
        known = self._read()
        return known.url if known and self._lives(known) else None

    def ensure(self) -> str:
        """Return the address of a live API, after starting a server if there is none."""
        _make_private(self._dir)
        if url := self.address():
            return url
        with self._locked():
            known = self._read()
            if known and self._comes_back(known):
                return known.url
            return self._start(known.port if known else None)

    @contextmanager
    def used(self) -> Generator[str, None, None]:
        """Keep the server up for a block, and give its address: nobody else stops it meanwhile."""
        _make_private(self._dir)
        with _flocked(self._dir / "users.lock", fcntl.LOCK_SH):
            yield self.ensure()

    def stop_if_unused(self) -> None:
        """End the server, unless another process is using it."""
        path, how = self._dir / "users.lock", fcntl.LOCK_EX | fcntl.LOCK_NB
        with suppress(BlockingIOError), _flocked(path, how):
            self.stop()

    def stop(self) -> None:
        """End the server, if there is one, with all of its processes."""
        if not self._dir.exists():
            return
        with self._locked():
            known = self._read()
            if known and _is_ours(known):
                self._end(known)
            self._file.unlink(missing_ok=True)

    # ---- starting

    def _start(self, port_before: int | None) -> str:
        is_new = not (self._home / "prefect.db").exists()
        self._say(f"Starting a local Prefect server, in about {20 if is_new else 10} seconds")
        # Twice: somebody may take the port between our look at it and the server's.
        for preferred in (port_before, None):
            known = self._launch(_free_port(preferred))
            if self._answers_in_time(known):
                self._say(f"The local Prefect server answers at {known.url.removesuffix('/api')}")
                return known.url
            if _is_ours(known):
                self._end(known)
                raise TransientError(
                    f"the local Prefect server did not answer within {self._patience:.0f} seconds; "
                    f"its own words are in {self._log}"
                )
        raise RefusedError(
            "the local Prefect server ended as soon as it was started; its own words are in "
            f"{self._log}"
        )

    def _launch(self, port: int) -> _Known:
        self._home.mkdir(mode=0o700, exist_ok=True)
        command = [sys.executable, "-m", "prefect", "server", "start"]
        with self._fresh_log() as log:
            child = subprocess.Popen(
                [*command, "--host", _HOST, "--port", str(port)],
                env=_server_environ(self._environ, home=self._home, port=port),
                cwd=self._home,  # Prefect reads settings of the directory that it starts in
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                umask=0o077,
            )
        self._child = child
        known = _Known(url=f"http://{_HOST}:{port}/api", pid=child.pid, port=port)
        # Before it answers, so that a server whose starter was killed is found again.
        self._write(known)
        return known

    @contextmanager
    def _fresh_log(self) -> Generator[int, None, None]:
        if self._log.exists():
            self._log.replace(self._log.with_name("server.log.1"))
        descriptor = os.open(self._log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _comes_back(self, known: _Known) -> bool:
        """Whether a known server answers, if need be after a while; else it is ended."""
        if self._lives(known):
            return True
        if not _is_ours(known):
            return False
        self._say("The local Prefect server does not answer yet; waiting for it")
        if self._answers_in_time(known):
            return True
        if _is_ours(known):
            self._say("The local Prefect server does not answer; starting it again")
            self._end(known)
        return False

    def _answers_in_time(self, known: _Known) -> bool:
        started = time.monotonic()
        said = started
        while (now := time.monotonic()) < started + self._patience:
            self._reap()
            if not _is_ours(known):
                return False
            if self._answers(known):
                return True
            if now >= said + _SAY_EVERY:
                said = now
                self._say(f"Waiting for the local Prefect server ({now - started:.0f} s)")
            _NEVER.wait(_LOOK_EVERY)
        return False

    # ---- looking

    def _lives(self, known: _Known) -> bool:
        self._reap()
        return _is_ours(known) and self._answers(known)

    def _answers(self, known: _Known) -> bool:
        """Whether a Prefect API answers there, and works on our data."""
        if _get(known.port, "/api/health") != b"true":
            return False
        try:
            content = _get(known.port, "/api/admin/settings") or b""
            return msgspec.json.decode(content, type=_Settings).home == str(self._home)
        except (msgspec.DecodeError, UnicodeError):
            return False

    def _reap(self, within: float = 0) -> None:
        # A dead child of ours stays in the process table until it is asked after.
        if self._child is not None:
            with suppress(subprocess.TimeoutExpired):
                self._child.wait(within)

    def _end(self, known: _Known) -> None:
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(known.pid, number)  # it leads its session, so the group is all of it
            except ProcessLookupError:
                return
            deadline = time.monotonic() + self._grace
            while time.monotonic() < deadline:
                if not _is_ours(known):
                    self._reap(within=1)
                    return
                _NEVER.wait(_LOOK_EVERY)

    # ---- the state file

    def _read(self) -> _Known | None:
        try:
            descriptor = os.open(self._file, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise RefusedError(
                f"{self._file} cannot be read; remove it if it is not ours"
            ) from error
        try:
            self._check(os.fstat(descriptor))
            return self._parsed(os.read(descriptor, _LONGEST))
        finally:
            os.close(descriptor)

    def _check(self, found: os.stat_result) -> None:
        is_ours = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
        if not is_ours or stat.S_IMODE(found.st_mode) & 0o077:
            raise RefusedError(
                f"{self._file} could have been written or read by others; it has to be a file of "
                "ours, with mode 0600: remove it if it is not"
            )

    def _parsed(self, content: bytes) -> _Known:
        try:
            return msgspec.json.decode(content, type=_Known)
        except (msgspec.DecodeError, UnicodeError) as error:
            raise RefusedError(f"{self._file} is no state file of ours; remove it") from error

    def _write(self, known: _Known) -> None:
        draft = self._file.with_name("server.json.new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(known))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._file)

    @contextmanager
    def _locked(self) -> Generator[None, None, None]:
        path = self._dir / "server.lock"
        try:
            with _flocked(path, fcntl.LOCK_EX | fcntl.LOCK_NB):
                yield
                return
        except BlockingIOError:
            self._say("Another command starts or stops the local Prefect server; waiting for it")
        with _flocked(path, fcntl.LOCK_EX):
            yield


@contextmanager
def _flocked(path: Path, how: int) -> Generator[None, None, None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _server_environ(environ: Mapping[str, str], *, home: Path, port: int) -> dict[str, str]:
    own = {name: value for name, value in environ.items() if not name.startswith("PREFECT_")}
    origins = f"http://{_HOST}:{port},http://localhost:{port}"
    return {
        **own,
        "PREFECT_HOME": str(home),
        "PREFECT_UI_API_URL": f"http://{_HOST}:{port}/api",  # the UI is not told of --port
        "PREFECT_SERVER_UI_V2_ENABLED": "false",  # v2's page asks a host outside
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_SERVER_UI_STATIC_DIRECTORY": str(home / "ui"),  # else written beside the code
        "PREFECT_SERVER_CORS_ALLOWED_ORIGINS": origins,  # else any web page may speak to it
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        **{f"PREFECT_SERVER_SERVICES_{name}_ENABLED": "false" for name in _UNUSED_SERVICES},
    }


def _make_private(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.stat()
    except OSError as error:
        raise RefusedError(f"{folder} cannot be used to keep our files in") from error
    if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o022:
        raise RefusedError(
            f"{folder} can be written to by others; keep our files in a directory of your own, "
            "named by ISTIO_CANARY_HOME"
        )


def _free_port(preferred: int | None) -> int:
    if preferred is not None:
        # A killed process is gone a moment before its port is.
        for _ in range(_PORT_TRIES):
            if _is_free(preferred):
                return preferred
            _NEVER.wait(_LOOK_EVERY)
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError:
            return False
    return True


def _is_ours(known: _Known) -> bool:
    """Whether the process with this number is the server that we started."""
    if not (_PROC / "self").exists():
        return _may_signal(known.pid)
    entry = _PROC / str(known.pid)
    try:
        # Empty for one that is only not reaped.
        words = (entry / "cmdline").read_bytes().split(b"\0")
        owner = entry.stat().st_uid
    except OSError:
        return False
    return owner == os.geteuid() and b"prefect" in words and str(known.port).encode() in words


def _may_signal(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def _get(port: int, path: str) -> bytes | None:
    """Return the body of a 200; not through httpx, which would make a TLS context for loopback."""
    connection = http.client.HTTPConnection(_HOST, port, timeout=_ANSWER_WITHIN)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()
    return body if response.status == http.HTTPStatus.OK else None
