"""What was said: the messages of all channels, and those that only one person sees."""

from collections import defaultdict

from deployments.rehearsal.slack.objects import TOMBSTONE, Json, Message
from deployments.rehearsal.slack.times import order


class Conversations:
    """Keeps the messages."""

    def __init__(self) -> None:
        self._said: dict[str, dict[str, Message]] = defaultdict(dict)
        self.ephemeral: list[Message] = []

    def add(self, message: Message) -> None:
        if message.to:
            self.ephemeral.append(message)
        else:
            self._said[message.channel][message.ts] = message

    def get(self, channel: str, ts: str) -> Message | None:
        """Return a message that everybody sees."""
        return self._said[channel].get(ts)

    def whispered(self, channel: str, ts: str, user: str) -> Message | None:
        """Return a message that only that person sees."""
        wanted = (channel, ts, user)
        return next(
            (one for one in self.ephemeral if (one.channel, one.ts, one.to) == wanted), None
        )

    def remove(self, message: Message) -> None:
        """Take a message away; of one with replies a stone is left."""
        if message.to:
            self.ephemeral.remove(message)
        elif self.replies(message):
            message.text, message.blocks, message.metadata = "This message was deleted.", [], {}
            message.subtype = TOMBSTONE
        else:
            del self._said[message.channel][message.ts]

    def all(self, channel: str) -> list[Message]:
        """Return everything that everybody sees, the oldest first."""
        return sorted(self._said[channel].values(), key=lambda one: order(one.ts))

    def top(self, channel: str) -> list[Message]:
        """Return what is in no thread, or begins one, the oldest first."""
        return [one for one in self.all(channel) if not one.is_reply]

    def replies(self, root: Message) -> list[Message]:
        found = self.all(root.channel)
        return [one for one in found if one.is_reply and one.thread_ts == root.ts]

    def shown(self, message: Message, *, team: str, metadata: bool = False) -> Json:
        """Return a message as the Web API tells it."""
        found: Json = {
            "type": "message",
            "user": message.user,
            "ts": message.ts,
            "text": message.text,
            "team": team,
        }
        more = {"bot_id": message.bot_id, "app_id": message.app_id, "subtype": message.subtype}
        found |= {name: value for name, value in more.items() if value}
        if message.blocks:
            found["blocks"] = message.blocks
        if message.edited:
            found["edited"] = {"user": message.user, "ts": message.edited}
        if message.reactions:
            found["reactions"] = [
                {"name": name, "users": users, "count": len(users)}
                for name, users in message.reactions.items()
            ]
        if metadata and message.metadata:
            found["metadata"] = message.metadata
        return found | self._thread(message)

    def _thread(self, message: Message) -> Json:
        if message.is_reply:
            return {"thread_ts": message.thread_ts}
        replies = self.replies(message) if not message.to else []
        if not replies:
            return {}
        users = list(dict.fromkeys(one.user for one in replies))
        return {
            "thread_ts": message.ts,
            "reply_count": len(replies),
            "reply_users": users,
            "reply_users_count": len(users),
            "latest_reply": replies[-1].ts,
        }
