"""
The upgrade that is rehearsed: the product's own command, as a child process.

It stays in this process's group, so that the terminal's Ctrl-C reaches it and its questions can be
answered there. What it says comes through here, so that it does not run into the live view.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from deployments.rehearsal.scenario.values import Json

# Killed when this process is: see there.
BOUND: Final = (sys.executable, "-I", "-S", str(Path(__file__).with_name("bound.py")))
COMMAND: Final = (sys.executable, "-m", "deployments.cli")


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """What is asked of the product."""

    kubeconfig: Path
    parameters: Path
    home: Path  # where it keeps its Prefect server and its key
    says_yes: bool
    is_json: bool
    asks_here: bool = True  # at this terminal, if there is one

    @property
    def argv(self) -> Sequence[str]:
        words = ["upgrade", "--kubeconfig", str(self.kubeconfig), "-p", str(self.parameters)]
        yes = ["--yes"] if self.says_yes else []
        return [*COMMAND, *words, *yes, *(["-o", "json"] if self.is_json else [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How it ended."""

    exit_code: int
    out: str


def write_parameters(path: Path, upgrade: Json, istioctls: Sequence[Path]) -> None:
    """Write the parameters file of an upgrade. JSON is YAML."""
    document = upgrade | {"istioctl": [str(one) for one in istioctls]}
    path.write_text(json.dumps(document, indent=2), encoding="utf-8")


class Running:
    """The command under way."""

    def __init__(self, upgrade: Upgrade, say: Callable[[str], None]) -> None:
        """Start it; `say` is told each line that it says on the way."""
        self._process = subprocess.Popen(
            [*BOUND, str(os.getpid()), *upgrade.argv],
            stdin=None if upgrade.asks_here else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=environment(os.environ, upgrade.home),
        )
        self._out: list[str] = []
        self._threads = [
            _thread(self._process.stderr, lambda line: say(line.rstrip("\n"))),
            _thread(self._process.stdout, self._out.append),
        ]

    def wait(self) -> Ended:
        """Return when it has ended."""
        code = self._process.wait()
        for thread in self._threads:
            thread.join()
        return Ended(exit_code=code if code >= 0 else 128 - code, out="".join(self._out))

    def send(self, number: int) -> None:
        """Hand on a signal that was for us alone."""
        if self._process.poll() is None:
            self._process.send_signal(number)


def environment(given: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return an environment without any Prefect or cluster of this person's own."""
    kept = {name: value for name, value in given.items() if not name.startswith("PREFECT_")}
    return kept | {"ISTIO_CANARY_HOME": str(home)}


def _thread(pipe: IO[str] | None, take: Callable[[str], None]) -> threading.Thread:
    def read() -> None:
        for line in pipe or ():
            take(line)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread
