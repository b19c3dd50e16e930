"""
The rehearsal's cluster, as seen from the process that started it.

It is a child process whose stdin is held open: when this process ends, however it ends, so does the
cluster.
"""

import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from deployments.rehearsal.errors import BrokenError, WrongInputError
from deployments.rehearsal.host.telling import LOAD, Word

_START_WITHIN: Final = 60.0
_LOAD_WITHIN: Final = 1800.0  # fifty thousand pods take their time
_END_WITHIN: Final = 5.0

Counts = dict[str, dict[str, int]]


class Cluster:
    """A cluster under way."""

    def __init__(
        self, arguments: Sequence[str], *, log: Path, hear: Callable[[Counts], None]
    ) -> None:
        """Start it; `hear` is told, on a thread of its own, how many proxies are where."""
        self._hear = hear
        self._log = log
        self._said: queue.Queue[tuple[str, Any]] = queue.Queue()
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "deployments.rehearsal.host", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                process_group=0,  # Ctrl-C is not for it
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def ready(self) -> str:
        """Wait until it can be reached, and return its address."""
        return str(self._await(Word.READY, _START_WITHIN)["url"])

    def load(self) -> None:
        """Have it take in its scenario, and wait until the pods run."""
        pipe = self._process.stdin
        with suppress(BrokenPipeError):  # what it said last tells why
            if pipe is not None:
                pipe.write(f"{LOAD}\n".encode())
                pipe.flush()
        self._await(Word.LOADED, _LOAD_WITHIN)

    def wait(self) -> None:
        """Return when it has ended by itself."""
        self._process.wait()

    def stop(self) -> None:
        """End it."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        wait_or_kill(self._process, _END_WITHIN)
        self._reader.join(_END_WITHIN)

    def _read(self) -> None:
        pipe = self._process.stdout
        if pipe is None:
            return
        for line in pipe:
            with suppress(msgspec.DecodeError):
                for word, what in msgspec.json.decode(line, type=dict[str, Any]).items():
                    self._take(word, what)
        self._said.put((Word.PROBLEM, None))

    def _take(self, word: str, what: Any) -> None:
        if word == Word.COUNTS:
            self._hear(what)
        else:
            self._said.put((word, what))

    def _await(self, wanted: Word, seconds: float) -> Any:
        try:
            word, what = self._said.get(timeout=seconds)
        except queue.Empty as error:
            raise BrokenError(f"the cluster was not {wanted} within {seconds:g} seconds") from error
        if word == wanted:
            return what
        if what is None:
            raise BrokenError(f"the cluster has ended: {last_line(self._log)}")
        raise (WrongInputError if what["is_input"] else BrokenError)(what["text"])


def wait_or_kill(process: "subprocess.Popen[Any]", seconds: float) -> None:
    """Wait for the end of a process that was asked to end, and not for ever."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def last_line(path: Path) -> str:
    """Return the last thing that was said into a log."""
    lines = path.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
