"""All that happened, as one JSON document for tests of another process."""

import dataclasses
from collections import Counter

from deployments.rehearsal.slack.methods.views import shown
from deployments.rehearsal.slack.objects import Json
from deployments.rehearsal.slack.state import Slack


def told(slack: Slack) -> Json:
    """Return the state; tokens and secrets are no part of it."""
    return {
        "channels": [_channel(slack, one) for one in slack.directory.channels],
        "ephemerals": _ephemerals(slack),
        "views": [
            shown(slack, one) | {"user": one.user, "errors": one.errors}
            for one in slack.views.values()
        ],
        "warnings": {user: found for user, found in slack.warnings.items() if found},
        "groups": {one.handle: list(one.members) for one in slack.directory.groups.values()},
        "sockets": {
            "open": len(slack.hub.lines),
            "opened": slack.hub.opened,
            "sent": slack.hub.sent,
        },
        "faults": [dataclasses.asdict(one) for one in slack.faults.all],
        "is_down": slack.faults.is_down,
        "counts": Counter(one.method for one in slack.calls),
        "calls": [dataclasses.asdict(one) for one in slack.calls],
    }


def _channel(slack: Slack, name: str) -> Json:
    said, team = slack.conversations, slack.workspace.team
    channel = slack.directory.channels[name]
    messages = [said.shown(one, team=team, metadata=True) for one in said.all(name)]
    return {"id": name, "name": channel.name, "messages": messages}


def _ephemerals(slack: Slack) -> list[Json]:
    said, team = slack.conversations, slack.workspace.team
    return [
        said.shown(one, team=team, metadata=True) | {"channel": one.channel, "to": one.to}
        for one in said.ephemeral
    ]
