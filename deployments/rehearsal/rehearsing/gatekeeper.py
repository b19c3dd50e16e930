"""
The product's gatekeeper beside an upgrade: its own command, as a child process.

It gets its tokens by its environment and everything else from a file, as in a real workspace.
"""

import json
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final

from deployments.rehearsal.errors import BrokenError
from deployments.rehearsal.rehearsing.cluster import last_line, wait_or_kill
from deployments.rehearsal.rehearsing.product import BOUND, COMMAND, environment
from deployments.rehearsal.scenario.values import Json

_UP: Final = "istio-canary/gatekeeper/v1"  # the schema of the document that it prints when it is up
_UP_WITHIN: Final = 120.0
_END_WITHIN: Final = 15.0


class Gatekeeper:
    """A gatekeeper under way."""

    def __init__(
        self,
        config: Json,
        *,
        folder: Path,
        home: Path,
        environment_too: dict[str, str],
        say: Callable[[str], None],
    ) -> None:
        """Start it; `say` is told if it ends before it is to."""
        self._say = say
        self._log = folder / "gatekeeper.log"
        self._is_up, self._is_heard_out = threading.Event(), threading.Event()
        self._is_to_end = False
        file = folder / "gatekeeper.yaml"
        file.write_text(json.dumps(config), encoding="utf-8")
        words = ["gatekeeper", "--config", str(file), "--listen", "127.0.0.1:0", "-o", "json"]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*BOUND, str(os.getpid()), *COMMAND, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                errors="replace",
                env=environment(os.environ, home) | environment_too,
                process_group=0,  # Ctrl-C is for the upgrade; this one is ended afterwards
            )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def await_up(self) -> None:
        """Wait until it keeps the gates. Raises BrokenError, saying why it does not."""
        if not self._is_heard_out.wait(_UP_WITHIN):
            raise BrokenError(f"the gatekeeper was not up within {_UP_WITHIN:g} seconds")
        if not self._is_up.is_set():
            raise BrokenError(f"the gatekeeper has ended: {last_line(self._log)}")

    def stop(self) -> None:
        """End it."""
        self._is_to_end = True
        self._process.terminate()
        wait_or_kill(self._process, _END_WITHIN)
        self._reader.join(_END_WITHIN)

    def _read(self) -> None:
        """Hear whether it is up, and whether it ends. A command that fails prints a document, too."""
        for line in self._process.stdout or ():
            if _UP in line:
                self._is_up.set()
                self._is_heard_out.set()
        if self._is_up.is_set() and not self._is_to_end:
            self._process.wait()
            last = last_line(self._log)
            self._say(f"The gatekeeper has ended, and no gate is asked any more. Its last: {last}")
        self._is_heard_out.set()
