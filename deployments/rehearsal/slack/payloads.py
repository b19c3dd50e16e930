"""What Slack tells an app of what a person did."""

from typing import Final

from deployments.rehearsal.slack.filling import chosen
from deployments.rehearsal.slack.objects import Json, Message
from deployments.rehearsal.slack.state import Slack

RESPONSES: Final = "/responses/"
_COPIED: Final = ("value", "text", "style", "confirm", "url")


def response_url(slack: Slack, name: str) -> str:
    return f"{slack.base_url}{RESPONSES}{name}"


def block_actions(slack: Slack, user: str, message: Message, action: Json, values: Json) -> Json:
    """Return the payload for a press of a message's button."""
    is_ephemeral, team = bool(message.to), slack.workspace.team
    name = slack.passes.response(message.channel, user, ts=message.ts, is_ephemeral=is_ephemeral)
    container: Json = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": message.channel,
        "is_ephemeral": is_ephemeral,
    }
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    payload = _common(slack, "block_actions", user) | {
        "container": container,
        "trigger_id": slack.passes.trigger(user),
        "channel": {"id": message.channel, "name": slack.directory.channels[message.channel].name},
        "state": {"values": values},
        "response_url": response_url(slack, name),
        "actions": [action],
    }
    if not is_ephemeral:  # Slack does not tell what stood in a message that only one person sees
        payload["message"] = slack.conversations.shown(message, team=team, metadata=True)
    return payload


def view_submission(slack: Slack, user: str, kind: str, view: Json) -> Json:
    payload = _common(slack, kind, user) | {"view": view}
    if kind == "view_submission":
        return payload | {"trigger_id": slack.passes.trigger(user), "response_urls": []}
    return payload | {"is_cleared": False}


def slash_command(slack: Slack, user: str, channel: str, command: str, text: str) -> Json:
    person, place = slack.directory.person(user), slack.directory.attended(channel, user)
    name = slack.passes.response(channel, user)
    return {
        "token": slack.app.verification_token,
        "team_id": slack.directory.team_of(user),
        "team_domain": slack.workspace.domain,
        "channel_id": channel,
        "channel_name": place.name,
        "user_id": user,
        "user_name": person.name,
        "command": command,
        "text": text,
        "api_app_id": slack.app.id,
        "is_enterprise_install": "false",
        "response_url": response_url(slack, name),
        "trigger_id": slack.passes.trigger(user),
    }


def action_of(slack: Slack, block: Json, element: Json, given: object) -> Json:
    """Return what is told of the element that was pressed, with what was chosen there."""
    return (
        {name: element[name] for name in _COPIED if name in element}
        | chosen(element, given)
        | {
            "action_id": element["action_id"],
            "block_id": block["block_id"],
            "type": element["type"],
            "action_ts": slack.stamps.next(),
        }
    )


def _common(slack: Slack, kind: str, user: str) -> Json:
    person, team = slack.directory.person(user), slack.directory.team_of(user)
    return {
        "type": kind,
        "user": {"id": user, "username": person.name, "name": person.name, "team_id": team},
        "api_app_id": slack.app.id,
        "token": slack.app.verification_token,
        "team": {"id": slack.workspace.team, "domain": slack.workspace.domain},
        "enterprise": None,
        "is_enterprise_install": False,
    }
