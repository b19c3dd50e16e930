"""Whole messages and whole modals: what Slack would refuse of them."""

import json
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

from deployments.rehearsal.slack.blocks.elements import (
    ID,
    IN_ACTIONS,
    IN_INPUTS,
    IN_SECTIONS,
    check_element,
    check_image,
)
from deployments.rehearsal.slack.blocks.errors import Place
from deployments.rehearsal.slack.blocks.texts import ANY, SECTION, check_text, check_text_itself
from deployments.rehearsal.slack.errors import Refused
from deployments.rehearsal.slack.objects import Json

IN_MESSAGE, IN_MODAL = 50, 100
_FIELDS, _FIELD, _CONTEXT, _ACTIONS, _HEADER = 10, 2000, 10, 25, 150
_LABEL: Final = 2000
_HOLDERS: Final = frozenset({"actions", "input", "section"})
_MODAL_TITLE, _PRIVATE = 24, 3000


def parsed(value: object, error: str) -> Any:
    """Return what a field holds, which forms hold as JSON. Raises Refused with that error."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value else None
    except ValueError:
        raise Refused(error) from None


def checked_blocks(value: object) -> list[Json] | None:
    """Return the blocks of a message; None if there is no word of them. Raises Refused."""
    found = parsed(value, "invalid_blocks_format")
    if found is None:
        return None
    if not isinstance(found, list):
        raise Refused("invalid_blocks_format")
    place = Place()
    blocks = place.items({"blocks": found}, "blocks", IN_MESSAGE, required=False)
    _check_all(place, blocks)
    if place.found:
        raise _refused("invalid_blocks", place.found)
    return blocks


def checked_view(value: object) -> Json:
    """Return a modal. Raises Refused."""
    found = parsed(value, "invalid_arguments")
    if not isinstance(found, dict):
        raise _refused("invalid_arguments", ["must provide an object [json-pointer:/view]"])
    view, place = cast("Json", found), Place("/view")
    if view.get("type") != "modal":
        place.at("type").say("must be one of: modal")
    check_text(place, view, "title", _MODAL_TITLE)
    check_text(place, view, "submit", _MODAL_TITLE, required=False)
    check_text(place, view, "close", _MODAL_TITLE, required=False)
    place.string(view, "private_metadata", _PRIVATE)
    place.string(view, "callback_id", ID)
    blocks = place.items(view, "blocks", IN_MODAL)
    _check_all(place, blocks)
    if any(block.get("type") == "input" for block in blocks) and not view.get("submit"):
        place.missing("submit")
    if place.found:
        raise _refused("invalid_arguments", place.found)
    return view


def completed(blocks: Sequence[Json], fresh: Callable[[], str]) -> list[Json]:
    """Return the blocks as Slack keeps them: each, and what can be pressed, has a name."""
    found = cast("list[Json]", json.loads(json.dumps(blocks)))
    for block in found:
        block["block_id"] = block.get("block_id") or fresh()
        for element in elements_of(block) if block["type"] in _HOLDERS else ():
            if element.get("type") != "image":
                element["action_id"] = element.get("action_id") or fresh()
    return found


def elements_of(block: Json) -> list[Json]:
    """Return what a block holds that may be pressed, filled in or looked at."""
    inside = [block.get("accessory"), block.get("element")]
    held = cast("list[Any]", block.get("elements") or [])
    return [cast("Json", one) for one in [*inside, *held] if isinstance(one, dict)]


def _refused(error: str, faults: list[str]) -> Refused:
    messages = [f"[ERROR] {fault}" for fault in faults]
    return Refused(error, errors=faults, response_metadata={"messages": messages})


def _check_all(place: Place, blocks: Sequence[Json]) -> None:
    for number, block in enumerate(blocks):
        inside, kind = place.at("blocks", number), str(block.get("type", ""))
        inside.string(block, "block_id", ID)
        if kind in _CHECKS:
            inside.only(block, _KNOWN[kind] | {"type", "block_id"})
            _CHECKS[kind](inside, block)
        elif kind not in _UNSEEN:
            inside.at("type").say(f"unsupported type: {kind}")
    _check_unique(place, blocks)


def _check_unique(place: Place, blocks: Sequence[Json]) -> None:
    names: set[str] = set()
    for number, block in enumerate(blocks):
        inside, name = place.at("blocks", number), block.get("block_id")
        if not isinstance(name, str):
            continue
        if name in names:
            inside.at("block_id").say(f"`block_id` {name} already exists")
        names.add(name)
    for number, block in enumerate(blocks):
        actions: set[str] = set()  # of one block: another may have the same
        for element in elements_of(block):
            name = element.get("action_id")
            if not isinstance(name, str):
                continue
            if name in actions:
                place.at("blocks", number).say(f"`action_id` {name} already exists")
            actions.add(name)


def _check_section(place: Place, block: Json) -> None:
    if block.get("text") is None and block.get("fields") is None:
        place.missing("text")
    check_text(place, block, "text", SECTION, types=ANY, required=False)
    for number, one in enumerate(place.items(block, "fields", _FIELDS, required=False)):
        check_text_itself(place.at("fields", number), one, _FIELD, ANY)
    accessory = place.object(block, "accessory")
    if accessory is not None:
        check_element(place.at("accessory"), accessory, IN_SECTIONS)


def _check_header(place: Place, block: Json) -> None:
    check_text(place, block, "text", _HEADER)


def _check_context(place: Place, block: Json) -> None:
    for number, one in enumerate(place.items(block, "elements", _CONTEXT)):
        inside = place.at("elements", number)
        if one.get("type") == "image":
            check_image(inside, one)
        else:
            check_text_itself(inside, one, SECTION, ANY)


def _check_actions(place: Place, block: Json) -> None:
    for number, one in enumerate(place.items(block, "elements", _ACTIONS)):
        check_element(place.at("elements", number), one, IN_ACTIONS)


def _check_input(place: Place, block: Json) -> None:
    check_text(place, block, "label", _LABEL)
    check_text(place, block, "hint", _LABEL, required=False)
    element = place.object(block, "element", required=True)
    if element is not None:
        check_element(place.at("element"), element, IN_INPUTS)


def _check_nothing(_place: Place, _block: Json) -> None:
    """Let it be: a divider has nothing that could be wrong."""


_CHECKS: Final[dict[str, Callable[[Place, Json], None]]] = {
    "actions": _check_actions,
    "context": _check_context,
    "divider": _check_nothing,
    "header": _check_header,
    "image": check_image,
    "input": _check_input,
    "section": _check_section,
}
_KNOWN: Final[dict[str, frozenset[str]]] = {
    "actions": frozenset({"elements"}),
    "context": frozenset({"elements"}),
    "divider": frozenset(),
    "header": frozenset({"text", "level"}),
    "image": frozenset({"alt_text", "image_url", "slack_file", "title"}),
    "input": frozenset({"dispatch_action", "element", "hint", "label", "optional"}),
    "section": frozenset({"accessory", "expand", "fields", "text"}),
}
# Known and let through, and drawn as what they are called.
_UNSEEN: Final = frozenset({"call", "file", "markdown", "rich_text", "table", "video"})
