"""
watch: everything that happens to the objects of a list, as it happens.

A watch has no queue of its own, only a place in the store's history, and writes a few events at a
time: one that is read too slowly, or not at all, holds nobody up and next to nothing in memory, and
ends with 410 when the history has forgotten its place.
"""

import asyncio
import contextlib
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Final

import msgspec
from starlette.responses import Response, StreamingResponse

from deployments.rehearsal.cluster.errors import ApiError, Cause, invalid_options, too_old
from deployments.rehearsal.cluster.objects import Json, metadata_of
from deployments.rehearsal.cluster.selectors import Test
from deployments.rehearsal.cluster.store import ChangeKind, Entry, Record
from deployments.rehearsal.cluster.web.asks import Ask
from deployments.rehearsal.cluster.web.negotiation import JSON, Form
from deployments.rehearsal.cluster.web.reads import entries_of, selected
from deployments.rehearsal.cluster.web.telling import META, Teller, teller

_BOOKMARK_EVERY: Final = 60.0
_AT_A_TIME: Final = 100  # events, of which the next are made when these were taken
_LONGEST: Final = 1800.0
_INITIAL_END: Final = {"k8s.io/initial-events-end": "true"}


async def watch(ask: Ask) -> Response:
    _check(ask)
    following = _Following(ask, teller(ask), selected(ask))
    following.begin()
    return StreamingResponse(following.lines(), media_type=JSON)


def _check(ask: Ask) -> None:
    """Refuse a watch that asks for what it cannot have. Raises ApiError."""
    if ask.query("sendInitialEvents") and ask.query("resourceVersionMatch") != "NotOlderThan":
        why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        raise invalid_options("ListOptions", Cause.forbidden("resourceVersionMatch", why))
    version = ask.query("resourceVersion")
    if version and not version.isdigit():
        # The real server takes this for a failure of its own.
        why = f'strconv.ParseUint: parsing "{version}": invalid syntax'
        raise ApiError(500, "", f'resourceVersion: Invalid value: "{version}": {why}')


class _Following:
    """One watch, from its first event to its last."""

    def __init__(self, ask: Ask, tell: Teller, test: Test | None) -> None:
        self._ask = ask
        self._tell = tell
        self._test = test
        self._store = ask.server.store
        self._history = self._store.history(ask.resource)
        self._has_bookmarks = ask.flag("allowWatchBookmarks")
        self._place = 0
        self._initial: deque[Entry] = deque()
        self._tells_initial_end = False
        now = time.monotonic()
        self._end = now + _duration(ask)
        self._bookmark_due = now + _BOOKMARK_EVERY

    def begin(self) -> None:
        """Find the first event. What cannot be found is told in an event, not by the answer's code."""
        asked = self._ask.number("resourceVersion") or 0
        initial = self._ask.query("sendInitialEvents")
        if initial in {"true", "1"} or (not initial and asked == 0):
            self._place = self._store.version
            self._initial.extend(entries_of(self._ask, self._test))
            self._tells_initial_end = bool(initial) and self._has_bookmarks
        else:
            self._place = asked or self._store.version

    async def lines(self) -> AsyncIterator[bytes]:
        """Yield events until time is up."""
        for piece in self._first():
            yield piece
        with self._ask.cluster.bells.heard(self._ask.resource) as bell:
            while (now := time.monotonic()) < self._end:
                if self._place < self._history.forgotten:
                    yield _error(too_old(self._place, self._history.forgotten))
                    return
                if records := self._history.since(self._place, _AT_A_TIME):
                    self._place = records[-1].change.version
                    if found := b"".join(self._events(records)):
                        yield found
                    continue
                # Nothing of this resource happened since, so the place is as good as the present.
                self._place = max(self._place, self._store.version)
                if self._has_bookmarks and now >= self._bookmark_due:
                    self._bookmark_due = now + _BOOKMARK_EVERY
                    yield self._bookmark({})
                    continue
                await self._wait(bell)
        if self._has_bookmarks:
            yield self._bookmark({})

    def _first(self) -> Iterator[bytes]:
        """Yield what was there when the watch began."""
        while self._initial:
            some = [self._initial.popleft() for _ in range(min(_AT_A_TIME, len(self._initial)))]
            yield b"".join(self._line("ADDED", entry) for entry in some)
        if self._tells_initial_end:
            yield self._bookmark(_INITIAL_END)

    async def _wait(self, bell: asyncio.Event) -> None:
        """Wait for a change, or until something else is due."""
        left = min(self._end, self._bookmark_due) - time.monotonic()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(left, 0)):
                await bell.wait()
        bell.clear()

    def _events(self, records: Sequence[Record]) -> Iterator[bytes]:
        for record in records:
            if event := self._event(record):
                yield event

    def _event(self, record: Record) -> bytes | None:
        change = record.change
        scope = self._ask.scope
        if scope and metadata_of(change.object).get("namespace") != scope:
            return None
        if self._test is None:
            return self._line(change.kind, record.now)
        is_in = change.kind is not ChangeKind.DELETED and self._test(change.object)
        was_in = change.previous is not None and self._test(change.previous)
        if is_in:
            return self._line("MODIFIED" if was_in else "ADDED", record.now)
        return self._line("DELETED", _last(record)) if was_in else None

    def _line(self, kind: str, entry: Entry) -> bytes:
        return b'{"type":"%b","object":%b}\n' % (kind.encode(), self._tell(entry))

    def _bookmark(self, annotations: dict[str, str]) -> bytes:
        ask = self._ask
        metadata: Json = {"resourceVersion": str(self._place), "creationTimestamp": None}
        if annotations:
            metadata["annotations"] = annotations
        kind = {"kind": ask.resource.kind, "apiVersion": ask.api_version}
        if ask.form is Form.METADATA:
            kind = {"kind": "PartialObjectMetadata", "apiVersion": META}
        event = {"type": "BOOKMARK", "object": kind | {"metadata": metadata}}
        return msgspec.json.encode(event) + b"\n"


def _last(record: Record) -> Entry:
    """Return an object as it was when it was last seen, with the version at which it went."""
    change = record.change
    if change.previous is None:
        return record.now
    metadata = metadata_of(change.previous) | {"resourceVersion": str(change.version)}
    return Entry(change.previous | {"metadata": metadata})


def _error(error: ApiError) -> bytes:
    return msgspec.json.encode({"type": "ERROR", "object": error.status}) + b"\n"


def _duration(ask: Ask) -> float:
    seconds = ask.number("timeoutSeconds")
    # Not all at once, as after a restart many watches begin together.
    return float(seconds) if seconds else _LONGEST * (1 + random.random())  # noqa: S311
