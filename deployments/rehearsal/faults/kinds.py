"""The faults that there are."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Target(StrEnum):
    """What a fault befalls."""

    WORKLOAD = "NAMESPACE/WORKLOAD"
    NAMESPACE = "NAMESPACE"
    REVISION = "REVISION"
    API = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of fault."""

    name: str
    target: Target
    what: str
    usual_percent: float = 100.0

    @property
    def shape(self) -> str:
        """How it is written."""
        return f"{self.name}:{self.target}" if self.target else self.name


_KINDS: Final = (
    Kind(
        name="stuck-rollout",
        target=Target.WORKLOAD,
        what="its new pods never become ready",
    ),
    Kind(
        name="crash-loop",
        target=Target.WORKLOAD,
        what="its new pods crash as soon as they run",
    ),
)
KINDS: Final[Mapping[str, Kind]] = {kind.name: kind for kind in _KINDS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault, as somebody asked for it."""

    kind: Kind
    target: str
    after_seconds: float
    percent: float

    @property
    def namespace(self) -> str:
        return self.target.partition("/")[0]

    @property
    def workload(self) -> str:
        return self.target.partition("/")[2]
