"""
The methods of Slack's API that we call, and the scopes that they need.

The one place that says so: the app's manifest and `doctor` are held to it.
"""

from enum import Enum
from typing import Final, NamedTuple


class _Needs(NamedTuple):
    name: str
    scopes: tuple[str, ...] = ()


class Method(Enum):
    """What we ask of Slack with the bot's token."""

    WHO_AM_I = _Needs("auth.test")
    POST = _Needs("chat.postMessage", ("chat:write",))
    UPDATE = _Needs("chat.update", ("chat:write",))
    WHISPER = _Needs("chat.postEphemeral", ("chat:write",))
    # Private channels are groups to Slack's scopes.
    HISTORY = _Needs("conversations.history", ("channels:history", "groups:history"))
    REPLIES = _Needs("conversations.replies", ("channels:history", "groups:history"))
    MEMBERS = _Needs("usergroups.users.list", ("usergroups:read",))
    MODAL = _Needs("views.open")
    # With the app's token, not the bot's, whose scope is chosen when that token is made.
    CONNECT = _Needs("apps.connections.open")

    @property
    def scopes(self) -> tuple[str, ...]:
        return self.value.scopes

    @property
    def name_in_slack(self) -> str:
        return self.value.name


BOT_SCOPES: Final = frozenset(
    {"commands"}.union(*(method.scopes for method in Method))  # commands: what people type
)
APP_SCOPE: Final = "connections:write"
