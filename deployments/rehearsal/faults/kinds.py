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
    usual_percent: float

    @property
    def shape(self) -> str:
        """How it is written."""
        return f"{self.name}:{self.target}" if self.target else self.name


_WHAT: Final[Mapping[Target, Mapping[str, str]]] = {
    Target.WORKLOAD: {
        "stuck-rollout": "its pods under the new revision never become ready",
        "crash-loop": "its pods under the new revision crash as soon as they run",
    },
    Target.NAMESPACE: {
        "proxies-stale": "its proxies under the new revision never acknowledge what they are sent",
        "proxies-rejected": "its proxies under the new revision reject what they are sent",
        "sidecars-lost": "injection lets its new pods pass without a sidecar",
        "labels-changed": "somebody turns injection off by its labels meanwhile, once",
    },
    Target.REVISION: {
        "istiod-silent": "its istiods answer nobody, neither who asks for a sidecar nor who asks "
        "for proxies",
        "istiod-dies": "its istiod is killed, once; its proxies have to come back to the next one",
    },
    Target.API: {
        "api-409": "the API server answers changes with conflicts: somebody else was faster",
        "api-410": "the API server has forgotten where watches and long lists were",
        "api-429": "the API server refuses requests: too many",
        "api-500": "the API server answers with internal errors",
        "api-slow": "the API server takes seconds to answer",
        "api-cut": "the API server hangs up in the middle of answers",
    },
}
# Of the requests; what is not here befalls everything that it names.
_USUAL_PERCENT: Final[Mapping[str, float]] = {
    "api-409": 5,
    "api-410": 5,
    "api-429": 10,
    "api-500": 1,
    "api-slow": 10,
    "api-cut": 1,
}
KINDS: Final[Mapping[str, Kind]] = {
    name: Kind(name=name, target=target, what=what, usual_percent=_USUAL_PERCENT.get(name, 100))
    for target, kinds in _WHAT.items()
    for name, what in kinds.items()
}


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
