"""The rehearsal's Slack beside an upgrade, where people press the buttons at its gates."""

import errno
import re
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from deployments.rehearsal.errors import WrongInputError
from deployments.rehearsal.rehearsing.gatekeeper import Gatekeeper
from deployments.rehearsal.rehearsing.stage import Stage
from deployments.rehearsal.rehearsing.view import View
from deployments.rehearsal.scenario.values import Json
from deployments.rehearsal.slack.running import RunningSlack
from deployments.rehearsal.slack.serving import serving
from deployments.rehearsal.slack.state import Slack
from deployments.rehearsal.slack.workspace import default_workspace

Say = Callable[[str], None]
_NAME: Final = "rehearsal"
_APP: Final = "istio-canary"
_WAITS: Final = re.compile(r"gate (\S+) waits for ")  # the product's own words
_END: Final = "end"  # what the gatekeeper calls the last message of a thread
_ENDS_WITHIN: Final = 30.0
_SEEN_WITHIN: Final = 6.0  # the page looks every second


@contextmanager
def slack_at(port: int, view: View) -> Generator[RunningSlack]:
    """Have a Slack for a block, and say where."""
    given = default_workspace()
    workspace = replace(given, app=replace(given.app, name=_APP))
    with ExitStack() as stack:
        try:
            slack = stack.enter_context(serving(Slack(workspace), port=port))
        except OSError as error:
            raise WrongInputError(_complaint(port, error)) from error
        view.say(f"Slack, where the gates are asked: {slack.page}")
        view.say(f"  {_who_decides(slack)}")
        yield slack


@contextmanager
def keeping_gates(
    stage: Stage, slack: RunningSlack, *, home: Path, prefect: str, say: Say
) -> Generator[None]:
    """Have a gatekeeper that shows the cluster's runs in a Slack, for a block."""
    tokens = {"SLACK_BOT_TOKEN": slack.app.bot_token, "SLACK_APP_TOKEN": slack.app.app_token}
    gatekeeper = Gatekeeper(
        _config(stage, slack, prefect),
        folder=stage.folder,
        home=home,
        environment_too={"PREFECT_API_URL": prefect, **tokens},
        say=say,
    )
    try:
        gatekeeper.await_up()
        yield
    finally:
        gatekeeper.stop()


def gates_in_slack(given: Json, slack: RunningSlack) -> Json:
    """Return an upgrade whose gates the workspace's group decides, unless it says otherwise."""
    gates = {"approvers": [_group(slack)], **given.get("gates", {})}
    return given | {"gates": gates}


def pointing_to(slack: RunningSlack, say: Say) -> Say:
    """Return what says the same, and where to decide when the upgrade waits at a gate."""

    def said(text: str) -> None:
        say(text)
        if found := _WAITS.match(text):
            say(f"Gate {found[1]} waits for an answer in Slack: {slack.page}")

    return said


def await_end_of_thread(slack: RunningSlack) -> None:
    """Wait until the thread says how the run has ended, and people had a moment to see it."""
    given_up_at = time.monotonic() + _ENDS_WITHIN
    while not _is_at_its_end(slack) and time.monotonic() < given_up_at:
        threading.Event().wait(0.2)
    threading.Event().wait(_SEEN_WITHIN)


def _is_at_its_end(slack: RunningSlack) -> bool:
    said = [one for channel in slack.workspace.channels for one in slack.messages(channel.id)]
    names = [one.get("metadata", {}).get("event_payload", {}).get("key") for one in said]
    return _END in names


def _config(stage: Stage, slack: RunningSlack, prefect: str) -> Json:
    cluster = {
        "name": _NAME,
        "kubeconfig": str(stage.kubeconfig),
        "channel": slack.workspace.channels[0].id,
    }
    return {
        "clusters": [cluster],
        "slack": {"api_url": slack.api_url},
        "starters": [_group(slack)],
        "dashboard": prefect.removesuffix("/api"),
    }


def _group(slack: RunningSlack) -> str:
    return f"slack-group:{slack.workspace.team}/{slack.workspace.groups[0].id}"


def _who_decides(slack: RunningSlack) -> str:
    group = slack.workspace.groups[0]
    may = [one.name for one in slack.workspace.people if one.id in group.members]
    may_not = [one.name for one in slack.workspace.people if one.id not in group.members]
    return f"be {' or '.join(may)} of @{group.handle} to decide; {' and '.join(may_not)} may not"


def _complaint(port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"--slack-port {port} is in use; choose another, or leave it out for any that is free"
        )
    return f"--slack-port {port} cannot be had: {error.strerror or error}"
