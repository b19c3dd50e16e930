"""
Runs a child program that must outlive neither its owner nor its permission.

Two halves of one agreement. `run` starts this very file as a supervisor whose stdin is a pipe that
nobody ever writes to. The supervisor starts the program in a process group of its own, and kills
that group once the pipe closes, which the kernel sees to however the owner dies, or once the time
is over.

The standard library only, for it is loaded anew for every command. Knows nothing of Istio; the one
error that it passes on is what the owner's `check` raises.
"""

import ctypes
import os
import select
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, Final, NamedTuple, cast

TIMED_OUT: Final = 124
NOT_STARTED: Final = 127
ABANDONED: Final = 143  # the owner died, or let go

_GRACE: Final = 2.0  # seconds between asking and killing
_STEP: Final = 0.02  # how often the supervisor looks
_POLL: Final = 0.5  # how often the owner asks for its permission
_CHUNK: Final = 65536
_PR_SET_PDEATHSIG: Final = 1


class Finished(NamedTuple):
    """How a program ended."""

    code: int  # 128 and more: by the signal of that number less 128
    stdout: bytes
    stderr: bytes
    is_cut: bool  # it said more than was kept


# ---------------------------------------------------------------- the owner's half


def run(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    seconds: float,
    check: Callable[[], None],
    most: int = 64 * 1024 * 1024,
) -> Finished:
    """
    Run a program to its end; of each of its streams `most` bytes are kept.

    Raises what `check` raises, which is asked every half second. By then nothing of the program's
    process group is left.
    """
    check()
    with subprocess.Popen(
        [sys.executable, "-I", "-S", __file__, str(seconds), "--", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(environment),
        start_new_session=True,  # Ctrl-C at the terminal is for the owner to hear
    ) as supervisor:
        try:
            stdout, stderr = _hear(supervisor, check, most)
        finally:
            _let_go(supervisor)
    is_cut = len(stdout) > most or len(stderr) > most
    code = _as_shells_say(supervisor.returncode)
    return Finished(code, bytes(stdout[:most]), bytes(stderr[:most]), is_cut)


def _hear(
    supervisor: subprocess.Popen[bytes], check: Callable[[], None], most: int
) -> tuple[bytearray, bytearray]:
    heard = bytearray(), bytearray()
    pipes = cast("tuple[IO[bytes], IO[bytes]]", (supervisor.stdout, supervisor.stderr))
    next_check = time.monotonic() + _POLL
    with selectors.DefaultSelector() as selector:
        for pipe, said in zip(pipes, heard, strict=True):
            selector.register(pipe, selectors.EVENT_READ, said)
        while selector.get_map():
            is_over = supervisor.poll() is not None
            ready = selector.select(_POLL)
            for key, _ in ready:
                _hear_from(key, selector, most)
            if is_over and not ready:
                break  # somebody who left the group holds the pipes open
            if time.monotonic() >= next_check:
                check()
                next_check = time.monotonic() + _POLL
    return heard


def _hear_from(key: selectors.SelectorKey, selector: selectors.BaseSelector, most: int) -> None:
    data = os.read(key.fd, _CHUNK)
    if not data:
        selector.unregister(key.fileobj)
    said = cast("bytearray", key.data)
    said += data[: max(0, most + 1 - len(said))]


def _let_go(supervisor: subprocess.Popen[bytes]) -> None:
    cast("IO[bytes]", supervisor.stdin).close()
    try:
        supervisor.wait(2 * _GRACE + 1)
    except subprocess.TimeoutExpired:  # somebody has stopped it; its child dies with it
        supervisor.kill()


# ---------------------------------------------------------------- the supervisor's half


def supervise(seconds: float, command: Sequence[str]) -> int:
    """Run a program until it ends, its time is over or our stdin closes; return its exit code."""
    # Only noted: an exception could come at any point, and so keep us from ending the group.
    asked: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _frame: asked.append(number))
    deadline = time.monotonic() + seconds
    die_with = _death_signal()
    die_with(os.getppid(), signal.SIGTERM)
    ourselves = os.getpid()
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            process_group=0,
            # Safe: there is no second thread here. It holds when we ourselves are killed outright.
            preexec_fn=lambda: die_with(ourselves, signal.SIGKILL),  # noqa: PLW1509
        )
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be started: {error.strerror}\n")
        return NOT_STARTED
    try:
        return _watch(child, deadline, asked)
    finally:
        _end_group(child)


def _watch(child: subprocess.Popen[bytes], deadline: float, asked: Sequence[int]) -> int:
    while (code := child.poll()) is None:
        if time.monotonic() >= deadline:
            return TIMED_OUT
        readable, _, _ = select.select([sys.stdin], [], [], _STEP)
        if asked or (readable and not os.read(sys.stdin.fileno(), _CHUNK)):
            return ABANDONED
    return _as_shells_say(code)


def _as_shells_say(code: int) -> int:
    return code if code >= 0 else 128 - code


def _end_group(child: subprocess.Popen[bytes]) -> None:
    for order in (signal.SIGTERM, signal.SIGKILL):
        patience = time.monotonic() + _GRACE
        if not _signalled(child, order):
            return
        while time.monotonic() < patience:
            select.select([], [], [], _STEP)
            if not _signalled(child, 0):
                return


def _signalled(child: subprocess.Popen[bytes], order: int) -> bool:
    """Whether anybody is left in the group to hear."""
    child.poll()
    try:
        os.killpg(child.pid, order)
    except (ProcessLookupError, PermissionError):  # the latter: macOS, when only zombies are left
        return False
    return True


def _death_signal() -> Callable[[int, int], None]:
    """
    Return what asks the kernel for a signal when the parent, given by its id, dies.

    Linux has that; elsewhere the pipe alone has to do. It counts the thread that started us as the
    parent, which is in `run` until we end.
    """
    if sys.platform != "linux":
        return lambda _parent, _order: None
    prctl = ctypes.CDLL(None).prctl

    def ask(parent: int, order: int) -> None:
        prctl(_PR_SET_PDEATHSIG, order, 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked
            os.kill(os.getpid(), order)

    return ask


if __name__ == "__main__":
    sys.exit(supervise(float(sys.argv[1]), sys.argv[3:]))
