"""
What people do: press buttons, fill in modals, type commands; and what they see of the answer.

An app that does not acknowledge in time leaves a warning to the person, and nothing is repeated.
"""

from dataclasses import dataclass
from typing import Final

from deployments.rehearsal.slack import payloads, request_urls
from deployments.rehearsal.slack.blocks.checking import checked_blocks, checked_view, elements_of
from deployments.rehearsal.slack.errors import Refused, UnknownPlace
from deployments.rehearsal.slack.filling import Values, filled
from deployments.rehearsal.slack.methods.views import push_view, replace_view, shown, views_of
from deployments.rehearsal.slack.objects import Json, Message, Outcome, View, object_of
from deployments.rehearsal.slack.state import Slack

_FOR_ALL: Final = "in_channel"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """What is pressed: without a block it may be in any of the message."""

    channel: str
    ts: str
    action_id: str
    block_id: str = ""


async def press(slack: Slack, user: str, spot: Spot, values: Values | None = None) -> Outcome:
    """
    Press a button; `values` is what is filled in, by block id and action id.

    Raises UnknownPlace for what that person does not see.
    """
    person = slack.directory.person(user)
    message = seen(slack, spot.channel, spot.ts, user)
    values = values or {}
    for block in message.blocks:
        if spot.block_id not in {"", block["block_id"]}:
            continue
        for element in elements_of(block):
            if element.get("action_id") == spot.action_id:
                given = values.get(block["block_id"], {}).get(spot.action_id)
                action = payloads.action_of(slack, block, element, given)
                state = filled(message.blocks, values)
                payload = payloads.block_actions(slack, user, message, action, state)
                return await _told(slack, "interactive", payload, user)
    raise UnknownPlace(f"{person.name} sees no {spot.action_id} at {spot.ts}")


async def command(slack: Slack, user: str, channel: str, name: str, text: str) -> Outcome:
    """Type a slash command. Raises UnknownPlace."""
    if name not in slack.app.commands:
        raise UnknownPlace(f"{name} is not a valid command")
    payload = payloads.slash_command(slack, user, channel, name, text)
    outcome = await _told(slack, "slash_commands", payload, user)
    if outcome.answer.get("text") or outcome.answer.get("blocks"):
        try:
            show_answer(slack, outcome.answer, channel=channel, user=user)
        except Refused as error:
            slack.warnings[user].append(f"{name} failed with the error {error.error}")
    return outcome


async def submit(slack: Slack, user: str, view_id: str, values: Values) -> Outcome:
    """Send a modal off. `values` is by block id, then action id. Raises UnknownPlace."""
    view = _view(slack, user, view_id)
    view.filled = filled(view.content["blocks"], values)
    content = shown(slack, view, values=view.filled)
    told = payloads.view_submission(slack, user, "view_submission", content)
    outcome = await _told(slack, "interactive", told, user)
    if outcome.acknowledged:
        try:
            _obey(slack, view, outcome.answer)
        except Refused as error:
            slack.warnings[user].append(f"We had some trouble connecting: {error.error}")
    return outcome


async def close(slack: Slack, user: str, view_id: str) -> Outcome | None:
    """Close a modal; the app is told if it wanted to be. Raises UnknownPlace."""
    view = _view(slack, user, view_id)
    del slack.views[view.id]
    if not view.content.get("notify_on_close"):
        return None
    told = payloads.view_submission(slack, user, "view_closed", shown(slack, view))
    return await _told(slack, "interactive", told, user)


async def event(slack: Slack, content: Json) -> Outcome:
    """Tell the app of an event; these alone Slack repeats, here once and at once."""
    payload: Json = {
        "token": slack.app.verification_token,
        "team_id": slack.workspace.team,
        "api_app_id": slack.app.id,
        "event": content,
        "type": "event_callback",
        "event_id": f"Ev{slack.stamps.next().replace('.', '')}",
        "event_time": int(slack.now()),
    }
    for attempt in range(2):
        more = {"retry_attempt": attempt, "retry_reason": "timeout" if attempt else ""}
        answer = await _answer(slack, "events_api", payload, more)
        if answer is not None:
            return Outcome(acknowledged=True, payload=payload, answer=answer)
    return Outcome(acknowledged=False, payload=payload)


def show_answer(
    slack: Slack, answer: Json, *, channel: str, user: str, thread_ts: str = ""
) -> Message:
    """Show an app's answer: to that person alone, or in the channel. Raises Refused."""
    text, blocks = str(answer.get("text") or ""), checked_blocks(answer.get("blocks"))
    if not text and not blocks:
        raise Refused("no_text")
    for_all = answer.get("response_type") == _FOR_ALL
    return slack.post(
        channel,
        text=text,
        blocks=blocks or (),
        thread_ts=thread_ts,
        to="" if for_all else user,
    )


async def _told(slack: Slack, kind: str, payload: Json, user: str) -> Outcome:
    answer = await _answer(slack, kind, payload)
    if answer is None:
        slack.warnings[user].append(f"{slack.app.name} did not respond")
        return Outcome(acknowledged=False, payload=payload)
    return Outcome(acknowledged=True, payload=payload, answer=answer)


async def _answer(slack: Slack, kind: str, payload: Json, more: Json | None = None) -> Json | None:
    if not slack.request_url:
        return await slack.hub.deliver(kind, payload, patience=slack.patience, more=more)
    return await request_urls.post(
        slack.request_url,
        *request_urls.body_of(kind, payload),
        secret=slack.app.signing_secret,
        now=slack.now,
        patience=slack.patience,
    )


def seen(slack: Slack, channel: str, ts: str, user: str) -> Message:
    """Return a message that a person sees. Raises UnknownPlace."""
    found = slack.conversations.whispered(channel, ts, user)
    if found is not None:
        return found
    slack.directory.attended(channel, user)
    message = slack.conversations.get(channel, ts)
    if message is None:
        raise UnknownPlace(f"{user} sees no message {ts} in {channel}")
    return message


def _view(slack: Slack, user: str, view_id: str) -> View:
    view = slack.views.get(view_id)
    if view is None or view.user != user:
        raise UnknownPlace(f"{user} sees no modal {view_id}")
    return view


def _obey(slack: Slack, view: View, answer: Json) -> None:
    """Do with a modal what the app wants. Raises Refused."""
    match answer.get("response_action"):
        case "errors":
            errors = object_of(answer.get("errors"))
            view.errors = {name: str(text) for name, text in errors.items()}
        case "update":
            replace_view(slack, view, checked_view(answer.get("view")))
        case "push":
            push_view(slack, view.user, checked_view(answer.get("view")))
        case "clear":
            for one in views_of(slack, view.user):
                del slack.views[one.id]
        case _:
            slack.views.pop(view.id, None)
