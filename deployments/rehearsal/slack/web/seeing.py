"""What one person sees on the page, before it is HTML."""

import hashlib
import json
from datetime import UTC, datetime

from deployments.rehearsal.slack.methods.views import shown, views_of
from deployments.rehearsal.slack.objects import TOMBSTONE, Json, Message
from deployments.rehearsal.slack.state import Slack
from deployments.rehearsal.slack.times import order
from deployments.rehearsal.slack.workspace import Channel


def seen(slack: Slack, user: str, channel: Channel, thread: str) -> Json:
    """Return what the page shows to a person who has a channel open, and perhaps a thread."""
    root = slack.conversations.get(channel.id, thread) if thread else None
    views = views_of(slack, user)
    front = views[-1] if views else None
    return {
        "messages": [_message(slack, one) for one in _of_channel(slack, channel.id, user)],
        "thread": [_message(slack, one) for one in _of_thread(slack, root, user)] if root else [],
        "thread_ts": root.ts if root else "",
        "view": shown(slack, front) | {"errors": front.errors, "filled": front.filled}
        if front
        else None,
        "warnings": slack.warnings[user][-3:],
        "is_down": slack.faults.is_down,
    }


def digest(sight: Json) -> str:
    """Return a short name of what is seen: another one says that the page is out of date."""
    return hashlib.sha256(json.dumps(sight, sort_keys=True).encode()).hexdigest()[:16]


def channels_of(slack: Slack, user: str) -> list[Channel]:
    """Return the channels that a person is in."""
    return [one for one in slack.directory.channels.values() if user in one.members]


def _of_channel(slack: Slack, channel: str, user: str) -> list[Message]:
    said = slack.conversations
    whispered = [
        one
        for one in said.ephemeral
        if (one.channel, one.to) == (channel, user) and not one.thread_ts
    ]
    return sorted([*said.top(channel), *whispered], key=lambda one: order(one.ts))


def _of_thread(slack: Slack, root: Message, user: str) -> list[Message]:
    said = slack.conversations
    whispered = [
        one
        for one in said.ephemeral
        if (one.channel, one.to, one.thread_ts) == (root.channel, user, root.ts)
    ]
    replies = sorted([*said.replies(root), *whispered], key=lambda one: order(one.ts))
    return [root, *replies]


def _message(slack: Slack, message: Message) -> Json:
    person = slack.directory.people.get(message.user)
    name = person.name if person else message.user
    at = datetime.fromtimestamp(order(message.ts)[0], UTC)
    replies = slack.conversations.replies(message) if not (message.to or message.is_reply) else []
    return {
        "ts": message.ts,
        "channel": message.channel,
        "who": name,
        "is_app": bool(message.bot_id),
        "at": at.strftime("%H:%M:%S"),
        "text": message.text,
        "blocks": message.blocks,
        "metadata": message.metadata,
        "only_you": bool(message.to),
        "edited": bool(message.edited),
        "is_gone": message.subtype == TOMBSTONE,
        "reactions": {name: len(users) for name, users in message.reactions.items()},
        "replies": len(replies),
    }
