"""What a button is about. It travels in the button's value, through Slack and back."""

from typing import Annotated, Final

import msgspec

from tasks.domain.errors import BadInputError

APPROVE: Final = "gate-approve"
REJECT: Final = "gate-reject"
DETAILS: Final = "gate-details"
REASON_MODAL: Final = "gate-reject-reason"
REASON: Final = "reason"
LONGEST_REASON: Final = 1000  # characters

_Name = Annotated[str, msgspec.Meta(pattern=r"\A[a-z0-9]([a-z0-9.-]{0,126}[a-z0-9])?\Z")]
_Digest = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """A gate of a run, and the plan that people were shown."""

    cluster: _Name
    run: _Name
    gate: _Name
    digest: _Digest

    def encoded(self) -> str:
        """Return it as a button carries it."""
        return msgspec.json.encode(self).decode()


def parse_subject(value: str) -> Subject:
    """Read a button's value back. Raises BadInputError if it is none of ours."""
    try:
        return msgspec.json.decode(value, type=Subject)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadInputError("this button is not one of istio-canary's") from error
