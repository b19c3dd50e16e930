"""
The rehearsal's Slack and the product's gatekeeper beside an upgrade, for people to press buttons.

The gatekeeper is the product's own command, as a child process: it gets its tokens by its environment
and everything else from a file, as in a real workspace.
"""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from deployments.rehearsal.errors import BrokenError, WrongInputError
from deployments.rehearsal.rehearsing.product import BOUND, COMMAND, environment
from deployments.rehearsal.rehearsing.stage import Stage
from deployments.rehearsal.rehearsing.view import View
from deployments.rehearsal.scenario.values import Json
from deployments.rehearsal.slack.running import RunningSlack
from deployments.rehearsal.slack.serving import serving

_NAME: Final = "rehearsal"
_UP_WITHIN: Final = 60.0
_END_WITHIN: Final = 15.0


@contextmanager
def keeping_gates(
    stage: Stage, *, home: Path, prefect: str, view: View, port: int
) -> Generator[RunningSlack]:
    """Have a Slack, and a gatekeeper that shows the cluster's runs there, for a block."""
    try:
        with serving(port=port) as slack:
            view.say(f"Slack: {slack.page}")
            config = stage.folder / "gatekeeper.yaml"
            config.write_text(json.dumps(_config(stage, slack, prefect)), encoding="utf-8")
            gatekeeper = _start(config, slack, home=home, prefect=prefect)
            try:
                _await_up(gatekeeper, stage.folder)
                yield slack
            finally:
                _end(gatekeeper)
    except OSError as error:
        raise WrongInputError(f"the rehearsal's Slack cannot be served: {error}") from error


def gates_in_slack(given: Json, slack: RunningSlack) -> Json:
    """Return an upgrade whose gates the workspace's group decides, unless it says otherwise."""
    team, group = slack.workspace.team, slack.workspace.groups[0].id
    gates = {"approvers": [f"slack-group:{team}/{group}"], **given.get("gates", {})}
    return given | {"gates": gates}


def _config(stage: Stage, slack: RunningSlack, prefect: str) -> Json:
    workspace = slack.workspace
    cluster = {
        "name": _NAME,
        "kubeconfig": str(stage.kubeconfig),
        "channel": workspace.channels[0].id,
    }
    return {
        "clusters": [cluster],
        "slack": {"api_url": slack.api_url},
        "starters": [f"slack-group:{workspace.team}/{workspace.groups[0].id}"],
        "dashboard": prefect.removesuffix("/api"),
    }


def _start(
    config: Path, slack: RunningSlack, *, home: Path, prefect: str
) -> "subprocess.Popen[bytes]":
    words = ["gatekeeper", "--config", str(config), "--listen", "127.0.0.1:0", "-o", "json"]
    told = {
        "PREFECT_API_URL": prefect,
        "SLACK_BOT_TOKEN": slack.app.bot_token,
        "SLACK_APP_TOKEN": slack.app.app_token,
    }
    with (config.parent / "gatekeeper.log").open("wb") as log:
        return subprocess.Popen(
            [*BOUND, str(os.getpid()), sys.executable, *COMMAND[1:], *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment(os.environ, home) | told,
            process_group=0,  # Ctrl-C is for the upgrade; this one is ended afterwards
        )


def _await_up(gatekeeper: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Wait for its document, which is one line of JSON or several."""
    if gatekeeper.stdout is None or not gatekeeper.stdout.readline():
        gatekeeper.wait(_UP_WITHIN)
        log = (folder / "gatekeeper.log").read_text(encoding="utf-8", errors="replace")
        last = log.strip().splitlines()[-1:] or ["it said nothing"]
        raise BrokenError(f"the gatekeeper has ended: {last[0]}")


def _end(gatekeeper: "subprocess.Popen[bytes]") -> None:
    gatekeeper.terminate()
    try:
        gatekeeper.communicate(timeout=_END_WITHIN)
    except subprocess.TimeoutExpired:
        gatekeeper.kill()
        gatekeeper.communicate()
