"""How people, moments, lengths of time and places to read on are written in Slack."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from deployments.gatekeeper.messages.blocks import code, escape
from deployments.gatekeeper.view import RunView
from tasks.domain.policy import Policy

_SHORT_DIGEST: Final = 12  # characters that people compare by eye

_SLACK_USER: Final = re.compile(r"slack:[A-Z0-9]{2,20}/([UW][A-Z0-9]{0,20})\Z")
_SLACK_GROUP: Final = re.compile(r"slack-group:[A-Z0-9]{2,20}/([A-Z0-9]{2,20})\Z")
_BASE: Final = re.compile(r"https?://[A-Za-z0-9._:/\[\]~-]{1,500}\Z")
_KUBERNETES: Final = "kubernetes:"


# ---- people


def mention(identity: str, policy: Policy | None = None) -> str:
    """Return somebody as Slack shows them: as themselves if they are known there, else by name."""
    for one in (identity, *_others(identity, policy)):
        if (found := _SLACK_USER.match(one)) is not None:
            return f"<@{found.group(1)}>"
    return name(identity, policy)


def approver(text: str, policy: Policy) -> str:
    """Return one of the policy's approvers, who may be a group of people."""
    found = _SLACK_GROUP.match(text)
    return f"<!subteam^{found.group(1)}>" if found is not None else mention(text, policy)


def name(identity: str, policy: Policy | None = None) -> str:
    """Return somebody's name without any markup, for where nobody is to be mentioned."""
    known = policy.person(identity) if policy is not None else identity
    return escape(known.removeprefix(_KUBERNETES)) or "?"


def _others(identity: str, policy: Policy | None) -> Sequence[str]:
    """Return everything that a person of the table is known by."""
    if policy is None:
        return ()
    owner = policy.person(identity)
    return next((one.identities for one in policy.people if one.name == owner), ())


# ---- numbers


def moment(at: datetime) -> str:
    """Return a moment, which Slack shows in each reader's own time zone."""
    return f"<!date^{int(_zoned(at).timestamp())}^{{date_short_pretty}} {{time}}|{in_utc(at)}>"


def in_utc(at: datetime) -> str:
    """Return a moment without markup."""
    return f"{_zoned(at).astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _zoned(at: datetime) -> datetime:
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def minutes(length: timedelta) -> str:
    """Return a length of time in whole minutes, so that it says the same for a minute."""
    hours, rest = divmod(max(0, int(length.total_seconds())) // 60, 60)
    if hours:
        return f"{hours} h {rest:02} min"
    return f"{rest} min" if rest else "less than a minute"


def number(count: int, noun: str) -> str:
    """Return `1 pod`, `2 pods`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def short(digest: str) -> str:
    """Return as much of a digest as people compare by eye."""
    return escape(digest[:_SHORT_DIGEST])


# ---- places to read on


def command(view: RunView, verb: str) -> str:
    """Return what to type in a terminal about this run."""
    return code(f"istio-canary {verb} {view.record.run}")


def flow_run_link(view: RunView, text: str, *, first: bool = False, tab: str = "") -> str | None:
    """Return a link to the run's flow run on the dashboard: the last one, or the one that planned."""
    base, runs = view.links.dashboard, view.record.flow_runs
    if base is None or not runs or not _BASE.match(base):
        return None
    page = f"{base.rstrip('/')}/runs/flow-run/{quote(runs[0 if first else -1][:100], safe='')}"
    return f"<{page}{f'?tab={tab}' if tab else ''}|{text}>"


def where_the_rest_is(view: RunView, what: str, *, first: bool = True) -> str:
    """Say where to find what did not fit into a message."""
    link = flow_run_link(view, f"the artifact “{what}”", first=first, tab="Artifacts")
    return f"; all of them are in {link}" if link else f"; see {command(view, 'status')}"
