"""Who and what a workspace begins with: its app, people, groups, channels and commands."""

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

TEAM: Final = "T0REHEARSE"
BOT_SCOPES: Final = (
    "channels:history",
    "channels:read",
    "chat:write",
    "commands",
    "groups:history",
    "reactions:write",
    "usergroups:read",
    "users:read",
)
_SHORT, _LONG = 12, 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    id: str
    name: str
    real_name: str = ""
    team: str = ""  # of somebody else's workspace; the empty one is ours
    deleted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    id: str
    handle: str
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A channel; `has_bot` says whether the app's bot was invited."""

    id: str
    name: str
    members: tuple[str, ...] = ()
    has_bot: bool = True
    is_private: bool = False


def _made(prefix: str, length: int = _LONG) -> str:
    return prefix + secrets.token_hex(length)


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """The one app of a workspace. Its tokens and its secret are made anew unless they are given."""

    id: str = "A0REHEARSE"
    name: str = "rehearsed"
    bot_user: str = "U0BOT"
    bot_id: str = "B0BOT"
    bot_scopes: tuple[str, ...] = BOT_SCOPES
    app_scopes: tuple[str, ...] = ("connections:write",)
    commands: tuple[str, ...] = ("/istio-canary",)
    bot_token: str = field(default_factory=lambda: _made("xoxb-"), repr=False)
    app_token: str = field(default_factory=lambda: _made("xapp-1-"), repr=False)
    signing_secret: str = field(default_factory=lambda: _made("", 16), repr=False)
    verification_token: str = field(default_factory=lambda: _made("", _SHORT), repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A workspace as it starts; with a request URL its app is called there, not over sockets."""

    team: str = TEAM
    domain: str = "rehearse"
    app: App = field(default_factory=App)
    people: tuple[Person, ...] = ()
    groups: tuple[Group, ...] = ()
    channels: tuple[Channel, ...] = ()
    request_url: str = ""


ALICE: Final = Person(id="U0ALICE", name="alice", real_name="Alice Able")
BOB: Final = Person(id="U0BOB", name="bob", real_name="Bob Baker")
CAROL: Final = Person(id="U0CAROL", name="carol", real_name="Carol Chen")
MALLORY: Final = Person(id="U0MALLORY", name="mallory", real_name="Mallory Moe")
ADMINS: Final = Group(id="S0ADMINS", handle="mesh-admins", members=(ALICE.id, BOB.id))
_ALL: Final = (ALICE.id, BOB.id, CAROL.id, MALLORY.id)
UPGRADES: Final = Channel(id="C0UPGRADES", name="mesh-upgrades", members=_ALL)
RANDOM: Final = Channel(id="C0RANDOM", name="random", members=_ALL, has_bot=False)


def default_workspace() -> Workspace:
    """Return the workspace of rehearsals: alice and bob are @mesh-admins, carol and mallory not."""
    return Workspace(
        people=(ALICE, BOB, CAROL, MALLORY),
        groups=(ADMINS,),
        channels=(UPGRADES, RANDOM),
    )


def read_workspace(path: Path) -> Workspace:
    """Read a workspace from JSON. Raises OSError, and msgspec.ValidationError for what it is not."""
    return msgspec.json.decode(path.read_bytes(), type=Workspace)
