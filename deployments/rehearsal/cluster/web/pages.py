"""
Long lists in pages: all pages of a list are of the moment when it was begun.

The moment is kept as long as there is room for it. Whoever comes too late for the next page has to
begin again, as with the real API server after five minutes.
"""

import base64
import binascii
from collections import OrderedDict
from dataclasses import dataclass
from itertools import count
from typing import Final

import msgspec

from deployments.rehearsal.cluster.errors import bad_request, token_too_old
from deployments.rehearsal.cluster.store import Entry

_KEPT: Final = 64  # lists that somebody is in the middle of


@dataclass(frozen=True, slots=True)
class Moment:
    """All entries of a list, at the version at which it was read."""

    entries: list[Entry]
    version: int


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the entries, and how to ask for the next."""

    entries: list[Entry]
    version: int
    next: str = ""
    remaining: int = 0


class _Token(msgspec.Struct, frozen=True):
    moment: int
    start: int
    rv: int
    v: str = "meta.k8s.io/v1"


class Pages:
    """The moments of lists that are being read."""

    def __init__(self) -> None:
        self._moments: OrderedDict[int, Moment] = OrderedDict()
        self._numbers = count(1)

    def first(self, moment: Moment, limit: int) -> Page:
        if not limit or len(moment.entries) <= limit:
            return Page(moment.entries, moment.version)
        number = next(self._numbers)
        self._moments[number] = moment
        while len(self._moments) > _KEPT:
            self._moments.popitem(last=False)
        return self._page(number, moment, 0, limit)

    def next(self, token: str, limit: int) -> Page:
        """Return the page that a token asks for. Raises ApiError: 400, and 410 if it is too late."""
        try:
            asked = msgspec.json.decode(base64.urlsafe_b64decode(token), type=_Token)
        except (binascii.Error, msgspec.DecodeError, UnicodeError, ValueError) as error:
            raise bad_request(
                f"invalid continue token: continue key is not valid: {error}"
            ) from error
        moment = self._moments.get(asked.moment)
        if moment is None or moment.version != asked.rv:
            raise token_too_old()
        self._moments.move_to_end(asked.moment)
        return self._page(asked.moment, moment, asked.start, limit or len(moment.entries))

    def _page(self, number: int, moment: Moment, start: int, limit: int) -> Page:
        end = start + limit
        remaining = max(len(moment.entries) - end, 0)
        token = _Token(moment=number, start=end, rv=moment.version)
        text = base64.urlsafe_b64encode(msgspec.json.encode(token)).decode() if remaining else ""
        return Page(moment.entries[start:end], moment.version, text, remaining)
