"""What Slack sends, read once into values, or refused with what was wrong. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

import msgspec

from tasks.domain.errors import BadInputError
from tasks.domain.slack import Click, Command, Person, Submission

T = TypeVar("T")

_Id = Annotated[str, msgspec.Meta(pattern=r"\A[A-Z0-9]{2,24}\Z")]
_Ts = Annotated[str, msgspec.Meta(pattern=r"\A\d{9,11}\.\d{1,9}\Z")]
_Text = Annotated[str, msgspec.Meta(max_length=4000)]
_Short = Annotated[str, msgspec.Meta(max_length=255)]


class _User(msgspec.Struct):
    id: _Id
    team_id: _Id | None = None


class _Team(msgspec.Struct):
    id: _Id


class _Container(msgspec.Struct):
    channel_id: _Id
    message_ts: _Ts
    thread_ts: _Ts | None = None


class _Action(msgspec.Struct):
    action_id: _Short
    action_ts: _Ts
    value: _Text = ""


class _BlockActions(msgspec.Struct):
    user: _User
    team: _Team
    container: _Container
    actions: Annotated[list[_Action], msgspec.Meta(min_length=1, max_length=1)]
    trigger_id: _Short
    response_url: _Text = ""


class _View(msgspec.Struct):
    callback_id: _Short
    private_metadata: _Text
    state: Mapping[str, Any]


class _ViewSubmission(msgspec.Struct):
    user: _User
    team: _Team
    view: _View


class _SlashCommand(msgspec.Struct):
    team_id: _Id
    user_id: _Id
    channel_id: _Id
    command: _Short
    text: str = ""
    trigger_id: _Short = ""
    response_url: _Text = ""


COMMAND: Final = "/istio-canary"


def read_interaction(payload: Mapping[str, Any]) -> Click | Submission:
    """Read a click or a modal that was sent off. Raises BadInputError for anything else."""
    kind = payload.get("type")
    if kind == "block_actions":
        return _click(_converted(payload, _BlockActions))
    if kind == "view_submission":
        return _submission(_converted(payload, _ViewSubmission))
    raise BadInputError("it is neither a click nor a modal")


def _click(found: _BlockActions) -> Click:
    action, container = found.actions[0], found.container
    return Click(
        person=_person(found.user, found.team),
        channel=container.channel_id,
        message=container.message_ts,
        thread=container.thread_ts or container.message_ts,
        action=action.action_id,
        value=action.value,
        at=datetime.fromtimestamp(float(action.action_ts), tz=UTC),
        response_url=found.response_url,
        trigger=found.trigger_id,
    )


def _submission(found: _ViewSubmission) -> Submission:
    return Submission(
        person=_person(found.user, found.team),
        callback=found.view.callback_id,
        private=found.view.private_metadata,
        values=_values(found.view.state),
    )


def _values(state: Mapping[str, Any]) -> dict[str, str]:
    fields = _converted(state.get("values", {}), dict[str, dict[str, Any]])
    found: dict[str, str] = {}
    for actions in fields.values():
        for name, content in actions.items():
            value = _converted(content, dict[str, Any]).get("value")
            found[name] = value if isinstance(value, str) else ""
    return found


def read_command(payload: Mapping[str, Any]) -> Command:
    """Read a slash command. Raises BadInputError for anything else, another app's included."""
    found = _converted(payload, _SlashCommand)
    if found.command != COMMAND:
        raise BadInputError("it is another command")
    return Command(
        person=Person(team=found.team_id, user=found.user_id),
        channel=found.channel_id,
        text=_unescaped(found.text),
        response_url=found.response_url,
        trigger=found.trigger_id,
    )


def _unescaped(text: str) -> str:
    """Return what was typed: Slack writes three characters as entities."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _person(user: _User, team: _Team) -> Person:
    # In a shared channel the person's own workspace may be another than the channel's.
    return Person(team=user.team_id or team.id, user=user.id)


def _converted(payload: object, kind: type[T]) -> T:
    try:
        return msgspec.convert(payload, kind)
    except (msgspec.ValidationError, RecursionError) as error:
        raise BadInputError(f"it does not have Slack's form: {_where(error)}") from error


def _where(error: Exception) -> str:
    """Return the place of what is wrong, without a word of what stands there."""
    _, found, place = str(error).rpartition(" - at ")
    return place if found else "the whole"
