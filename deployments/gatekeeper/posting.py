"""
Bringing a run's thread in Slack up to date with what the thread should say.

Slack itself is the record of what was said: each message carries a label, and is looked for before it
is posted. So that two gatekeepers that look at the same moment do not both post, each message is
claimed first, in Prefect, where the first writer of a row wins. A claim whose owner then posts nothing
is passed by after a while.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from deployments.gatekeeper.thread import Wanted
from tasks.adapters.ports import Channel, Votes
from tasks.domain.approval import Row
from tasks.domain.errors import RefusedError, UpgradeError
from tasks.domain.journal import RunRecord
from tasks.domain.slack import AnswerLostError, Label, MessageGoneError, Posted

# How long others leave a message to the owner of a claim; and how long the owner believes in it, so
# that its post is done, or given up, by then.
_OTHERS_WAIT: Final = 30.0  # seconds
_OWNER_HAS: Final = 15.0
_POSTED_WITHIN: Final = 10.0
# How long a message may still appear whose post was given up; until then it is only looked for.
_APPEARS_WITHIN: Final = 20.0
# Another gatekeeper may have written over what we wrote, and have died before it noticed.
_READ_EVERY: Final = 60.0
# The head may be older than the run's own first entry, by another machine's clock.
_CLOCKS_APART: Final = timedelta(minutes=10)
_HEAD: Final = "head"
_log: Final = logging.getLogger("istio-canary.gatekeeper")


class Claims:
    """Who of several gatekeepers posts a message: the first to say so, in Prefect."""

    def __init__(
        self, votes: Callable[[], Votes], *, process: str, monotonic: Callable[[], float]
    ) -> None:
        self._votes = votes
        self._process = process
        self._monotonic = monotonic
        self._seen: dict[tuple[str, str], float] = {}  # claims, and since when we know of them

    async def is_ours(self, flow_run: str, key: str) -> bool:
        """Whether we are the one to post, now."""
        number = 0
        while True:
            row = Row(key=f"slack-{key}-{number}", value=self._process)
            asked_at = self._monotonic()
            if asked_at - self._seen.get((flow_run, row.key), asked_at) >= _OTHERS_WAIT:
                number += 1  # it has lapsed for everybody: Prefect need not be asked again
                continue
            first = await asyncio.to_thread(self._first, flow_run, row)
            is_ours = first.value == self._process
            since = self._seen.setdefault((flow_run, row.key), asked_at)
            if self._monotonic() - since < (_OWNER_HAS if is_ours else _OTHERS_WAIT):
                return is_ours
            number += 1

    def _first(self, flow_run: str, row: Row) -> Row:
        return self._votes().first(flow_run, row)

    def now(self) -> float:
        """Return the moment by the clock that claims lapse by."""
        return self._monotonic()


@dataclass(kw_only=True)
class _Thread:
    """What we know of a thread: what was said, and what it said last."""

    head: Posted | None = None
    posted: dict[str, Posted] = field(default_factory=dict[str, Posted])
    gone: set[str] = field(
        default_factory=set[str]
    )  # somebody deleted them; they are not said again
    read_at: float | None = None  # None: it has to be read before anything is posted
    unsure: dict[str, float] = field(default_factory=dict[str, float])  # posts without an answer


class Poster:
    """Writes the threads of one cluster's runs. The only one that edits messages."""

    def __init__(
        self,
        channel: Channel,
        claims: Claims,
        *,
        cluster: str,
        to: str,
        posted_within: float = _POSTED_WITHIN,
    ) -> None:
        """Take the channel's id in `to`, and in seconds how long Slack may take for a message."""
        self._channel = channel
        self._claims = claims
        self._cluster = cluster
        self._to = to
        self._posted_within = posted_within
        self._threads: dict[str, _Thread] = {}

    async def bring_up_to_date(
        self, record: RunRecord, wanted: tuple[Wanted, ...], *, claimed_under: str
    ) -> bool:
        """
        Post what is missing, in order, and change what says something else now.

        Returns whether nothing is left to do. Raises UpgradeError while Slack does not take it; the
        next call goes on from there. `claimed_under` is the flow run that holds the claims.
        """
        thread = self._threads.setdefault(record.run, _Thread())
        now = self._claims.now()
        if thread.read_at is not None and now - thread.read_at >= _READ_EVERY:
            thread.read_at = None
            await self._read(thread, record)
        trouble = await self._update(thread, wanted, record)
        for one in wanted:
            if one.key in thread.posted or one.key in thread.gone:
                continue
            await self._read(thread, record)  # another gatekeeper, or we before a restart
            if one.key in thread.posted:
                continue
            if now - thread.unsure.get(one.key, float("-inf")) < _APPEARS_WITHIN:
                thread.read_at = None
                return False
            if not await self._claims.is_ours(claimed_under, one.key):
                thread.read_at = None
                return False  # its owner posts it now, and the order of the thread stays
            await self._post(thread, one, record)
        if trouble is not None:
            raise trouble
        return True

    async def _update(
        self, thread: _Thread, wanted: tuple[Wanted, ...], record: RunRecord
    ) -> RefusedError | None:
        """Change what says something else now. What Slack refuses holds up nothing that is new."""
        trouble: RefusedError | None = None
        for one in wanted:
            posted = thread.posted.get(one.key)
            if posted is None or not one.is_updated:
                continue
            label = self._label(record, one)
            if posted.label == label:
                continue
            try:
                await self._channel.update(self._to, posted.ts, one.message, label=label)
            except MessageGoneError:
                _log.warning(
                    "the message %s of run %s was deleted by somebody", one.key, record.run
                )
                thread.gone.add(one.key)
                del thread.posted[one.key]
            except RefusedError as error:
                trouble = error
            else:
                thread.posted[one.key] = Posted(ts=posted.ts, label=label)
        return trouble

    async def _read(self, thread: _Thread, record: RunRecord) -> None:
        if thread.read_at is not None:
            return
        began_at = self._claims.now()
        if thread.head is None:
            since = record.started.at - _CLOCKS_APART
            heads = await self._channel.heads(self._to, since=since)
            mine = [one for one in heads if self._is_of(one, record) and one.label.key == _HEAD]
            thread.head = mine[0] if mine else None
        if thread.head is not None:
            thread.posted.setdefault(_HEAD, thread.head)
            stands: dict[str, Posted] = {}
            for one in await self._channel.thread(self._to, thread.head.ts):
                if self._is_of(one, record) and one.label.key not in thread.gone:
                    stands.setdefault(one.label.key, one)
            # What a message says there counts, and not what we remember to have written.
            thread.posted |= stands
        thread.read_at = began_at

    async def _post(self, thread: _Thread, one: Wanted, record: RunRecord) -> None:
        label = self._label(record, one)
        under = None if one.key == _HEAD or thread.head is None else thread.head.ts
        try:
            async with asyncio.timeout(self._posted_within):
                posted = await self._channel.post(self._to, one.message, label=label, thread=under)
        except (AnswerLostError, TimeoutError) as error:
            thread.read_at = None  # it may be there: the next look will tell
            if isinstance(error, TimeoutError):
                thread.unsure[one.key] = self._claims.now()
            raise AnswerLostError(
                f"Slack did not say whether it took the message {one.key} of run {record.run}"
            ) from error
        except UpgradeError:
            thread.read_at = None  # while Slack cannot even be read, nothing is claimed
            raise
        thread.posted[one.key] = posted
        if one.key == _HEAD:
            thread.head = posted

    def _label(self, record: RunRecord, one: Wanted) -> Label:
        return Label(
            cluster=self._cluster,
            run=record.run,
            key=one.key,
            fingerprint=one.message.fingerprint,
        )

    def _is_of(self, posted: Posted, record: RunRecord) -> bool:
        return (posted.label.cluster, posted.label.run) == (self._cluster, record.run)
