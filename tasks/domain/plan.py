"""What will be done, fixed before anything is changed. Its digest is what people approve."""

import enum
import hashlib
from collections.abc import Mapping, Sequence

import msgspec

from tasks.domain.errors import RefusedError
from tasks.domain.findings import Finding
from tasks.domain.inventory import WorkloadRef
from tasks.domain.rendering import InstallRequest
from tasks.domain.revision import INJECTION_LABEL, REVISION_LABEL

# No run makes more task runs than Prefect records: facts say about 1,000 for the whole run.
MAX_BATCHES = 300

# More than these make a task's name too long to read.
_NAMED_IN_TITLE = 3


class Action(enum.StrEnum):
    """What makes a workload's pods new ones."""

    RESTART = "restart"
    DELETE_PODS = "delete pods"  # OnDelete, or below a partition: nobody else replaces them
    BY_ITSELF = "by itself"  # Istio rolls Gateway API gateways when their namespace's label changes


class WorkloadMove(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One workload that gets new pods."""

    ref: WorkloadRef
    action: Action
    pods: int


class NamespaceMove(msgspec.Struct, frozen=True, kw_only=True):
    """One namespace: what it said, what it will say at the end, and what restarts in it."""

    name: str
    before: Mapping[str, str]  # of istio-injection and istio.io/rev, those that are there
    after: Mapping[str, str]
    workloads: tuple[WorkloadMove, ...] = ()


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """Namespaces that one task moves."""

    number: int  # within its wave, from 1
    wave: int
    namespaces: tuple[NamespaceMove, ...]

    @property
    def title(self) -> str:
        """The namespaces' names, short enough for a task's name."""
        names = [one.name for one in self.namespaces]
        return (
            ", ".join(names)
            if len(names) <= _NAMED_IN_TITLE
            else f"{names[0]} and {len(names) - 1} more"
        )


class Wave(msgspec.Struct, frozen=True, kw_only=True):
    """Batches that move side by side."""

    number: int  # from 1
    batches: tuple[Batch, ...]

    @property
    def namespaces(self) -> tuple[NamespaceMove, ...]:
        """All namespaces of the wave, in order."""
        return tuple(one for batch in self.batches for one in batch.namespaces)


class LeftToPeople(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Something that uses the old revision and that no run moves."""

    subject: str
    why: str
    todo: str


class Install(msgspec.Struct, frozen=True, kw_only=True):
    """The canary, by content."""

    request: InstallRequest
    istioctl: str  # version
    manifest_sha256: str
    is_adopted: bool = False  # there already, from an earlier run of ours


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The whole upgrade."""

    old_revision: str
    old_version: str
    new_revision: str
    new_version: str
    install: Install
    waves: tuple[Wave, ...] = ()
    settle_only: tuple[NamespaceMove, ...] = ()  # moved by an earlier run, labels still to settle
    tags: tuple[str, ...] = ()  # to move, `default` included where it is the old revision's
    left_to_people: tuple[LeftToPeople, ...] = ()
    findings: tuple[Finding, ...] = ()
    overrides: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()  # names in the order in which they will be asked
    removes_old: bool = True
    parameters: str = "{}"  # what was asked for: the parameters' JSON

    @property
    def namespaces(self) -> tuple[NamespaceMove, ...]:
        """Every namespace whose labels the run touches."""
        return (*(one for wave in self.waves for one in wave.namespaces), *self.settle_only)

    @property
    def workloads(self) -> tuple[WorkloadMove, ...]:
        """Every workload that gets new pods."""
        return tuple(one for namespace in self.namespaces for one in namespace.workloads)


def canonical(plan: Plan) -> bytes:
    """Return the plan's canonical JSON: sorted keys, no white space."""
    return msgspec.json.encode(plan, order="sorted")


def digest(plan: Plan) -> str:
    """Return the SHA-256 of the plan's canonical JSON, hexadecimal."""
    return hashlib.sha256(canonical(plan)).hexdigest()


def decoded(document: bytes) -> Plan:
    """Read a plan back. Raises RefusedError if it is none of ours."""
    try:
        return msgspec.json.decode(document, type=Plan)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise RefusedError(f"the recorded plan cannot be read: {error}") from error


def injection_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return those of a namespace's labels that decide about injection."""
    return {key: labels[key] for key in (INJECTION_LABEL, REVISION_LABEL) if key in labels}


def labels_text(labels: Mapping[str, str]) -> str:
    """Return labels as people read them."""
    return ", ".join(f"{key}={value}" for key, value in sorted(labels.items())) or "nothing"


def cut_into_batches(
    moves: Sequence[NamespaceMove], *, wave: int, per_batch: int
) -> tuple[Batch, ...]:
    """Cut a wave's namespaces into batches of a size, in order."""
    return tuple(
        Batch(number=number, wave=wave, namespaces=tuple(moves[start : start + per_batch]))
        for number, start in enumerate(range(0, len(moves), per_batch), 1)
    )
