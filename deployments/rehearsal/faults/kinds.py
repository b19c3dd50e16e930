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
        what="its pods under the new revision never become ready",
    ),
    Kind(
        name="crash-loop",
        target=Target.WORKLOAD,
        what="its pods under the new revision crash as soon as they run",
    ),
    Kind(
        name="proxies-stale",
        target=Target.NAMESPACE,
        what="its proxies under the new revision never acknowledge what they are sent",
    ),
    Kind(
        name="proxies-rejected",
        target=Target.NAMESPACE,
        what="its proxies under the new revision reject what they are sent",
    ),
    Kind(
        name="sidecars-lost",
        target=Target.NAMESPACE,
        what="injection lets its new pods pass without a sidecar",
    ),
    Kind(
        name="istiod-silent",
        target=Target.REVISION,
        what="its istiods answer nobody, neither who asks for a sidecar nor who asks for proxies",
    ),
    Kind(
        name="istiod-dies",
        target=Target.REVISION,
        what="its istiod is killed, once; its proxies have to come back to the next one",
    ),
    Kind(
        name="api-409",
        target=Target.API,
        what="the API server answers changes with conflicts: somebody else was faster",
        usual_percent=5,
    ),
    Kind(
        name="api-410",
        target=Target.API,
        what="the API server has forgotten where watches and long lists were",
        usual_percent=5,
    ),
    Kind(
        name="api-429",
        target=Target.API,
        what="the API server refuses requests: too many",
        usual_percent=10,
    ),
    Kind(
        name="api-500",
        target=Target.API,
        what="the API server answers with internal errors",
        usual_percent=1,
    ),
    Kind(
        name="api-slow",
        target=Target.API,
        what="the API server takes seconds to answer",
        usual_percent=10,
    ),
    Kind(
        name="api-cut",
        target=Target.API,
        what="the API server hangs up in the middle of answers",
        usual_percent=1,
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
