"""
The faults of one rehearsal, as the cluster and its mesh ask for them.

Nothing goes wrong before the upgrade begins: `begin` is called then.
"""

import asyncio
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from deployments.rehearsal.cluster.controllers.fates import CRASH_LOOP, NEVER_READY, NORMAL, Fate
from deployments.rehearsal.cluster.objects import (
    Json,
    controller_of,
    name_of,
    namespace_of,
    uid_of,
)
from deployments.rehearsal.faults.kinds import Fault
from deployments.rehearsal.istio.mood import Calm

_FATES: Final[Mapping[str, Fate]] = {"stuck-rollout": NEVER_READY, "crash-loop": CRASH_LOOP}


class Troubles(Calm):
    """A `Fates` for the kubelet, and a `Mood` for the mesh."""

    def __init__(self, faults: Sequence[Fault], late: Mapping[str, float]) -> None:
        """Take the faults, and by how many seconds the proxies of a namespace are late."""
        self._faults = faults
        self._late = late
        self._began: float | None = None

    def begin(self) -> None:
        """Let faults happen from now on."""
        self._began = asyncio.get_running_loop().time()

    def of(self, pod: Json) -> Fate:
        for fault in self._now(_FATES):
            if _is_of(pod, fault) and _is_hit(pod, fault):
                return _FATES[fault.kind.name]
        return NORMAL

    def lag(self, pod: Json) -> float:
        return self._late.get(namespace_of(pod), 0.0)

    def _now(self, names: Iterable[str]) -> Iterable[Fault]:
        """Return the faults of some kinds that have begun."""
        if self._began is None:
            return
        passed = asyncio.get_running_loop().time() - self._began
        for fault in self._faults:
            if fault.kind.name in names and passed >= fault.after_seconds:
                yield fault


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
