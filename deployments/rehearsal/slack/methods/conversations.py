"""conversations.*: where one is, and what was said there."""

from typing import Final

from deployments.rehearsal.slack.errors import Refused
from deployments.rehearsal.slack.limits import TIERS
from deployments.rehearsal.slack.methods.method import (
    Method,
    is_true,
    needed,
    page_of,
    text_of,
    with_cursor,
)
from deployments.rehearsal.slack.objects import Json, Message
from deployments.rehearsal.slack.state import Slack
from deployments.rehearsal.slack.times import order
from deployments.rehearsal.slack.workspace import Channel

_READ: Final = ("channels:read", "groups:read")
_HISTORY: Final = ("channels:history", "groups:history")


def _history(slack: Slack, arguments: Json) -> Json:
    channel = slack.directory.joined(needed(arguments, "channel")).id
    found = _between(arguments, slack.conversations.top(channel))
    return _told(slack, arguments, found[::-1]) | {"pin_count": 0}


def _replies(slack: Slack, arguments: Json) -> Json:
    channel = slack.directory.joined(needed(arguments, "channel")).id
    root = slack.conversations.get(channel, needed(arguments, "ts"))
    if root is None:
        raise Refused("thread_not_found")
    if root.is_reply:
        return _told(slack, arguments, [root])
    return _told(slack, arguments, [root, *_between(arguments, slack.conversations.replies(root))])


def _told(slack: Slack, arguments: Json, found: list[Message]) -> Json:
    page, cursor = page_of(arguments, found, lambda one: one.ts)
    metadata = is_true(arguments, "include_all_metadata")
    messages = [
        slack.conversations.shown(one, team=slack.workspace.team, metadata=metadata) for one in page
    ]
    answer: Json = {"messages": messages, "has_more": bool(cursor)}
    return with_cursor(answer, cursor) if cursor else answer


def _between(arguments: Json, messages: list[Message]) -> list[Message]:
    try:
        oldest = order(text_of(arguments, "oldest") or "0")
        latest = order(text_of(arguments, "latest") or "99999999999")
    except ValueError:
        raise Refused("invalid_arguments") from None
    if is_true(arguments, "inclusive"):
        return [one for one in messages if oldest <= order(one.ts) <= latest]
    return [one for one in messages if oldest < order(one.ts) < latest]


def _info(slack: Slack, arguments: Json) -> Json:
    channel = slack.directory.channel(needed(arguments, "channel"))
    found = _channel(slack, channel)
    if is_true(arguments, "include_num_members"):
        found["num_members"] = len(slack.directory.members(channel))
    return {"channel": found}


def _members(slack: Slack, arguments: Json) -> Json:
    channel = slack.directory.channel(needed(arguments, "channel"))
    page, cursor = page_of(arguments, slack.directory.members(channel), str)
    return with_cursor({"members": page}, cursor)


def _list(slack: Slack, arguments: Json) -> Json:
    kinds = {one.strip() for one in (text_of(arguments, "types") or "public_channel").split(",")}
    found = [
        one
        for one in slack.directory.channels.values()
        if ("private_channel" if one.is_private else "public_channel") in kinds
        and (one.has_bot or not one.is_private)
    ]
    page, cursor = page_of(arguments, found, lambda one: one.id)
    return with_cursor({"channels": [_channel(slack, one) for one in page]}, cursor)


def _channel(slack: Slack, channel: Channel) -> Json:
    return {
        "id": channel.id,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": not channel.is_private,
        "is_group": channel.is_private,
        "is_im": False,
        "is_private": channel.is_private,
        "is_archived": False,
        "is_general": False,
        "is_member": channel.has_bot,
        "context_team_id": slack.workspace.team,
    }


METHODS: Final = {
    "conversations.history": Method(run=_history, scopes=_HISTORY),
    "conversations.replies": Method(run=_replies, scopes=_HISTORY),
    "conversations.info": Method(run=_info, scopes=_READ),
    "conversations.members": Method(run=_members, scopes=_READ, allowed=TIERS[4]),
    "conversations.list": Method(run=_list, scopes=_READ, allowed=TIERS[2]),
}
