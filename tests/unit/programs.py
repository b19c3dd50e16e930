"""Small shell scripts as the programs that the product runs, and a way to see whether they live."""

import os
import select
import shlex
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

PATIENCE: Final = 30.0  # seconds: for a busy machine, never waited out when all is well
CLOSED: Final = b""
SECRET: Final = "hunter2"  # in every environment, and never to be seen anywhere


class Life:
    """
    Tells whether processes live, by a pipe that they and their children hold open.

    The kernel closes it however they end, and nobody has to wait for a zombie to be reaped.
    """

    def __init__(self, pipe: Path) -> None:
        self.pipe = pipe
        self._fd = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self._heard = b""

    @property
    def has_begun(self) -> bool:
        """Whether a process has taken hold of the pipe, now or earlier."""
        self._read()
        return bool(self._heard)

    def await_begin(self) -> None:
        """Return once a process holds the pipe."""
        end = time.monotonic() + PATIENCE
        while not self.has_begun:
            assert time.monotonic() < end, "the program did not begin"
            select.select([], [], [], 0.01)

    def ends(self, *, within: float = PATIENCE) -> bool:
        """Whether all that held the pipe are gone, at the latest after some seconds."""
        assert self.has_begun, "nothing began that could end"
        end = time.monotonic() + within
        while self._read() != CLOSED:
            if time.monotonic() >= end:
                return False
            select.select([self._fd], [], [], 0.05)
        return True

    def close(self) -> None:
        os.close(self._fd)

    def _read(self) -> bytes | None:
        try:
            said = os.read(self._fd, 4096)
        except BlockingIOError:
            return None
        self._heard += said
        return said

    @property
    def hold(self) -> str:
        """The shell command that takes hold."""
        return f"exec 9> {shlex.quote(str(self.pipe))}; echo begun >&9"


@contextmanager
def life(folder: Path) -> Generator[Life]:
    """Make a pipe that tells of lives."""
    pipe = folder / "life"
    os.mkfifo(pipe)
    made = Life(pipe)
    try:
        yield made
    finally:
        made.close()


def a_program(file: Path, *script: str) -> Path:
    """Write a shell script that can be executed."""
    file.write_text("\n".join(("#!/bin/sh", *script, "")), encoding="utf-8")
    file.chmod(0o755)
    return file


class FakeIstioctl:
    """A script that answers as an istioctl would, and remembers how it was called."""

    def __init__(self, folder: Path, *, name: str = "istioctl", version: str = "1.29.1") -> None:
        self.file = folder / name
        self._log = folder / f"{name}.asked"
        self._version = version
        self.says()

    def says(self, **scripts: str) -> "FakeIstioctl":
        """Say by first argument, such as `install`, what shell commands answer it."""
        version = f'{{"clientVersion": {{"version": "{self._version}"}}}}'
        answers = {"version": f"echo {shlex.quote(version)}", **scripts}
        a_program(
            self.file,
            f"{{ printf '%s\\0' \"$@\"; printf '\\n'; }} >> {shlex.quote(str(self._log))}",
            'case "$1" in',
            *(f"{word})\n{script}\n;;" for word, script in answers.items()),
            "esac",
        )
        return self

    @property
    def asked(self) -> list[list[str]]:
        """The arguments of every call but those for its version."""
        if not self._log.exists():
            return []
        calls = [line.split("\0")[:-1] for line in self._log.read_text().splitlines()]
        return [call for call in calls if call[0] != "version"]


def surroundings(*folders: Path, **more: str) -> dict[str, str]:
    """Return an environment with folders in front of the PATH, and with a secret of ours."""
    path = os.pathsep.join([*map(str, folders), os.environ["PATH"]])
    return {"PATH": path, "PREFECT_API_KEY": SECRET, **more}
