"""
A headless Chromium, driven over its own DevTools protocol.

A browser library would bring a driver of a hundred megabytes for what is here: go there, evaluate that,
type, take a picture. Chromium itself comes from the system.
"""

import base64
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, cast

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from tests.mesh.waiting import until

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_UP_WITHIN: Final = 60.0  # seconds; the first start on a busy machine takes long
_ANSWERS_WITHIN: Final = 60.0
_LARGEST_ANSWER: Final = 64 * 2**20
_FLAGS: Final = (
    "--headless=new",
    "--remote-debugging-port=0",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--hide-scrollbars",
    "--no-default-browser-check",
    "--no-first-run",
    "--no-proxy-server",
)

Json = dict[str, Any]


class NoAnswerError(Exception):
    """What was asked was not answered: as a rule because the page has gone on to another one."""


def found() -> str | None:
    """Return this system's Chromium, if it has one."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


class Tab:
    """One page, of a browser that nobody else uses."""

    def __init__(self, link: Connection) -> None:
        self._link = link
        self._numbers = itertools.count(1)
        self._session: str | None = None
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        attached = self._ask("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]

    def go(self, url: str) -> None:
        self._ask("Page.navigate", url=url)

    def evaluate(self, expression: str) -> object:
        """Return the value of an expression of JavaScript. Raises NoAnswerError."""
        answer = self._ask("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in answer:
            raise NoAnswerError(json.dumps(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")

    def type(self, text: str) -> None:
        """Type into what has the focus."""
        self._ask("Input.insertText", text=text)

    def resize(self, width: int, height: int, *, scale: float = 1) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": scale}
        self._ask("Emulation.setDeviceMetricsOverride", mobile=False, **size)

    def picture(self, path: Path) -> None:
        """Save what is seen, as PNG."""
        shot = self._ask("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(shot["data"]))

    def _ask(self, method: str, **parameters: object) -> Json:
        number = next(self._numbers)
        asked: Json = {"id": number, "method": method, "params": parameters}
        if self._session is not None:
            asked["sessionId"] = self._session
        self._link.send(json.dumps(asked))
        while True:  # events are of no interest
            heard = cast("Json", json.loads(self._link.recv(_ANSWERS_WITHIN)))
            if heard.get("id") != number:
                continue
            if "error" in heard:
                raise NoAnswerError(f"{method}: {heard['error'].get('message')}")
            return cast("Json", heard["result"])


@contextmanager
def chromium(program: str, folder: Path) -> Iterator[Tab]:
    """Start a browser with a profile of its own, for a block."""
    profile = folder / "profile"
    # Its sandbox cannot be had by root, and what it is shown here is ours.
    rootly = ["--no-sandbox"] if os.geteuid() == 0 else []
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            [program, *_FLAGS, *rootly, f"--user-data-dir={profile}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        with connect(_address(process, profile), max_size=_LARGEST_ANSWER, proxy=None) as link:
            yield Tab(link)
            with suppress(ConnectionClosed):
                link.send(json.dumps({"id": 0, "method": "Browser.close"}))
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _address(process: "subprocess.Popen[bytes]", profile: Path) -> str:
    """Wait until it listens: it writes its port and its path down."""
    file = profile / "DevToolsActivePort"

    def written() -> list[str]:
        assert process.poll() is None, f"{process.args!r} has ended"
        with suppress(OSError):
            lines = file.read_text(encoding="utf-8").split("\n")
            return lines if len(lines) > 1 else []
        return []

    port, path = until(written, what="Chromium listens", seconds=_UP_WITHIN)[:2]
    return f"ws://127.0.0.1:{port}{path}"
