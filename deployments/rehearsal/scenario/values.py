"""What a scenario says, as values that need no checking any more."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Json = dict[str, Any]
NODES = 3  # that a rehearsal has


class Kind(StrEnum):
    """What a scenario can call by a word of its own; other kinds go to `objects`."""

    DEPLOYMENT = "deployment"
    STATEFUL_SET = "statefulset"
    DAEMON_SET = "daemonset"
    JOB = "job"
    POD = "pod"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """One workload with its Service, in a namespace."""

    kind: Kind
    name: str
    replicas: int = 1
    strategy: str | None = None  # Recreate, OnDelete; none: rolling
    partition: int = 0
    is_paused: bool = False
    is_gateway: bool = False
    min_available: int | None = None  # of a PodDisruptionBudget; none: no budget
    starts_in_seconds: float = 0.0
    labels: Mapping[str, str] = field(default_factory=dict[str, str])  # of its pods
    annotations: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """One namespace and what runs in it."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    proxies_late_seconds: float = 0.0
    workloads: Sequence[Workload] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Istio:
    """The Istio that is there when the rehearsal begins."""

    version: str
    revision: str | None  # None: an istiod without a revision of its own
    tags: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A cluster to rehearse on, and the upgrade to rehearse."""

    name: str
    source: str  # the file
    description: str
    istio: Istio
    namespaces: Sequence[Namespace] = ()
    objects: Sequence[Json] = ()
    faults: Sequence[str] = ()
    fault_places: Sequence[str] = ()  # of each: where in the file it is written
    upgrade: Json = field(default_factory=dict[str, Any])  # the product's own parameters
    exit_code: int = 0  # how the upgrade is meant to end
    seed: int = 0

    @property
    def pods(self) -> int:
        """About how many pods there will be."""
        workloads = [one for space in self.namespaces for one in space.workloads]
        return sum(NODES if one.kind is Kind.DAEMON_SET else one.replicas for one in workloads)
