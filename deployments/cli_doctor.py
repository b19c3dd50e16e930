"""`istio-canary doctor`: what an upgrade needs, and, if asked, what the gatekeeper needs of Slack."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from deployments.gatekeeper.config import GatekeeperConfig, read_config
from tasks import examining, wiring
from tasks.domain.documents import DoctorReport, Examined
from tasks.domain.parameters import parse
from tasks.domain.policy import GROUP
from tasks.examining_slack import SlackNeeds, examine_slack
from tasks.settings import Settings


def examined(
    settings: Settings,
    person: str,
    *,
    to: str | None,
    istioctl: Sequence[str],
    slack: Path | None,
) -> DoctorReport:
    """Look at everything; `slack` is the gatekeeper's file, None to leave Slack out."""
    found = examining.examine(settings, person, to=to, istioctl=istioctl)
    if slack is None:
        return found
    checks = (*found.checks, *_slack(read_config(slack)))
    return msgspec.structs.replace(
        found, is_healthy=all(one.is_good for one in checks), checks=checks
    )


def _slack(config: GatekeeperConfig) -> tuple[Examined, ...]:
    slack = config.slack
    needs = SlackNeeds(
        url=slack.api_url,
        bot_token=slack.bot_token,
        app_token=slack.app_token,
        channels=tuple(dict.fromkeys(one.channel for one in config.clusters)),
        groups=tuple(sorted(_groups(config))),
    )
    return examine_slack(needs, secrets=wiring.services().access.secret)


def _groups(config: GatekeeperConfig) -> set[str]:
    """Return the ids of all user groups that may begin or decide something."""
    named = [*config.starters]
    for cluster in config.clusters:
        # The version comes with the command; any will do to read the rest.
        asked = parse({"to": "1.29.1", **cluster.upgrade})
        named += [
            one for name in ("", *asked.gates.each) for one in asked.gates.policy(name).groups
        ]
    return {one.rpartition("/")[2] for one in named if one.startswith(GROUP)}
