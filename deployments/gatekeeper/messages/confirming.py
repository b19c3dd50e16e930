"""The question before something is done that a slip of the finger must not do. Pure."""

from typing import Any, Final

import msgspec

from deployments.gatekeeper.messages.blocks import escape
from deployments.gatekeeper.words import Wish
from tasks.domain.errors import BadInputError

CONFIRM_MODAL: Final = "confirm-command"

_BUTTONS: Final = {"upgrade": "Begin it", "rollback": "Take it back", "abort": "Stop it"}


class Confirmed(msgspec.Struct, frozen=True, kw_only=True):
    """A wish with everything in it that was left out, and where it was said."""

    wish: Wish
    channel: str


def confirm_modal(confirmed: Confirmed, *, question: str) -> dict[str, Any]:
    """Return the modal that asks once more; what is to be done travels in it."""
    verb = confirmed.wish.verb
    return {
        "type": "modal",
        "callback_id": CONFIRM_MODAL,
        "private_metadata": msgspec.json.encode(confirmed).decode(),
        "title": {"type": "plain_text", "text": f"Really {verb}?"},
        "submit": {"type": "plain_text", "text": _BUTTONS[verb]},
        "close": {"type": "plain_text", "text": "Leave it"},
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": escape(question)[:3000]}}
        ],
    }


def parse_confirmed(private: str) -> Confirmed:
    """Read a modal's content back. Raises BadInputError if it is none of ours."""
    try:
        return msgspec.json.decode(private, type=Confirmed)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadInputError("this modal is not one of istio-canary's") from error
