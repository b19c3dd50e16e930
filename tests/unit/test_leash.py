"""A program on the leash ends when it should, whoever dies first, and says all that it said."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tasks.adapters import leash
from tasks.domain.errors import LeaseLostError, StopRequested
from tests.unit.programs import Life, a_program, life

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"PATH": os.environ["PATH"]}
SLOW = "sleep 60"
# An owner in a process of its own, for it is going to be killed. It does not mind Ctrl-C.
OWNER = """
import signal, sys
from tasks.adapters import leash
signal.signal(signal.SIGINT, lambda *_: None)
leash.run(sys.argv[1:], environment={"PATH": "/usr/bin:/bin"}, seconds=60, check=lambda: None)
"""


@pytest.fixture
def alive(tmp_path: Path) -> Iterator[Life]:
    with life(tmp_path) as made:
        yield made


def allowed() -> None:
    """Stand for a guard that never objects."""


def run(
    command: Sequence[str | Path],
    *,
    seconds: float = 30,
    check: Callable[[], None] = allowed,
    most: int = 1_000_000,
) -> leash.Finished:
    said = [str(one) for one in command]
    return leash.run(said, environment=ENVIRONMENT, seconds=seconds, check=check, most=most)


def test_output_and_exit_code_are_those_of_the_program_and_its_streams_stay_apart() -> None:
    done = run(["sh", "-c", "echo out; echo err >&2; exit 3"])
    assert done == leash.Finished(3, b"out\n", b"err\n", is_cut=False)


def test_arguments_reach_the_program_as_they_are_since_there_is_no_shell() -> None:
    tricky = ["$HOME", "a b", "", "*", "; echo mine", "`id`", "--", "-x"]
    done = run([sys.executable, "-c", "import sys; print(sys.argv[1:])", *tricky])
    assert done.stdout.decode().strip() == str(tricky)


def test_the_program_sees_no_variable_but_those_given() -> None:
    assert "PREFECT_HOME" in os.environ  # one that it must not see
    said = run(["env"]).stdout.decode().splitlines()
    # Python and the shell add some of their own.
    assert {line.partition("=")[0] for line in said} - {"LC_CTYPE", "PWD", "SHLVL", "_"} == {"PATH"}


def test_the_program_has_no_input_and_so_cannot_wait_for_an_answer() -> None:
    assert run(["cat"]).code == 0


def test_a_program_that_is_not_there_is_named() -> None:
    done = run(["/no/such/program"])
    assert done.code == leash.NOT_STARTED
    assert done.stderr == b"/no/such/program cannot be started: No such file or directory\n"


def test_a_program_that_a_signal_ended_says_which() -> None:
    assert run(["sh", "-c", "kill -9 $$"]).code == 128 + signal.SIGKILL


def test_more_output_than_pipes_hold_on_both_streams_stops_nobody() -> None:
    code = "import sys; [f.write('x' * 300_000) for f in (sys.stdout, sys.stderr)]"
    done = run([sys.executable, "-c", code])
    assert (len(done.stdout), len(done.stderr), done.is_cut) == (300_000, 300_000, False)


def test_of_too_much_output_the_beginning_is_kept_and_the_program_still_ends() -> None:
    done = run([sys.executable, "-c", "print('a' * 99 + 'b' * 500_000)"], most=100)
    assert (done.code, done.stdout, done.is_cut) == (0, b"a" * 99 + b"b", True)


def test_a_program_that_takes_too_long_is_ended_with_its_children(alive: Life) -> None:
    began = time.monotonic()
    # The shell waits for a child, so there are two.
    done = run(["sh", "-c", f"{alive.hold}; echo begun; {SLOW}; echo over"], seconds=1)
    assert (done.code, done.stdout) == (leash.TIMED_OUT, b"begun\n")
    assert alive.ends(within=0)
    assert time.monotonic() - began < 30


def test_a_program_that_will_not_listen_is_killed(alive: Life) -> None:
    done = run(["sh", "-c", f"trap '' TERM; {alive.hold}; {SLOW}"], seconds=0.5)
    assert done.code == leash.TIMED_OUT
    assert alive.ends(within=0)


def test_a_program_may_tidy_up_when_it_is_asked_to_end() -> None:
    done = run(["sh", "-c", f"trap 'echo tidy; exit' TERM; {SLOW} & wait"], seconds=0.5)
    assert (done.code, done.stdout) == (leash.TIMED_OUT, b"tidy\n")


def test_what_a_program_leaves_behind_in_its_group_ends_with_it(alive: Life) -> None:
    done = run(["sh", "-c", f"({alive.hold}; {SLOW}) >/dev/null 2>&1 & sleep 0.5; exit 4"])
    assert done.code == 4
    assert alive.ends(within=0)


def test_a_daemon_that_holds_the_output_open_is_not_waited_for(alive: Life, tmp_path: Path) -> None:
    daemon = a_program(tmp_path / "daemon", alive.hold, f"echo $$ > {tmp_path}/pid", f"exec {SLOW}")
    leave = "import subprocess, sys; subprocess.Popen(sys.argv[1:], start_new_session=True)"
    began = time.monotonic()
    done = run([sys.executable, "-c", f"{leave}; print('out', flush=True)", daemon])
    alive.await_begin()
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
    assert (done.code, done.stdout) == (0, b"out\n")
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("error", [LeaseLostError("lost"), StopRequested("stop")], ids=repr)
def test_a_program_is_ended_when_its_permission_is(alive: Life, error: Exception) -> None:
    def check() -> None:
        if alive.has_begun:
            raise error

    with pytest.raises(type(error)) as caught:
        run(["sh", "-c", f"{alive.hold}; exec {SLOW}"], check=check)
    assert caught.value is error
    assert alive.ends(within=0)


def test_without_permission_nothing_is_started(tmp_path: Path) -> None:
    def check() -> None:
        raise LeaseLostError("lost")

    with pytest.raises(LeaseLostError):
        run(["touch", tmp_path / "started"], check=check)
    assert not (tmp_path / "started").exists()


def test_permission_is_asked_for_again_and_again() -> None:
    asked: list[float] = []
    run(["sleep", "1.8"], check=lambda: asked.append(time.monotonic()))
    assert len(asked) >= 3


def test_a_program_does_not_outlive_an_owner_that_was_killed_outright(alive: Life) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, "sh", "-c", f"trap '' HUP; {alive.hold}; {SLOW}"], cwd=ROOT
    )
    alive.await_begin()
    assert not alive.ends(within=0.7)  # it lives as long as its owner does
    owner.kill()
    assert owner.wait() == -signal.SIGKILL
    assert alive.ends(within=3)


def test_not_even_a_deaf_program_outlives_its_owner(alive: Life) -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, "sh", "-c", f"trap '' TERM HUP; {alive.hold}; {SLOW}"],
        cwd=ROOT,
    )
    alive.await_begin()
    owner.kill()
    owner.wait()
    assert alive.ends()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that way")
def test_a_program_does_not_outlive_its_supervisor_either(alive: Life) -> None:
    # `exec`: one process. A supervisor killed outright cannot end its whole group any more.
    done = run(["sh", "-c", f"{alive.hold}; kill -9 $PPID; exec {SLOW}"])
    assert done.code == 128 + signal.SIGKILL
    assert alive.ends(within=3)


def test_control_c_at_the_terminal_does_not_reach_the_program(alive: Life) -> None:
    """It would end in the middle of a change; the owner decides when it has to end."""
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, "sh", "-c", f"{alive.hold}; {SLOW}"],
        cwd=ROOT,
        start_new_session=True,  # with a process group that can be signalled as a terminal does
    )
    alive.await_begin()
    os.killpg(owner.pid, signal.SIGINT)
    assert not alive.ends(within=0.7)
    owner.kill()
    owner.wait()
    assert alive.ends(within=3)
