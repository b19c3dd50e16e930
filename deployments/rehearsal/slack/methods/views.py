"""views.*: modals, which can be opened only while what a person did is fresh."""

from dataclasses import replace
from typing import Final

from deployments.rehearsal.slack.blocks.checking import checked_view, completed
from deployments.rehearsal.slack.errors import Refused
from deployments.rehearsal.slack.limits import TIERS
from deployments.rehearsal.slack.methods.method import Method, needed, text_of
from deployments.rehearsal.slack.objects import Json, View
from deployments.rehearsal.slack.state import Slack, fresh_id

_MOST_PUSHED: Final = 3
_SHOWN: Final[Json] = {
    "private_metadata": "",
    "callback_id": "",
    "close": None,
    "submit": None,
    "clear_on_close": False,
    "notify_on_close": False,
    "external_id": "",
}


def _open(slack: Slack, arguments: Json) -> Json:
    content = checked_view(arguments.get("view"))
    user = slack.passes.exchange(arguments.get("trigger_id"))
    for view in views_of(slack, user):
        del slack.views[view.id]  # a new modal is opened in the place of the old one
    return {"view": shown(slack, add_view(slack, user, content))}


def _push(slack: Slack, arguments: Json) -> Json:
    content = checked_view(arguments.get("view"))
    user = slack.passes.exchange(arguments.get("trigger_id"))
    return {"view": shown(slack, push_view(slack, user, content))}


def _update(slack: Slack, arguments: Json) -> Json:
    content = checked_view(arguments.get("view"))
    name = text_of(arguments, "view_id") or _external(slack, needed(arguments, "external_id"))
    view = slack.views.get(name)
    if view is None:
        raise Refused("not_found")
    if arguments.get("hash") not in {None, "", view.hash}:
        raise Refused("hash_conflict")
    replace_view(slack, view, content)
    return {"view": shown(slack, slack.views[name])}


def _external(slack: Slack, name: str) -> str:
    found = (one.id for one in slack.views.values() if one.content.get("external_id") == name)
    return next(found, "")


def views_of(slack: Slack, user: str) -> list[View]:
    """Return the modals of a person, the one in front last."""
    return [one for one in slack.views.values() if one.user == user]


def add_view(slack: Slack, user: str, content: Json, *, over: View | None = None) -> View:
    name = f"V{fresh_id().upper()}"
    view = View(
        id=name,
        user=user,
        content=_kept(content),
        hash=_hash(slack),
        root=over.root if over else name,
        previous=over.id if over else "",
    )
    slack.views[name] = view
    return view


def push_view(slack: Slack, user: str, content: Json) -> View:
    """Lay a modal over what a person sees. Raises Refused."""
    stack = views_of(slack, user)
    if len(stack) >= _MOST_PUSHED:
        raise Refused("push_limit_reached")
    return add_view(slack, user, content, over=stack[-1] if stack else None)


def replace_view(slack: Slack, view: View, content: Json) -> None:
    slack.views[view.id] = replace(
        view, content=_kept(content), hash=_hash(slack), errors={}, filled={}
    )


def _kept(content: Json) -> Json:
    return content | {"blocks": completed(content.get("blocks", []), fresh_id)}


def _hash(slack: Slack) -> str:
    return f"{slack.stamps.next().partition('.')[0]}.{fresh_id()}"


def shown(slack: Slack, view: View, *, values: Json | None = None) -> Json:
    """Return a modal as the Web API tells it."""
    return (
        _SHOWN
        | view.content
        | {
            "id": view.id,
            "team_id": slack.workspace.team,
            "app_id": slack.app.id,
            "app_installed_team_id": slack.workspace.team,
            "bot_id": slack.app.bot_id,
            "root_view_id": view.root,
            "previous_view_id": view.previous or None,
            "hash": view.hash,
            "state": {"values": values or {}},
        }
    )


METHODS: Final = {
    "views.open": Method(run=_open, allowed=TIERS[4]),
    "views.push": Method(run=_push, allowed=TIERS[4]),
    "views.update": Method(run=_update, allowed=TIERS[4]),
}
