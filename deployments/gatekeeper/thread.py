"""
A run's thread in Slack: which messages there should be, by what the run's journal says.

Whoever posts compares this with what stands in the channel, so it needs no memory. Keys are stable:
a message that was wanted once is wanted under the same key as long as the journal grows. Only
reminders of a gate that was decided are wanted no more; they stay in the thread all the same.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec

from deployments.gatekeeper.messages.ending import ending
from deployments.gatekeeper.messages.findings import findings
from deployments.gatekeeper.messages.gates import Stage, gate_message, reminder, stage
from deployments.gatekeeper.messages.head import head
from deployments.gatekeeper.messages.milestones import milestones
from deployments.gatekeeper.view import Links, RunView
from tasks.domain.approval import Gate
from tasks.domain.journal import Asked, Finished
from tasks.domain.slack import Message

__all__ = ["Links", "RunView", "Wanted", "reminders_due", "wanted"]

# Each is twice as long after the one before, so there are never as many before a gate expires.
_MOST_REMINDERS: Final = 60


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A message that should stand in the thread."""

    key: str  # stable within the run's thread: head, findings, gate-start, wave-2-moved, ...
    message: Message
    is_updated: bool  # False: once posted it stays as it is


def wanted(view: RunView) -> tuple[Wanted, ...]:
    """Return the whole thread in its order, the head first."""
    found = findings(view)
    return (
        Wanted(key="head", message=head(view), is_updated=True),
        *([Wanted(key="findings", message=found, is_updated=False)] if found is not None else []),
        *_story(view),
        *_reminders(view),
    )


def _story(view: RunView) -> Iterator[Wanted]:
    """Yield the gates and the milestones in the journal's order."""
    told, policy, asked = milestones(view.record), view.policy, set[str]()
    for place, entry in enumerate(view.record.entries):
        if (one := told.get(place)) is not None:
            message = ending(entry, view) if isinstance(entry, Finished) else one.message(policy)
            yield Wanted(key=one.key, message=message, is_updated=False)
        if isinstance(entry, Asked) and entry.gate.name not in asked:
            asked.add(entry.gate.name)
            message = gate_message(entry.gate, view)
            yield Wanted(key=f"gate-{entry.gate.name}", message=message, is_updated=True)


def _reminders(view: RunView) -> Iterator[Wanted]:
    gate = view.open_gate
    if gate is None or stage(gate, view) is not Stage.OPEN:
        return
    if due := reminders_due(gate, view.now):
        key = f"gate-{gate.name}-reminder-{due}"
        yield Wanted(key=key, message=reminder(gate, view), is_updated=False)


def reminders_due(gate: Gate, now: datetime) -> int:
    """
    Return how many reminders of an open gate are due.

    The first comes after the policy's time, the next after twice as long again, and so on; none
    after the gate has expired.
    """
    pause = gate.policy.remind_after_seconds
    if not pause > 0 or now >= gate.expires_at:
        return 0
    waited, due, at = (now - gate.asked_at).total_seconds(), 0, pause
    while at <= waited and due < _MOST_REMINDERS:
        due += 1
        pause *= 2
        at += pause
    return due
