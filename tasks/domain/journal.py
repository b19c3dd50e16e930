"""
The run's append-only record, and the state of the run that follows from it.

The journal lives in the cluster that it upgrades. It is enough to resume or roll back with an empty
Prefect.
"""

import enum
from collections.abc import Mapping
from datetime import datetime
from typing import TypeVar

import msgspec

from tasks.domain.approval import Gate, Moment, Vote
from tasks.domain.inventory import WorkloadRef
from tasks.domain.snapshot import ObjectSnapshot


class Outcome(enum.StrEnum):
    """How a run ended; also the names of the flow run's last state."""

    DONE = "Done"
    NOTHING_TO_DO = "NothingToDo"
    BAD_INPUT = "BadInput"
    BLOCKED = "Blocked"
    REJECTED = "Rejected"
    ABORTED = "Aborted"
    EXPIRED = "Expired"
    ROLLED_BACK = "RolledBack"
    STOPPED = "Stopped"
    INTERRUPTED = "Interrupted"
    CRASHED = "Failed"

    @property
    def exit_code(self) -> int:
        """The command line's exit code for this outcome."""
        return _EXIT_CODES[self]


_EXIT_CODES = {
    Outcome.DONE: 0,
    Outcome.NOTHING_TO_DO: 0,
    Outcome.CRASHED: 1,
    Outcome.BAD_INPUT: 2,
    Outcome.BLOCKED: 3,
    Outcome.REJECTED: 4,
    Outcome.ABORTED: 4,
    Outcome.EXPIRED: 4,
    Outcome.ROLLED_BACK: 5,
    Outcome.STOPPED: 6,
    Outcome.INTERRUPTED: 130,
}


class Started(msgspec.Struct, frozen=True, kw_only=True, tag="started"):
    """A run began."""

    at: Moment
    parameters: str  # their fingerprint: the same command rejoins, another is refused
    target: str  # version
    revision: str
    old: str | None
    requester: str
    predecessor: str | None = None  # an earlier run whose canary this one adopted


class Attempted(msgspec.Struct, frozen=True, kw_only=True, tag="attempted"):
    """A Prefect flow run took the run up."""

    at: Moment
    flow_run: str
    flow: str  # upgrade or rollback
    deployment: str | None = None
    api: str = ""  # address of the Prefect API, without credentials; empty: a server of our own
    process: str = ""  # that does the work


class Planned(msgspec.Struct, frozen=True, kw_only=True, tag="planned"):
    """The plan was fixed."""

    at: Moment
    digest: str


class Asked(msgspec.Struct, frozen=True, kw_only=True, tag="asked"):
    """A gate was opened."""

    gate: Gate


class Decided(msgspec.Struct, frozen=True, kw_only=True, tag="decided"):
    """A gate was decided, by these votes."""

    at: Moment
    gate: str
    verdict: str
    votes: tuple[Vote, ...] = ()


class Waited(msgspec.Struct, frozen=True, kw_only=True, tag="waited"):
    """The flow run is about to suspend. Counting these gives every suspension a key of its own."""

    at: Moment
    gate: str


class Controlled(msgspec.Struct, frozen=True, kw_only=True, tag="controlled"):
    """Somebody asked the run to hold, resume or abort."""

    vote: Vote


class Installed(msgspec.Struct, frozen=True, kw_only=True, tag="installed"):
    """`istioctl install` of the canary began (`done` False) or was proved complete."""

    at: Moment
    revision: str
    done: bool


class Labelled(msgspec.Struct, frozen=True, kw_only=True, tag="labelled"):
    """A namespace is about to be relabelled; what it said before."""

    at: Moment
    namespace: str
    previous: Mapping[str, str]  # istio-injection and istio.io/rev, those that were there
    carried: bool = False  # taken over from a predecessor's journal


class Restarting(msgspec.Struct, frozen=True, kw_only=True, tag="restarting"):
    """
    A workload is about to be restarted, and how many of its pods were ready.

    Its time marks the restart: whoever repeats it says the same again, and restarts nothing twice.
    """

    at: Moment
    workload: WorkloadRef
    ready: int


class LeftBehind(msgspec.Struct, frozen=True, kw_only=True, tag="left-behind"):
    """A workload that was not healthy before did not come up, and stays as it is."""

    at: Moment
    workload: WorkloadRef
    why: str
    wave: int | None = None  # None: when the whole run was undone


class LeftAlone(msgspec.Struct, frozen=True, kw_only=True, tag="left-alone"):
    """A namespace stays as it is, since somebody has changed its labels meanwhile."""

    at: Moment
    namespace: str
    labels: Mapping[str, str]
    is_moved: bool  # whether its workloads had moved before


class Step(msgspec.Struct, frozen=True, kw_only=True, tag="step"):
    """A milestone for people to read: a batch moved, a wave verified, ..."""

    at: Moment
    text: str
    wave: int | None = None
    namespace: str | None = None


class Moved(msgspec.Struct, frozen=True, kw_only=True, tag="moved"):
    """A wave is on the new revision and verified."""

    at: Moment
    wave: int


class WaveFailed(msgspec.Struct, frozen=True, kw_only=True, tag="wave-failed"):
    """A wave failed and is being rolled back: from here on, restarts are the way back's."""

    at: Moment
    wave: int
    why: str


class WaveRolledBack(msgspec.Struct, frozen=True, kw_only=True, tag="wave-rolled-back"):
    """A wave failed and is back on the old revision."""

    at: Moment
    wave: int
    why: str


class Snapshotted(msgspec.Struct, frozen=True, kw_only=True, tag="snapshotted"):
    """What a canary's install or a tag that moves may change is about to; as it was."""

    at: Moment
    objects: tuple[ObjectSnapshot, ...]


class Repointed(msgspec.Struct, frozen=True, kw_only=True, tag="repointed"):
    """The tags (`default` included) are about to point to the new revision."""

    at: Moment
    tags: tuple[str, ...]


class Settled(msgspec.Struct, frozen=True, kw_only=True, tag="settled"):
    """A namespace says again what it said before."""

    at: Moment
    namespace: str


class Uninstalling(msgspec.Struct, frozen=True, kw_only=True, tag="uninstalling"):
    """
    The old revision's uninstall began (`done` False) or was proved complete.

    There is no way back after this.
    """

    at: Moment
    revision: str
    done: bool


class RollingBack(msgspec.Struct, frozen=True, kw_only=True, tag="rolling-back"):
    """Somebody wants the whole run undone: from here on, restarts are the way back's."""

    at: Moment
    requester: str


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag="finished"):
    """The run is over. A rollback may follow and finish it again."""

    at: Moment
    outcome: Outcome
    text: str
    todo: tuple[str, ...] = ()


Entry = (
    Started
    | Attempted
    | Planned
    | Asked
    | Decided
    | Waited
    | Controlled
    | Installed
    | Labelled
    | Restarting
    | LeftBehind
    | LeftAlone
    | Step
    | Moved
    | WaveFailed
    | WaveRolledBack
    | Snapshotted
    | Repointed
    | Settled
    | Uninstalling
    | RollingBack
    | Finished
)


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """
    What the Lease says.

    An empty `run`: nobody has it. An empty `process`: the run is parked, no process works for it.
    """

    run: str
    process: str
    renewed_at: datetime | None
    duration_seconds: int
    version: str  # resourceVersion: what compare-and-swap compares


_E = TypeVar("_E", bound=msgspec.Struct)


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One run's entries in order, and questions to them."""

    run: str
    entries: tuple[Entry, ...] = ()

    def of(self, kind: type[_E]) -> tuple[_E, ...]:
        """Return the entries of one kind, in order."""
        return tuple(entry for entry in self.entries if isinstance(entry, kind))

    def last(self, kind: type[_E]) -> _E | None:
        """Return the newest entry of one kind, None if there is none."""
        return next((entry for entry in reversed(self.entries) if isinstance(entry, kind)), None)

    @property
    def started(self) -> Started:
        """The first entry: what was asked for. Every journal begins with it."""
        return self.of(Started)[0]

    @property
    def finished(self) -> Finished | None:
        """How the run ended; None while it has not, or while a rollback works on it again."""
        for entry in reversed(self.entries):
            if isinstance(entry, Finished):
                return entry
            if isinstance(entry, RollingBack | Attempted):
                return None
        return None

    @property
    def previous_labels(self) -> dict[str, Mapping[str, str]]:
        """What each namespace said before the run touched it: the first record wins."""
        found: dict[str, Mapping[str, str]] = {}
        for entry in self.of(Labelled):
            found.setdefault(entry.namespace, entry.previous)
        return found

    @property
    def ready_before(self) -> dict[WorkloadRef, int]:
        """How many pods of each workload were ready before the run restarted it first."""
        found: dict[WorkloadRef, int] = {}
        for entry in self.of(Restarting):
            found.setdefault(entry.workload, entry.ready)
        return found

    @property
    def restarts(self) -> dict[WorkloadRef, datetime]:
        """When each workload was first to be restarted since the run last turned round or ended."""
        found: dict[WorkloadRef, datetime] = {}
        for entry in self.entries:
            if isinstance(entry, WaveFailed | RollingBack | Finished):
                found.clear()
            elif isinstance(entry, Restarting):
                found.setdefault(entry.workload, entry.at)
        return found

    @property
    def left_behind(self) -> dict[WorkloadRef, LeftBehind]:
        """What stays as it is for now; a way back begins anew for what it takes back."""
        found: dict[WorkloadRef, LeftBehind] = {}
        for entry in self.entries:
            if isinstance(entry, RollingBack | Finished):
                found.clear()
            elif isinstance(entry, WaveFailed):
                found = {ref: one for ref, one in found.items() if one.wave != entry.wave}
            elif isinstance(entry, LeftBehind):
                found[entry.workload] = entry
        return found

    @property
    def flow_runs(self) -> tuple[str, ...]:
        """The Prefect flow runs that worked for this run, oldest first."""
        return tuple(dict.fromkeys(entry.flow_run for entry in self.of(Attempted)))

    @property
    def attempt_is_rollback(self) -> bool:
        """Whether the last thing that somebody asked of this run is to undo it."""
        last = self.last(Attempted)
        return last is not None and last.flow == "rollback"

    @property
    def moved_waves(self) -> frozenset[int]:
        """The waves that are on the new revision and verified."""
        return frozenset(entry.wave for entry in self.of(Moved))

    @property
    def snapshots(self) -> tuple[ObjectSnapshot, ...]:
        """The cluster-wide objects as they were before the run: the first record wins."""
        taken = self.of(Snapshotted)
        return taken[0].objects if taken else ()

    def gate(self, name: str) -> Gate | None:
        """Return a gate as it was first asked for the plan in force, None before that."""
        return next((entry.gate for entry in self.of(Asked) if entry.gate.name == name), None)

    def decision(self, gate: str) -> Decided | None:
        """Return a gate's decision, None while it is open."""
        return next((entry for entry in self.of(Decided) if entry.gate == gate), None)

    @property
    def open_gate(self) -> Gate | None:
        """The gate that waits for people now; none of a run that is being undone."""
        if self.attempt_is_rollback:
            return None
        for asked in self.of(Asked):
            if self.decision(asked.gate.name) is None:
                return asked.gate
        return None

    @property
    def is_past_return(self) -> bool:
        """Whether the old revision's uninstall has begun."""
        return bool(self.of(Uninstalling))
