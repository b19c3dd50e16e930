"""What a person filled in or chose, in the words of Slack's payloads."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from deployments.rehearsal.slack.blocks.checking import elements_of
from deployments.rehearsal.slack.objects import Json, object_of

_MANY: Final = frozenset({"checkboxes", "multi_static_select"})
_ONE: Final = frozenset({"radio_buttons", "static_select"})
_TYPED: Final = "plain_text_input"

Values = Mapping[str, Mapping[str, Any]]


def filled(blocks: Sequence[Json], values: Values) -> Json:
    """
    Return `state.values` for what was filled in, by block id and action id.

    A value is a string, a list of them where one may choose several, or what Slack would tell.
    """
    found: Json = {}
    for block in blocks:
        for element in elements_of(block):
            if element.get("type") not in _MANY | _ONE | {_TYPED}:
                continue
            given = values.get(block["block_id"], {}).get(element["action_id"])
            told = object_of(given) or _told(element, given)
            found.setdefault(block["block_id"], {})[element["action_id"]] = told
    return found


def chosen(element: Json, given: object) -> Json:
    """Return what is told of the one element that was pressed."""
    if told := object_of(given):
        return told
    if element.get("type") == "overflow":
        return {"selected_option": _option(element, given)}
    return _told(element, given) if element.get("type") in _MANY | _ONE | {_TYPED} else {}


def _told(element: Json, given: object) -> Json:
    kind = element["type"]
    if kind == _TYPED:
        return {"type": kind, "value": element.get("initial_value") if given is None else given}
    if kind in _ONE:
        first = element.get("initial_option")
        option = first if given is None else _option(element, given)
        return {"type": kind, "selected_option": option}
    if given is None:
        return {"type": kind, "selected_options": element.get("initial_options", [])}
    many = cast("list[object]", given if isinstance(given, list) else [given])
    options = [_option(element, one) for one in many]
    return {"type": kind, "selected_options": [one for one in options if one]}


def _option(element: Json, given: object) -> Json | None:
    options = cast("list[Json]", element.get("options") or [])
    return next((one for one in options if one.get("value") == given), None)
