"""What blocks hold: buttons, inputs, menus and pictures."""

from collections.abc import Callable
from typing import Final

from deployments.rehearsal.slack.blocks.errors import Place
from deployments.rehearsal.slack.blocks.texts import ANY, check_confirm, check_style, check_text
from deployments.rehearsal.slack.objects import Json

ID, VALUE, LABEL = 255, 2000, 75
_URL, _TYPED, _ALT, _PLACEHOLDER, _DESCRIPTION = 3000, 3000, 2000, 150, 75
_OPTION_VALUE: Final = 150
_MOST_OPTIONS: Final = {
    "checkboxes": 10,
    "overflow": 5,
    "radio_buttons": 10,
    "static_select": 100,
    "multi_static_select": 100,
}
# Known and let through: nothing of them is drawn, and people cannot press them here.
_UNSEEN: Final = frozenset(
    {
        "channels_select",
        "conversations_select",
        "datepicker",
        "datetimepicker",
        "email_text_input",
        "external_select",
        "multi_channels_select",
        "multi_conversations_select",
        "multi_external_select",
        "multi_users_select",
        "number_input",
        "rich_text_input",
        "timepicker",
        "url_text_input",
        "users_select",
    }
)
_OF_BUTTON: Final = frozenset(
    {
        "accessibility_label",
        "action_id",
        "confirm",
        "style",
        "text",
        "type",
        "url",
        "value",
    }
)
_MENUS: Final = frozenset(_MOST_OPTIONS)
IN_ACTIONS: Final = frozenset({"button"}) | _MENUS | _UNSEEN
IN_INPUTS: Final = (frozenset({"plain_text_input"}) | _MENUS | _UNSEEN) - {"overflow"}
IN_SECTIONS: Final = IN_ACTIONS | {"image"}


def check_element(place: Place, element: Json, allowed: frozenset[str]) -> None:
    """Look at one element of a block that may hold only the `allowed` types."""
    kind = str(element.get("type", ""))
    if kind not in allowed:
        place.at("type").say(f"unsupported type: {kind}")
        return
    if kind != "image":
        place.string(element, "action_id", ID)
        check_confirm(place, element)
    if kind in _MENUS:
        _check_menu(place, element, _MOST_OPTIONS[kind])
    elif kind in _CHECKS:
        _CHECKS[kind](place, element)


def check_image(place: Place, image: Json) -> None:
    place.string(image, "image_url", _URL, required=True)
    place.string(image, "alt_text", _ALT, required=True)


def _check_button(place: Place, button: Json) -> None:
    place.only(button, _OF_BUTTON)
    check_text(place, button, "text", LABEL)
    place.string(button, "value", VALUE)
    place.string(button, "url", _URL)
    place.string(button, "accessibility_label", LABEL)
    check_style(place, button)


def _check_typed(place: Place, element: Json) -> None:
    check_text(place, element, "placeholder", _PLACEHOLDER, required=False)
    place.string(element, "initial_value", _TYPED)
    least, most = element.get("min_length", 0), element.get("max_length", _TYPED)
    if not isinstance(most, int) or not 1 <= most <= _TYPED:
        place.at("max_length").say(f"must be between 1 and {_TYPED}")
    elif not isinstance(least, int) or not 0 <= least <= most:
        place.at("min_length").say(f"must be between 0 and {most}")


def _check_menu(place: Place, element: Json, most: int) -> None:
    check_text(place, element, "placeholder", _PLACEHOLDER, required=False)
    grouped = element.get("type") in {"static_select", "multi_static_select"}
    if grouped and "option_groups" in element:
        return
    for number, option in enumerate(place.items(element, "options", most)):
        inside = place.at("options", number)
        check_text(inside, option, "text", LABEL, types=ANY)
        inside.string(option, "value", _OPTION_VALUE, required=True)
        check_text(inside, option, "description", _DESCRIPTION, types=ANY, required=False)


_CHECKS: Final[dict[str, Callable[[Place, Json], None]]] = {
    "button": _check_button,
    "image": check_image,
    "plain_text_input": _check_typed,
}
