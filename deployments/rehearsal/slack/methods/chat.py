"""chat.*: what the bot says, changes and takes back."""

from typing import Final, cast

from deployments.rehearsal.slack.blocks.checking import checked_blocks, completed, parsed
from deployments.rehearsal.slack.errors import Refused
from deployments.rehearsal.slack.limits import SPECIAL, TIERS
from deployments.rehearsal.slack.methods.method import Method, needed, text_of
from deployments.rehearsal.slack.objects import TOMBSTONE, Json, Message
from deployments.rehearsal.slack.state import Slack, fresh_id

MOST_TEXT: Final = 40_000
_WRITE: Final = ("chat:write",)


def _post(slack: Slack, arguments: Json) -> Json:
    channel = slack.directory.joined(slack.directory.named(needed(arguments, "channel"))).id
    text, blocks = _content(arguments)
    thread = _thread(slack, channel, text_of(arguments, "thread_ts"))
    metadata = _metadata(arguments)
    slack.limits.post(channel)
    message = slack.post(
        channel, text=text[:MOST_TEXT], blocks=blocks or (), thread_ts=thread, metadata=metadata
    )
    return {"channel": channel, "ts": message.ts, "message": _told(slack, message)}


def _whisper(slack: Slack, arguments: Json) -> Json:
    channel = slack.directory.joined(needed(arguments, "channel"))
    user = needed(arguments, "user")
    if user not in channel.members:
        raise Refused("user_not_in_channel")
    text, blocks = _content(arguments)
    thread = text_of(arguments, "thread_ts")
    message = slack.post(
        channel.id, text=text[:MOST_TEXT], blocks=blocks or (), thread_ts=thread, to=user
    )
    return {"message_ts": message.ts}


def _update(slack: Slack, arguments: Json) -> Json:
    channel = slack.directory.channel(needed(arguments, "channel"))
    message = _own(slack, channel.id, needed(arguments, "ts"), "cant_update_message")
    text, blocks = _content(arguments)
    if len(text) > MOST_TEXT:
        raise Refused("msg_too_long")
    metadata = _metadata(arguments)
    change(slack, message, text=text, blocks=blocks)
    if metadata is not None:
        message.metadata = metadata
    told = _told(slack, message)
    return {"channel": channel.id, "ts": message.ts, "text": message.text, "message": told}


def change(slack: Slack, message: Message, *, text: str, blocks: list[Json] | None) -> None:
    """Change what a message says: a text without blocks takes the blocks away."""
    if text or blocks is not None:
        message.blocks = completed(blocks or [], fresh_id)
        message.text = text
    if not blocks:
        message.edited = slack.stamps.next()


def _delete(slack: Slack, arguments: Json) -> Json:
    channel = slack.directory.channel(needed(arguments, "channel"))
    message = _own(slack, channel.id, needed(arguments, "ts"), "cant_delete_message")
    slack.conversations.remove(message)
    return {"channel": channel.id, "ts": message.ts}


def _own(slack: Slack, channel: str, ts: str, error: str) -> Message:
    message = slack.conversations.get(channel, ts)
    if message is None or message.subtype == TOMBSTONE:
        raise Refused("message_not_found")
    if message.bot_id != slack.app.bot_id:
        raise Refused(error)
    return message


def _told(slack: Slack, message: Message) -> Json:
    return slack.conversations.shown(message, team=slack.workspace.team, metadata=True)


def _content(arguments: Json) -> tuple[str, list[Json] | None]:
    text, blocks = text_of(arguments, "text"), checked_blocks(arguments.get("blocks"))
    if not text.strip() and not blocks:
        raise Refused("no_text")
    return text, blocks


def _thread(slack: Slack, channel: str, ts: str) -> str:
    """Return where a reply belongs; a reply to a reply belongs to the same thread."""
    if not ts:
        return ""
    root = slack.conversations.get(channel, ts)
    if root is None:
        raise Refused("thread_not_found")
    return root.thread_ts or root.ts


def _metadata(arguments: Json) -> Json | None:
    """Return the metadata; None if there is no word of it, and nothing to take it away."""
    found = parsed(arguments.get("metadata"), "invalid_metadata_format")
    if found is None:
        return None
    if not isinstance(found, dict):
        raise Refused("invalid_metadata_format")
    metadata = cast("Json", found)
    if not metadata:
        return {}
    event, payload = metadata.get("event_type"), metadata.get("event_payload")
    if not isinstance(event, str) or not event or not isinstance(payload, dict):
        raise Refused("invalid_metadata_schema")
    return {"event_type": event, "event_payload": payload}


METHODS: Final = {
    "chat.postMessage": Method(run=_post, scopes=_WRITE, allowed=SPECIAL),
    "chat.postEphemeral": Method(run=_whisper, scopes=_WRITE, allowed=TIERS[4]),
    "chat.update": Method(run=_update, scopes=_WRITE),
    "chat.delete": Method(run=_delete, scopes=_WRITE),
}
