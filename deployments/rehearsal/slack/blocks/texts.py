"""Text objects and the dialogs that ask whether one is sure."""

from typing import Final

from deployments.rehearsal.slack.blocks.errors import Place
from deployments.rehearsal.slack.objects import Json

PLAIN: Final = frozenset({"plain_text"})
ANY: Final = frozenset({"plain_text", "mrkdwn"})
SECTION: Final = 3000
_CONFIRM_TITLE, _CONFIRM_TEXT, _CONFIRM_BUTTON = 100, 300, 30
_STYLES: Final = frozenset({"primary", "danger"})


def check_text(
    place: Place,
    owner: Json,
    name: str,
    most: int,
    *,
    types: frozenset[str] = PLAIN,
    required: bool = True,
) -> None:
    """Look at the text object of that name."""
    found = place.object(owner, name, required=required)
    if found is not None:
        check_text_itself(place.at(name), found, most, types)


def check_text_itself(place: Place, text: Json, most: int, types: frozenset[str]) -> None:
    if text.get("type") not in types:
        place.at("type").say(f"must be one of: {', '.join(sorted(types))}")
    place.string(text, "text", most, required=True)
    place.only(text, {"type", "text", "emoji", "verbatim"})


def check_style(place: Place, owner: Json) -> None:
    if owner.get("style") not in {None, *_STYLES}:
        place.at("style").say("must be one of: danger, primary")


def check_confirm(place: Place, owner: Json) -> None:
    """Look at an element's confirmation dialog, if it has one."""
    found = place.object(owner, "confirm")
    if found is None:
        return
    inside = place.at("confirm")
    check_text(inside, found, "title", _CONFIRM_TITLE)
    check_text(inside, found, "text", _CONFIRM_TEXT, types=ANY)
    check_text(inside, found, "confirm", _CONFIRM_BUTTON)
    check_text(inside, found, "deny", _CONFIRM_BUTTON)
    check_style(inside, found)
