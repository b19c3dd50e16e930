"""Counts for each PodDisruptionBudget how many of its pods may be evicted now."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, cast

from deployments.rehearsal.cluster.controllers.amounts import number, replicas_of, resolved
from deployments.rehearsal.cluster.controllers.conditions import (
    condition,
    replaced,
    without_update_time,
)
from deployments.rehearsal.cluster.controllers.owning import own_key
from deployments.rehearsal.cluster.controllers.pods import is_over, is_ready
from deployments.rehearsal.cluster.controllers.queueing import Key
from deployments.rehearsal.cluster.controllers.running import Interests
from deployments.rehearsal.cluster.controllers.selecting import ByLabel, Selectors
from deployments.rehearsal.cluster.controllers.writing import write_status
from deployments.rehearsal.cluster.objects import (
    Json,
    conditions_of,
    controller_of,
    is_terminating,
    metadata_of,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    uid_of,
)
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import PDBS, PODS
from deployments.rehearsal.cluster.verbs import Server

_CONFIRMED_WITHIN: Final = 120.0  # seconds in which an evicted pod has to begin to end


class DisruptionBudgets:
    """The disruption controller."""

    workers = 1

    def __init__(self, server: Server, pods: ByLabel) -> None:
        self._server = server
        self._pods = pods
        self._selecting = Selectors(server.store, PDBS)
        self._evicted: dict[tuple[str, str, str], float] = {}

    @property
    def interests(self) -> Interests:
        return {PDBS: own_key, PODS: self._selecting.choosing}

    async def settle(self, key: Key) -> float | None:
        budget = self._server.store.get(PDBS, key.name, key.namespace)
        if budget is None:
            return None
        chosen = self._pods.chosen(key.namespace, spec_of(budget).get("selector"))
        pods = [pod for pod in chosen if not is_over(pod)]
        evicted = self._still_evicted(budget, pods)
        status = self._status(budget, pods, evicted)
        await write_status(self._server, PDBS, budget, status)
        return _CONFIRMED_WITHIN if evicted else None

    def _still_evicted(self, budget: Json, pods: Iterable[Json]) -> dict[str, str]:
        """Return the pods whose eviction was granted, and that do not end yet."""
        noted = cast("dict[str, str]", status_of(budget).get("disruptedPods") or {})
        staying = {name_of(pod) for pod in pods if not is_terminating(pod)}
        now = asyncio.get_running_loop().time()
        found: dict[str, str] = {}
        for name, when in noted.items():
            place = (namespace_of(budget), name, when)
            if name in staying and now - self._evicted.setdefault(place, now) < _CONFIRMED_WITHIN:
                found[name] = when
            else:
                self._evicted.pop(place, None)
        return found

    def _status(self, budget: Json, pods: Sequence[Json], evicted: dict[str, str]) -> Json:
        expected, desired = self._wanted(budget, pods)
        healthy = sum(
            is_ready(pod) and not is_terminating(pod) and name_of(pod) not in evicted
            for pod in pods
        )
        allowed = max(0, healthy - desired) if expected > 0 else 0
        status: Json = {
            "observedGeneration": metadata_of(budget).get("generation", 0),
            "disruptionsAllowed": allowed,
            "currentHealthy": healthy,
            "desiredHealthy": desired,
            "expectedPods": expected,
            "conditions": replaced(conditions_of(budget), allowance(budget, allowed)),
        }
        return status | ({"disruptedPods": evicted} if evicted else {})

    def _wanted(self, budget: Json, pods: Sequence[Json]) -> tuple[int, int]:
        """Return how many pods there should be, and how many of them healthy."""
        spec = spec_of(budget)
        most, least = spec.get("maxUnavailable"), spec.get("minAvailable")
        if most is not None:
            expected = self._expected(pods)
            return expected, max(0, expected - resolved(most, expected, round_up=True))
        if isinstance(least, str):
            expected = self._expected(pods)
            return expected, resolved(least, expected, round_up=True)
        return len(pods), number(spec, "minAvailable")

    def _expected(self, pods: Iterable[Json]) -> int:
        """Add up the sizes of the workloads to which the pods belong."""
        sizes: dict[str, int] = {}
        for pod in pods:
            keeper = self._keeper(pod)
            while keeper is not None and (above := self._keeper(keeper)) is not None:
                keeper = above
            if keeper is not None:
                sizes[uid_of(keeper)] = replicas_of(keeper)
        return sum(sizes.values())

    def _keeper(self, obj: Json) -> Json | None:
        controller = controller_of(obj)
        if controller is None:
            return None
        kind: Resource | None = self._server.registry.of_kind(
            controller["apiVersion"], controller["kind"]
        )
        if kind is None:
            return None
        return self._server.store.get(kind, controller["name"], namespace_of(obj))


def allowance(budget: Json, allowed: int) -> Json:
    """Return the condition that says whether pods may be evicted."""
    new = condition(
        "DisruptionAllowed",
        status="True" if allowed else "False",
        reason="SufficientPods" if allowed else "InsufficientPods",
        message="",
    )
    generation = metadata_of(budget).get("generation", 0)
    return without_update_time(new) | {"observedGeneration": generation}
