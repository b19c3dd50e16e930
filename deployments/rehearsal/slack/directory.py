"""Who is in the workspace and where: groups and channels may change while it runs."""

from collections.abc import Iterable
from dataclasses import replace

from deployments.rehearsal.slack.errors import Refused, UnknownPlace
from deployments.rehearsal.slack.workspace import Channel, Group, Person, Workspace


class Directory:
    """People, groups and channels, by their ids."""

    def __init__(self, workspace: Workspace) -> None:
        self.team, self.app = workspace.team, workspace.app
        bot = Person(id=self.app.bot_user, name=self.app.name, real_name=self.app.name)
        self.people = {one.id: one for one in (*workspace.people, bot)}
        self.groups = {one.id: one for one in workspace.groups}
        self.channels = {one.id: one for one in workspace.channels}

    def person(self, user: str) -> Person:
        """Return who does something. Raises UnknownPlace."""
        if user not in self.people:
            raise UnknownPlace(f"no such person: {user}")
        return self.people[user]

    def attended(self, channel: str, user: str) -> Channel:
        """Return a channel that a person is in. Raises UnknownPlace."""
        person, found = self.person(user), self.channels.get(channel)
        if found is None or user not in found.members:
            raise UnknownPlace(f"{person.name} is in no channel {channel}")
        return found

    def change_group(self, group: str, members: Iterable[str]) -> None:
        """Say who is in a group from now on, by its id or its handle. Raises UnknownPlace."""
        for one in self.groups.values():
            if group in {one.id, one.handle}:
                self.groups[one.id] = replace(one, members=tuple(members))
                return
        raise UnknownPlace(f"no such group: {group}")

    def drop_group(self, group: str) -> None:
        self.groups.pop(group, None)

    def add(self, *added: Person | Group | Channel) -> None:
        """Add, or replace what has the same id."""
        for one in added:
            match one:
                case Person():
                    self.people[one.id] = one
                case Group():
                    self.groups[one.id] = one
                case Channel():
                    self.channels[one.id] = one

    def channel(self, name: object) -> Channel:
        """Return a channel that the bot can see, by its id. Raises Refused."""
        found = self.channels.get(str(name or ""))
        if found is None or (found.is_private and not found.has_bot):
            raise Refused("channel_not_found")
        return found

    def joined(self, name: object) -> Channel:
        """Return a channel that the bot is in, by its id. Raises Refused."""
        found = self.channel(name)
        if not found.has_bot:
            raise Refused("not_in_channel")
        return found

    def named(self, name: str) -> str:
        """Return the id of a channel that was named as people do: `#name`."""
        found = (one.id for one in self.channels.values() if f"#{one.name}" == name)
        return next(found, name)

    def members(self, channel: Channel) -> list[str]:
        return [*channel.members, self.app.bot_user] if channel.has_bot else [*channel.members]

    def handles_of(self, user: str) -> list[str]:
        return [one.handle for one in self.groups.values() if user in one.members]

    def team_of(self, user: str) -> str:
        return self.people[user].team or self.team
