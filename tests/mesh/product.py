"""
Runs the product as its users do: as a command, with files, flags and an exit code.

What the tests read from its JSON documents is read here and nowhere else.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.mesh.cluster import NEW, NEW_REVISION, Mesh
from tests.mesh.kubectl import Json
from tests.mesh.waiting import until

DONE, BAD_INPUT, BLOCKED, REJECTED, ROLLED_BACK, STOPPED, INTERRUPTED = 0, 2, 3, 4, 5, 6, 130


def command() -> Path:
    """Return the command under test."""
    return Path(os.environ.get("ISTIO_CANARY") or Path(sys.executable).with_name("istio-canary"))


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A finished invocation."""

    argv: Sequence[str]
    code: int
    out: str
    err: str

    @property
    def document(self) -> Json:
        """The one JSON document on stdout."""
        document: Json = json.loads(self.out)
        return document

    @property
    def run(self) -> str:
        run: str = self.document["run"]
        return run

    @property
    def flow_runs(self) -> list[str]:
        found: list[str] = self.document["flow_runs"]
        return found

    @property
    def story(self) -> str:
        """What the report says to people."""
        document = self.document
        return "\n".join([str(document.get("text", "")), *map(str, document.get("todo", []))])

    def exited(self, code: int) -> "Ended":
        """Insist on an exit code, and that a failure is told and not dumped."""
        assert self.code == code, f"exit {self.code}, not {code}: {self}"
        assert "Traceback" not in self.err, self
        return self

    def __str__(self) -> str:
        out, err = self.out[-4000:], self.err[-4000:]
        return f"{' '.join(self.argv)}\nexit {self.code}\n--- out\n{out}\n--- err\n{err}"


@dataclass(kw_only=True)
class Running:
    """An invocation under way, in a session of its own."""

    argv: Sequence[str]
    process: subprocess.Popen[str]
    out: Path
    err: Path

    def wait(self, seconds: float = 300) -> Ended:
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            self.kill()
            raise AssertionError(f"no end after {seconds:.0f} s: {self._ended(-1)}") from error
        return self._ended(code)

    def must_be_alive(self) -> bool:
        """Fail with what it said if it has ended."""
        code = self.process.poll()
        assert code is None, f"ended too soon: {self._ended(code)}"
        return True

    def interrupt(self) -> None:
        """Send what Ctrl-C sends."""
        os.killpg(self.process.pid, signal.SIGINT)

    def kill(self) -> None:
        """Kill the whole process group, so that nobody can tidy up."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def _ended(self, code: int) -> Ended:
        return Ended(argv=self.argv, code=code, out=self.out.read_text(), err=self.err.read_text())


@dataclass(frozen=True, kw_only=True)
class Product:
    """The command, its home, and the files that it is given."""

    mesh: Mesh
    home: Path
    files: Path
    environment: dict[str, str] = field(default_factory=dict)
    running: list[Running] = field(default_factory=list)

    def parameters(self, **changed: object) -> Path:
        """Write a parameters file: a short quiet period, and what a test wants otherwise."""
        everything = {"quiet_period_seconds": 5, **changed}
        with tempfile.NamedTemporaryFile("w", suffix=".yaml", dir=self.files, delete=False) as file:
            json.dump(everything, file)  # JSON is YAML
        return Path(file.name)

    def flags(self, parameters: Path | None = None) -> list[str]:
        """Return what every upgrade here is told: where to, with which programs and overlay."""
        mesh = self.mesh
        return [
            *("--kubeconfig", str(mesh.kubectl.kubeconfig)),
            *("--to", NEW, "--revision", NEW_REVISION),
            *("--istioctl", str(mesh.old.path), "--istioctl", str(mesh.new.path)),
            *("-f", str(mesh.new.overlay), "--set", f"tag={NEW}"),
            *("-p", str(parameters or self.parameters())),
            *("-o", "json"),
        ]

    def start(self, *arguments: str) -> Running:
        """Begin an invocation and return at once."""
        argv = [str(command()), *arguments]
        out, err = (
            Path(tempfile.mkstemp(dir=self.files, suffix=name)[1]) for name in (".out", ".err")
        )
        with out.open("w") as stdout, err.open("w") as stderr:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                text=True,
                env=self._environment(),
                start_new_session=True,
            )
        running = Running(argv=argv, process=process, out=out, err=err)
        self.running.append(running)
        return running

    def run(self, *arguments: str, seconds: float = 300) -> Ended:
        """Run one invocation to its end."""
        return self.start(*arguments).wait(seconds)

    def upgrade(
        self, *arguments: str, parameters: Path | None = None, seconds: float = 300
    ) -> Ended:
        """Run `upgrade` to its end, with every gate approved by whoever runs it."""
        return self.run("upgrade", *self.flags(parameters), "--yes", *arguments, seconds=seconds)

    def start_upgrade(self, *arguments: str, parameters: Path | None = None) -> Running:
        """Begin `upgrade` whose gates wait."""
        return self.start("upgrade", *self.flags(parameters), *arguments)

    def on_cluster(self, name: str, *arguments: str, seconds: float = 300) -> Ended:
        """Run another subcommand against the same cluster."""
        return self.run(
            name, "--kubeconfig", str(self.mesh.kubectl.kubeconfig), *arguments, seconds=seconds
        )

    def unfinished(self) -> Json | None:
        """Return what `status` says about the unfinished run, None if there is none."""
        runs = self.on_cluster("status", "-o", "json", seconds=60).exited(DONE).document["runs"]
        return next((run for run in runs if run["state"] != "Finished"), None)

    def waiting_at(
        self, gate: str, running: Running | None = None, *, seconds: float = 180
    ) -> Json:
        """Wait until the run waits at a gate and return what `status` says about it."""

        def look() -> Json | None:
            if running is not None:
                running.must_be_alive()
            run = self.unfinished()
            asked = (run or {}).get("gate") or {}
            return run if asked.get("name") == gate else None

        return until(look, what=f"the run waits at gate {gate}", seconds=seconds, every=1) or {}

    def approve(self, run: str) -> None:
        """Approve the gate that a run waits at."""
        self.on_cluster("approve", run, seconds=60).exited(DONE)

    def kill_everything(self) -> None:
        """Leave no process of a test behind."""
        for running in self.running:
            running.kill()
        self.running.clear()

    def stop_server(self) -> None:
        """End the Prefect server that the product keeps in its home, by its recorded pid."""
        for state in self.home.rglob("server.json"):
            pid = json.loads(state.read_text()).get("pid")
            if isinstance(pid, int) and b"prefect" in _command_line(pid):
                os.kill(pid, signal.SIGTERM)
                until(partial(_is_gone, pid), what="the Prefect server ends", seconds=15)

    def _environment(self) -> dict[str, str]:
        inherited = {
            key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")
        }
        return inherited | {"ISTIO_CANARY_HOME": str(self.home), "NO_COLOR": "1"} | self.environment


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def _is_gone(pid: int) -> bool:
    return not _command_line(pid)


def processes(*words: str) -> list[int]:
    """Return the living processes whose command line has all these words."""
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    wanted = [word.encode() for word in words]
    found = []
    for pid in pids:
        line = _command_line(pid).split(b"\0")
        if pid != os.getpid() and all(any(word in part for part in line) for word in wanted):
            found.append(pid)
    return found
