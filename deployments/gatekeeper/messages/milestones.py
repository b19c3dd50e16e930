"""
What has happened, as short messages of their own, each posted once.

A milestone's key is its own for good: it follows from the journal up to its entry, and the journal
only grows.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

import msgspec

from deployments.gatekeeper.messages import blocks, words
from deployments.gatekeeper.messages.blocks import escape
from tasks.domain.approval import Answer
from tasks.domain.journal import (
    Asked,
    Controlled,
    Entry,
    Finished,
    Installed,
    Moved,
    Repointed,
    RollingBack,
    RunRecord,
    Settled,
    Step,
    Uninstalling,
    WaveFailed,
    WaveRolledBack,
)
from tasks.domain.policy import Policy
from tasks.domain.slack import Message

_LONGEST_REASON: Final = 1000
_MOST_TAGS: Final = 20


class Milestone(msgspec.Struct, frozen=True, kw_only=True):
    """What one entry of the journal tells people."""

    subject: str  # what it is about: of one subject the same is not told twice in a row
    key: str
    title: str
    text: str  # markup without any formatting, so that it is the fallback as well
    by: str = ""  # an identity
    why: str = ""

    def message(self, policy: Policy) -> Message:
        """Return it as it is posted."""
        why = escape(self.why, _LONGEST_REASON)
        tail = f": {why}" if why else ""
        mention = f" by {words.mention(self.by, policy)}" if self.by else ""
        name = f" by {words.name(self.by, policy)}" if self.by else ""
        return blocks.message(
            f"{self.title}: {self.text}{name}{tail}",
            [blocks.section(f"*{self.title}*: {self.text}{mention}{tail}")],
        )


def milestones(record: RunRecord) -> dict[int, Milestone]:
    """
    Return what people are told of, by the place in the journal where it is known to have happened.

    A process that goes on with what another one has begun may say it again; it is told once.
    """
    told: dict[int, Milestone] = {}
    last: dict[str, str] = {}
    times: Counter[str] = Counter()
    for place, entry in _proved(record):
        found = _milestone(entry, record)
        if found is None or (found.subject and last.get(found.subject) == found.key):
            continue
        last[found.subject] = found.key
        times[found.key] += 1
        again = times[found.key]
        key = found.key if again == 1 else f"{found.key}-{again}"
        told[place] = msgspec.structs.replace(found, key=key)
    return told


def _proved(record: RunRecord) -> Iterator[tuple[int, Entry]]:
    """
    Yield the entries with their places; that tags were to move, where they have.

    The journal only says that they are about to; what the run does next proves that they have.
    """
    waiting: Repointed | None = None
    for place, entry in enumerate(record.entries):
        if isinstance(entry, Repointed):
            waiting = entry
        elif waiting is not None and isinstance(entry, Step | Settled | Asked):
            yield place, waiting
            waiting = None
        else:
            if isinstance(entry, RollingBack | Finished):
                waiting = None
            yield place, entry


def _milestone(entry: Entry, record: RunRecord) -> Milestone | None:
    match entry:
        case Moved() | WaveFailed() | WaveRolledBack():
            return _of_wave(entry, record)
        case Installed(done=True) | Repointed() | Uninstalling():
            return _of_control_plane(entry, record)
        case Controlled() | RollingBack():
            return _of_people(entry, record)
        case Finished():
            return Milestone(subject="", key="end", title="Finished", text=str(entry.outcome))
        case _:
            return None


def _of_wave(entry: Moved | WaveFailed | WaveRolledBack, record: RunRecord) -> Milestone:
    old, new = escape(record.started.old or "the old revision"), escape(record.started.revision)
    if isinstance(entry, Moved):
        state, text, why = "moved", f"its proxies are on {new}, verified", ""
    elif isinstance(entry, WaveFailed):
        state, text, why = "failed", f"it is being rolled back to {old}", entry.why
    else:
        told = {one.why for one in record.of(WaveFailed) if one.wave == entry.wave}
        why = "" if entry.why in told else entry.why  # the message above says it
        state, text = "rolled back", f"it is on {old} again"
    return Milestone(
        subject=f"wave-{entry.wave}",
        key=f"wave-{entry.wave}-{state.replace(' ', '-')}",
        title=f"Wave {entry.wave} {state}",
        text=text,
        why=why,
    )


def _of_control_plane(
    entry: Installed | Repointed | Uninstalling, record: RunRecord
) -> Milestone | None:
    new = escape(record.started.revision)
    match entry:
        case Installed():
            text = f"revision {escape(entry.revision)} is there, beside the old one"
            return Milestone(
                subject="canary", key="canary-installed", title="Canary installed", text=text
            )
        case Repointed():
            if not entry.tags:
                return None
            names = ", ".join(escape(one, 100) for one in entry.tags[:_MOST_TAGS])
            more = len(entry.tags) - _MOST_TAGS
            text = f"{names}{f' and {more} more' if more > 0 else ''} now on {new}"
            return Milestone(subject="tags", key="tags-moved", title="Tags moved", text=text)
        case Uninstalling():
            text = f"revision {escape(entry.revision)}"
            if entry.done:
                return Milestone(
                    subject="old", key="uninstalled", title="Uninstalled", text=f"{text} is gone"
                )
            text += " goes; there is no way back after this"
            return Milestone(subject="old", key="uninstalling", title="Uninstalling", text=text)


def _of_people(entry: Controlled | RollingBack, record: RunRecord) -> Milestone:
    if isinstance(entry, RollingBack):
        return Milestone(
            subject="rollback",
            key="rolling-back",
            title="Rolling back",
            text=f"everything is to go back to {escape(record.started.old or 'where it was')}, asked for",
            by=entry.requester,
        )
    vote = entry.vote
    titles = {
        Answer.HOLD: ("held", "Held", "the run does not begin its next step; asked for"),
        Answer.RESUME: ("resumed", "Resumed", "the run goes on; asked for"),
    }
    stopped = ("aborted", "Abort", "the run stops at the next safe point; asked for")
    key, title, text = titles.get(vote.answer, stopped)
    return Milestone(subject="", key=key, title=title, text=text, by=vote.person, why=vote.reason)
