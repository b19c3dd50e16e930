"""Fifty people in a Slack of this machine, every other one of them an approver."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

from deployments.rehearsal.slack import payloads
from deployments.rehearsal.slack.objects import Json
from deployments.rehearsal.slack.running import RunningSlack
from deployments.rehearsal.slack.workspace import Channel, Person, Workspace

CROWD: Final = tuple(f"U1{number:02}" for number in range(50))
APPROVERS: Final = CROWD[::2]
CHANNEL: Final = "C0MESH"
_APPROVE: Final = "gate-approve"
_LONGEST: Final = 30.0


def crowd_workspace() -> Workspace:
    """Return their workspace."""
    return Workspace(
        people=tuple(Person(id=one, name=one.lower()) for one in CROWD),
        channels=(Channel(id=CHANNEL, name="mesh", members=CROWD),),
    )


@dataclass(frozen=True, kw_only=True)
class Button:
    """A button as it was shown; people press it after it is gone, too."""

    ts: str
    block: Json
    element: Json


@dataclass(frozen=True)
class Crowd:
    """Their hands and eyes."""

    slack: RunningSlack

    def gates(self) -> list[str]:
        """Return the gates that can be approved now, by the keys of their messages."""
        return [str(_key(one)) for one in self._messages() if _element(one) is not None]

    def button(self, key: str) -> Button:
        message = next(one for one in self._messages() if _key(one) == key)
        found = _element(message)
        assert found is not None
        return Button(ts=str(message["ts"]), block=found[0], element=found[1])

    def click(self, user: str, key: str) -> float | None:
        return self.press(user, self.button(key))

    def press(self, user: str, button: Button) -> float | None:
        """Press, and return how long it took to be acknowledged; None if it was not in time."""
        slack = self.slack.slack

        async def pressed() -> float | None:
            message = slack.conversations.get(CHANNEL, button.ts)
            assert message is not None
            action = payloads.action_of(slack, button.block, button.element, None)
            told = payloads.block_actions(slack, user, message, action, {})
            began = time.perf_counter()
            answer = await slack.hub.deliver("interactive", told, patience=slack.patience)
            return None if answer is None else time.perf_counter() - began

        return asyncio.run_coroutine_threadsafe(pressed(), self.slack.loop).result(_LONGEST)

    def _messages(self) -> list[Json]:
        return [one for one in self.slack.messages(CHANNEL) if one.get("metadata")]


def _key(message: Json) -> object:
    return message["metadata"]["event_payload"]["key"]


def _element(message: Json) -> tuple[Json, Json] | None:
    for block in message["blocks"]:
        for element in block.get("elements", ()):
            if element.get("action_id") == _APPROVE:
                return block, element
    return None
