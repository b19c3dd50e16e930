"""Runs `istio-canary rehearse` as people do, and looks whether it leaves anything behind."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tasks.adapters.local_server import LocalServer
from tests.mesh.waiting import until


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A rehearsal that is over."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Mapping[str, Any]:
        """The one JSON document on stdout."""
        return cast("Mapping[str, Any]", json.loads(self.out))


@dataclass(frozen=True, kw_only=True)
class Rehearsals:
    """Starts rehearsals that keep their Prefect server in one place: a new one takes long."""

    home: Path

    def start(self, *words: str) -> "Running":
        name = f"{time.monotonic_ns()}"
        out, err = self.home / f"{name}.out", self.home / f"{name}.err"
        with out.open("wb") as stdout, err.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "deployments.cli", "rehearse", *words],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, "ISTIO_CANARY_HOME": str(self.home)},
                start_new_session=True,
            )
        return Running(process=process, out=out, err=err)

    def run(self, *words: str) -> Ended:
        return self.start(*words).wait()

    @contextmanager
    def prefect_kept_up(self) -> Generator[None]:
        """Have all runs of a block share their server: to start it takes as long as a run."""
        server = LocalServer(self.home / "rehearsal", environ=os.environ)
        try:
            with server.used():
                yield
        finally:
            server.stop()

    def processes(self) -> list[str]:
        """Return the command lines of all processes that a rehearsal has started."""
        mark = f"ISTIO_CANARY_HOME={self.home}".encode()
        return [
            (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            for entry in Path("/proc").iterdir()
            if entry.name.isdigit() and mark in _environment(entry)
        ]


@dataclass(frozen=True, kw_only=True)
class Running:
    """A rehearsal under way."""

    process: subprocess.Popen[bytes]
    out: Path
    err: Path

    def says(self, text: str) -> bool:
        assert self.process.poll() is None, f"ended too soon: {self.err.read_text()}"
        return text in self.err.read_text() + self.out.read_text()

    def until_it_says(self, text: str) -> None:
        until(lambda: self.says(text), what=f"it says {text!r}", seconds=90)

    def interrupt(self) -> None:
        """Ask it to stop. There is no terminal, which would ask its children, too."""
        self.process.send_signal(signal.SIGINT)

    def wait(self, seconds: float = 300) -> Ended:
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise AssertionError(f"no end after {seconds} s: {self.err.read_text()}") from error
        return Ended(code=code, out=self.out.read_text(), err=self.err.read_text())


def _environment(entry: Path) -> list[bytes]:
    try:
        return (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return []  # gone, or somebody else's
