"""
`python -m deployments.rehearsal.slack [--port N] [--workspace FILE]`: a Slack until stdin ends.

It says where it is in one line of JSON, once it is there. Whoever starts it holds the other end of
stdin: so it ends even when that is killed.
"""

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from deployments.rehearsal.slack.running import RunningSlack
from deployments.rehearsal.slack.serving import serving
from deployments.rehearsal.slack.state import PATIENCE, Slack
from deployments.rehearsal.slack.workspace import Workspace, default_workspace, read_workspace

_DEFAULT: Final = "default"
_WRONG: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve, and return how it ended."""
    options = _options(arguments)
    try:
        slack = Slack(_workspace(options.workspace), rates=options.rates, patience=options.patience)
        with serving(slack, port=options.port) as running:
            _tell(running, as_json=options.print_json)
            with contextlib.suppress(KeyboardInterrupt):
                sys.stdin.buffer.read()
    except (OSError, msgspec.DecodeError) as error:
        print(f"slack: {error}", file=sys.stderr)  # noqa: T201 - a program may say why it ends
        return _WRONG
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="slack", description="A small Slack of this machine.")
    parser.add_argument("--port", type=int, default=0, help="by default any that is free")
    parser.add_argument("--workspace", default=_DEFAULT, help="a JSON file, or the word default")
    parser.add_argument(
        "--rates", type=_rates, default=1.0, help="1 is Slack's, less is harsh; off"
    )
    parser.add_argument(
        "--patience", type=float, default=PATIENCE, help="seconds to acknowledge in"
    )
    parser.add_argument("--print-json", action="store_true", help="tokens and addresses as JSON")
    return parser.parse_args(arguments)


def _rates(text: str) -> float | None:
    return None if text == "off" else float(text)


def _workspace(name: str) -> Workspace:
    return default_workspace() if name == _DEFAULT else read_workspace(Path(name))


def _tell(running: RunningSlack, *, as_json: bool) -> None:
    told = {
        "url": running.url,
        "api_url": running.api_url,
        "page": running.page,
        "bot_token": running.app.bot_token,
        "app_token": running.app.app_token,
        "signing_secret": running.app.signing_secret,
        "control": running.control,
    }
    lines = [json.dumps(told)] if as_json else [f"{name}: {text}" for name, text in told.items()]
    print(*lines, sep="\n", flush=True)  # noqa: T201 - this is what it is started for


if __name__ == "__main__":
    sys.exit(main())
