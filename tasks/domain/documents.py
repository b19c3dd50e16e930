"""The documents of `-o json`. Each names its schema; a field is added, never renamed."""

from collections.abc import Mapping

import msgspec

from tasks.domain.journal import Outcome
from tasks.domain.plan import Plan

Row = dict[str, str]


class RunReport(msgspec.Struct, frozen=True, kw_only=True):
    """How a command about a run ended: the document of `upgrade` and `rollback`."""

    schema: str = "istio-canary/report/v1"
    run: str | None = None
    outcome: Outcome
    exit_code: int
    text: str
    todo: tuple[str, ...] = ()
    flow_runs: tuple[str, ...] = ()


class PlanReport(msgspec.Struct, frozen=True, kw_only=True):
    """The document of `plan`."""

    schema: str = "istio-canary/plan/v1"
    outcome: Outcome
    exit_code: int
    text: str
    digest: str
    blocked_by: tuple[str, ...]
    plan: Plan


class RunStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One run, as `status` shows it."""

    run: str
    state: str  # Running, Waiting, Held, Parked, Lapsed, Finished
    target: str
    revision: str
    old: str | None
    requester: str
    outcome: Outcome | None
    text: str
    gate: "GateStatus | None"
    flow_runs: tuple[str, ...]
    namespaces_moved: tuple[str, ...]


class GateStatus(msgspec.Struct, frozen=True, kw_only=True):
    """A gate that waits for people."""

    name: str
    digest: str
    expires_at: str
    quorum: int


class StatusReport(msgspec.Struct, frozen=True, kw_only=True):
    """The document of `status`."""

    schema: str = "istio-canary/status/v1"
    runs: tuple[RunStatus, ...]


class AuditReport(msgspec.Struct, frozen=True, kw_only=True):
    """The document of `audit`: who is where."""

    schema: str = "istio-canary/audit/v1"
    control_planes: tuple[Row, ...]
    tags: Mapping[str, str]
    namespaces: tuple[Row, ...]
    proxies_by_revision: Mapping[str, int]
    connected_by_istiod: Mapping[str, int | None]
    unread: tuple[str, ...]


class VoteReport(msgspec.Struct, frozen=True, kw_only=True):
    """The document of `approve`, `reject`, `hold`, `resume` and `abort`."""

    schema: str = "istio-canary/vote/v1"
    run: str
    gate: str
    answer: str
    person: str
    digest: str
    text: str


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that `doctor` looked at."""

    what: str
    is_good: bool
    text: str
    todo: str = ""


class DoctorReport(msgspec.Struct, frozen=True, kw_only=True):
    """The document of `doctor`."""

    schema: str = "istio-canary/doctor/v1"
    is_healthy: bool
    checks: tuple[Examined, ...]
