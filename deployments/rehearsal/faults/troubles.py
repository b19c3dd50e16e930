"""
The faults of one rehearsal, as the cluster and its mesh ask for them.

Nothing goes wrong before the upgrade begins: `begin` is called then.
"""

import asyncio
import zlib
from collections.abc import Mapping, Sequence
from typing import Final

from deployments.rehearsal.cluster.controllers.fates import CRASH_LOOP, NEVER_READY, NORMAL, Fate
from deployments.rehearsal.cluster.objects import (
    Json,
    annotations_of,
    controller_of,
    labels_of,
    name_of,
    namespace_of,
    uid_of,
)
from deployments.rehearsal.faults.kinds import Fault
from deployments.rehearsal.istio.mood import Calm, Rejection
from deployments.rehearsal.istio.xds import CLUSTER

_REVISION: Final = "istio.io/rev"  # as an injector notes it
_FATES: Final[Mapping[str, Fate]] = {"stuck-rollout": NEVER_READY, "crash-loop": CRASH_LOOP}
# Envoy's own words, for an EnvoyFilter that asks for the impossible.
_REJECTION: Final = Rejection(
    type_url=CLUSTER, error="Invalid duration: Expected positive duration: seconds: -5"
)


class Troubles(Calm):
    """A `Fates` for the kubelet, and a `Mood` for the mesh."""

    def __init__(self, faults: Sequence[Fault], *, late: Mapping[str, float], new: str) -> None:
        """Take the faults, and by how many seconds the proxies of a namespace are late."""
        self._faults = faults
        self._new = new
        self._late = late
        self._began: float | None = None

    @property
    def new_revision(self) -> str:
        """The revision that the upgrade installs."""
        return self._new

    def begin(self) -> None:
        """Let faults happen from now on."""
        self._began = asyncio.get_running_loop().time()

    def of(self, pod: Json) -> Fate:
        for fault in self.active(*_FATES):
            if _is_of(pod, fault) and self._is_new(pod) and _is_hit(pod, fault):
                return _FATES[fault.kind.name]
        return NORMAL

    def lag(self, pod: Json) -> float:
        return self._late.get(namespace_of(pod), 0.0)

    def is_stale(self, pod: Json) -> bool:
        return self._is_new(pod) and self._hits_namespace(pod, "proxies-stale")

    def rejection(self, pod: Json) -> Rejection | None:
        is_hit = self._is_new(pod) and self._hits_namespace(pod, "proxies-rejected")
        return _REJECTION if is_hit else None

    def loses_sidecar(self, pod: Json) -> bool:
        return self._hits_namespace(pod, "sidecars-lost")

    def is_silent(self, istiod: Json) -> bool:
        revision = labels_of(istiod).get(_REVISION)
        return any(fault.target == revision for fault in self.active("istiod-silent"))

    def active(self, *kinds: str) -> list[Fault]:
        """Return the faults of some kinds that have begun."""
        if self._began is None:
            return []
        passed = asyncio.get_running_loop().time() - self._began
        return [
            fault
            for fault in self._faults
            if fault.kind.name in kinds and passed >= fault.after_seconds
        ]

    def _is_new(self, pod: Json) -> bool:
        """Whether the new revision has injected a pod: else there would be no way back."""
        return annotations_of(pod).get(_REVISION) == self._new

    def _hits_namespace(self, pod: Json, kind: str) -> bool:
        return any(
            fault.target == namespace_of(pod) and _is_hit(pod, fault) for fault in self.active(kind)
        )


def _is_of(pod: Json, fault: Fault) -> bool:
    """Whether a pod belongs to the workload that a fault befalls."""
    if namespace_of(pod) != fault.namespace:
        return False
    owner = controller_of(pod)
    if owner is None:
        return name_of(pod) == fault.workload
    name = str(owner["name"])
    # A Deployment's pods belong to a ReplicaSet, whose name ends with a hash.
    return (name.rpartition("-")[0] if owner["kind"] == "ReplicaSet" else name) == fault.workload


def _is_hit(pod: Json, fault: Fault) -> bool:
    """Whether chance has it that this pod is one of those: always the same for the same pod."""
    return zlib.crc32(uid_of(pod).encode()) % 10_000 < fault.percent * 100
