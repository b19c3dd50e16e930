"""
Long lists in pages: all pages of a list are of the moment when it was begun.

The moment is kept for five minutes, as in the real API server, if there is room for it so long: it
holds the objects as they were, which are many. Whoever comes too late for the next page has to begin
again.
"""

import base64
import binascii
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Final

import msgspec

from deployments.rehearsal.cluster.errors import ApiError, bad_request, token_too_old
from deployments.rehearsal.cluster.store import Entry

_KEPT: Final = 64  # lists that somebody is in the middle of
_ENTRIES: Final = 200_000  # in all of them
_LONGEST: Final = 300.0  # seconds


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

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._moments: OrderedDict[int, Moment] = OrderedDict()  # the first to go comes first
        self._begun: dict[int, float] = {}
        self._numbers = count(1)

    def first(self, moment: Moment, limit: int) -> Page:
        """Return the first page of a list; without a limit that is all of it."""
        if limit <= 0 or len(moment.entries) <= limit:
            return Page(moment.entries, moment.version)
        number = next(self._numbers)
        self._moments[number] = moment
        self._begun[number] = self._now()
        self._forget_old()
        return self._page(number, moment, 0, limit)

    def next(self, token: str, limit: int) -> Page:
        """Return the page that a token asks for. Raises ApiError: 400, and 410 if it is too late."""
        try:
            asked = msgspec.json.decode(base64.urlsafe_b64decode(token), type=_Token)
        except (binascii.Error, msgspec.DecodeError, UnicodeError, ValueError) as error:
            raise _invalid(str(error)) from error
        self._forget_old()
        moment = self._moments.get(asked.moment)
        if moment is None or moment.version != asked.rv:
            raise token_too_old()
        if not 0 < asked.start < len(moment.entries):
            raise _invalid("it leads out of the list")
        page = self._page(asked.moment, moment, asked.start, max(limit, 0) or len(moment.entries))
        # Whoever has the last page will hardly come back.
        self._moments.move_to_end(asked.moment, last=bool(page.next))
        return page

    def _forget_old(self) -> None:
        """Forget what is too old, and what there is no room for; never the newest."""
        now = self._now()
        for number in [one for one, begun in self._begun.items() if now - begun > _LONGEST]:
            self._forget(number)
        while len(self._moments) > 1 and (len(self._moments) > _KEPT or self._size() > _ENTRIES):
            self._forget(next(iter(self._moments)))

    def _forget(self, number: int) -> None:
        del self._moments[number], self._begun[number]

    def _size(self) -> int:
        return sum(len(moment.entries) for moment in self._moments.values())

    def _page(self, number: int, moment: Moment, start: int, limit: int) -> Page:
        end = start + limit
        remaining = max(len(moment.entries) - end, 0)
        token = _Token(moment=number, start=end, rv=moment.version)
        text = base64.urlsafe_b64encode(msgspec.json.encode(token)).decode() if remaining else ""
        return Page(moment.entries[start:end], moment.version, text, remaining)


def _invalid(why: str) -> ApiError:
    return bad_request(f"invalid continue token: continue key is not valid: {why}")
