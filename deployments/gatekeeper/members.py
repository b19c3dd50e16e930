"""
Who is in a Slack user group now.

What Slack said is believed for a minute, and asked of it once at a time for each group, however many
people click. What Slack cannot say is unknown, and nobody is let through on it.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from tasks.adapters.ports import SlackPeople
from tasks.domain.errors import UpgradeError
from tasks.domain.policy import GROUP, Policy
from tasks.domain.slack import Person

_BELIEVED: Final = 60.0  # seconds


class Members:
    """The people of user groups, by `slack-group:TEAM/GROUP`."""

    def __init__(self, people: SlackPeople, *, monotonic: Callable[[], float]) -> None:
        self._people = people
        self._monotonic = monotonic
        self._asking: dict[str, asyncio.Task[frozenset[str]]] = {}
        self._known: dict[str, tuple[float, frozenset[str]]] = {}

    async def groups_of(self, person: Person, groups: Sequence[str]) -> tuple[str, ...]:
        """
        Return those of the groups that somebody is in.

        Raises UpgradeError if Slack cannot say, unless the person is in one that it can say.
        """
        found: list[str] = []
        trouble: UpgradeError | None = None
        for group in groups:
            team, _, name = group.removeprefix(GROUP).partition("/")
            if team != person.team:  # ids of other workspaces' people mean others
                continue
            try:
                if person.user in await self._members(name):
                    found.append(group)
            except UpgradeError as error:
                trouble = error
        if trouble is not None and not found:
            raise trouble
        return tuple(found)

    async def groups_for(self, person: Person, policy: Policy) -> tuple[str, ...]:
        """Return the approving groups that somebody needs to vote: none who is named themselves."""
        if policy.may_vote(person.identity):
            return ()
        return await self.groups_of(person, policy.groups)

    async def _members(self, group: str) -> frozenset[str]:
        at, known = self._known.get(group, (0.0, None))
        if known is not None and self._monotonic() - at < _BELIEVED:
            return known
        task = self._asking.get(group)
        if task is None:
            task = self._asking[group] = asyncio.create_task(self._ask(group))
        # One person's giving up must not take the answer from the others.
        return await asyncio.shield(task)

    async def _ask(self, group: str) -> frozenset[str]:
        asked_at = self._monotonic()
        try:
            found = await self._people.members(group)
        finally:
            self._asking.pop(group, None)
        self._known[group] = (asked_at, found)
        return found
