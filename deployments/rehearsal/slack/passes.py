"""What Slack hands out with an interaction, for a while: trigger ids and response URLs."""

import secrets
from dataclasses import dataclass
from typing import Final

from deployments.rehearsal.slack.errors import Refused
from deployments.rehearsal.slack.times import Now

TRIGGER_LASTS: Final = 3.0
RESPONSE_LASTS: Final = 30 * 60.0
RESPONSE_USES: Final = 5


@dataclass(slots=True, kw_only=True)
class _Trigger:
    user: str
    made: float
    used: bool = False


@dataclass(slots=True, kw_only=True)
class ResponsePass:
    """The right to answer, where somebody did something."""

    channel: str
    user: str
    made: float
    ts: str = ""  # of the message with the button
    is_ephemeral: bool = False
    uses: int = RESPONSE_USES


class Passes:
    """Makes them and takes them."""

    def __init__(self, now: Now) -> None:
        self._now = now
        self._triggers: dict[str, _Trigger] = {}
        self._responses: dict[str, ResponsePass] = {}

    def trigger(self, user: str) -> str:
        made = f"{secrets.randbelow(10**13)}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self._triggers[made] = _Trigger(user=user, made=self._now())
        return made

    def exchange(self, trigger: object) -> str:
        """Return whose trigger id it was. Raises Refused."""
        found = self._triggers.get(str(trigger or ""))
        if found is None:
            raise Refused("invalid_trigger_id")
        if found.used:
            raise Refused("exchanged_trigger_id")
        if self._now() - found.made > TRIGGER_LASTS:
            raise Refused("expired_trigger_id")
        found.used = True
        return found.user

    def response(self, channel: str, user: str, *, ts: str = "", is_ephemeral: bool = False) -> str:
        """Return the path of a response URL."""
        name = f"{secrets.randbelow(10**12)}/{secrets.token_hex(12)}"
        self._responses[name] = ResponsePass(
            channel=channel, user=user, made=self._now(), ts=ts, is_ephemeral=is_ephemeral
        )
        return name

    def respond(self, name: str) -> ResponsePass:
        """Use a response URL once. Raises Refused."""
        found = self._responses.get(name)
        if found is None:
            raise Refused("invalid_url")
        if self._now() - found.made > RESPONSE_LASTS:
            raise Refused("expired_url")
        if found.uses <= 0:
            raise Refused("used_url")
        found.uses -= 1
        return found
