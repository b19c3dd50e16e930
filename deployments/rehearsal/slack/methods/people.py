"""auth.*, users.*, usergroups.*, reactions.* and apps.*: who one is, and who the others are."""

from typing import Final

from deployments.rehearsal.slack.errors import Refused
from deployments.rehearsal.slack.limits import SPECIAL, TIERS
from deployments.rehearsal.slack.methods.method import (
    Method,
    is_true,
    needed,
    page_of,
    with_cursor,
)
from deployments.rehearsal.slack.objects import Json
from deployments.rehearsal.slack.state import Slack
from deployments.rehearsal.slack.workspace import Group, Person

_USERS: Final = ("users:read",)
_GROUPS: Final = ("usergroups:read",)


def _auth_test(slack: Slack, _arguments: Json) -> Json:
    return {
        "url": f"https://{slack.workspace.domain}.slack.com/",
        "team": slack.workspace.domain,
        "user": slack.app.name,
        "team_id": slack.workspace.team,
        "user_id": slack.app.bot_user,
        "bot_id": slack.app.bot_id,
        "is_enterprise_install": False,
    }


def _api_test(_slack: Slack, arguments: Json) -> Json:
    told = {name: value for name, value in arguments.items() if name != "token"}
    if told.get("error"):
        raise Refused(str(told["error"]), args=told)
    return {"args": told}


def _open_connection(slack: Slack, _arguments: Json) -> Json:
    scheme, _, rest = slack.base_url.partition("://")
    socket = "wss" if scheme == "https" else "ws"
    return {"url": f"{socket}://{rest}/link?ticket={slack.hub.ticket()}&app_id={slack.app.id}"}


def _user_info(slack: Slack, arguments: Json) -> Json:
    found = slack.directory.people.get(needed(arguments, "user"))
    if found is None:
        raise Refused("user_not_found")
    return {"user": _user(slack, found)}


def _user_list(slack: Slack, arguments: Json) -> Json:
    page, cursor = page_of(arguments, [*slack.directory.people.values()], lambda one: one.id)
    return with_cursor({"members": [_user(slack, one) for one in page]}, cursor)


def _user(slack: Slack, person: Person) -> Json:
    name = person.real_name or person.name
    return {
        "id": person.id,
        "team_id": person.team or slack.workspace.team,
        "name": person.name,
        "real_name": name,
        "deleted": person.deleted,
        "is_bot": person.id == slack.app.bot_user,
        "is_app_user": False,
        "profile": {"real_name": name, "display_name": person.name},
    }


def _group_list(slack: Slack, arguments: Json) -> Json:
    with_users = is_true(arguments, "include_users")
    groups = slack.directory.groups.values()
    return {"usergroups": [_group(slack, one, with_users=with_users) for one in groups]}


def _group(slack: Slack, group: Group, *, with_users: bool) -> Json:
    found: Json = {
        "id": group.id,
        "team_id": slack.workspace.team,
        "is_usergroup": True,
        "is_external": False,
        "name": group.handle,
        "handle": group.handle,
        "date_delete": 0,
        "user_count": len(group.members),
    }
    return found | ({"users": list(group.members)} if with_users else {})


def _group_users(slack: Slack, arguments: Json) -> Json:
    found = slack.directory.groups.get(needed(arguments, "usergroup"))
    if found is None:
        raise Refused("no_such_subteam")
    return {"users": list(found.members)}


def _react(slack: Slack, arguments: Json) -> Json:
    channel = slack.directory.joined(needed(arguments, "channel")).id
    message = slack.conversations.get(channel, needed(arguments, "timestamp"))
    name = needed(arguments, "name")
    if message is None:
        raise Refused("message_not_found")
    users = message.reactions.setdefault(name, [])
    if slack.app.bot_user in users:
        raise Refused("already_reacted")
    users.append(slack.app.bot_user)
    return {}


METHODS: Final = {
    "api.test": Method(run=_api_test, for_anyone=True, allowed=TIERS[4]),
    # Slack's pages disagree on its tier; clients connect anew more often than once a minute.
    "apps.connections.open": Method(
        run=_open_connection, for_app=True, scopes=("connections:write",)
    ),
    "auth.test": Method(run=_auth_test, allowed=SPECIAL),
    "reactions.add": Method(run=_react, scopes=("reactions:write",)),
    "usergroups.list": Method(run=_group_list, scopes=_GROUPS, allowed=TIERS[2]),
    "usergroups.users.list": Method(run=_group_users, scopes=_GROUPS, allowed=TIERS[2]),
    "users.info": Method(run=_user_info, scopes=_USERS, allowed=TIERS[4]),
    "users.list": Method(run=_user_list, scopes=_USERS, allowed=TIERS[2]),
}
