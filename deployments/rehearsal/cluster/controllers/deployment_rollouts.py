"""
One step of a Deployment towards its template and its size.

The steps and their order are those of Kubernetes' own controller, so that a rollout that is stuck
is stuck where it would be there.
"""

from collections.abc import Sequence

from deployments.rehearsal.cluster.controllers.amounts import number, replicas_of
from deployments.rehearsal.cluster.controllers.deployment_numbers import (
    active,
    by_age,
    counted,
    is_rolling,
    is_saturated,
    max_unavailable,
    proportionally,
    size_of_new,
    wanted_by,
)
from deployments.rehearsal.cluster.controllers.deployment_revisions import (
    annotations_for,
    find_new,
    new_replica_set,
    revision_of,
    sizes_for,
)
from deployments.rehearsal.cluster.controllers.deployment_status import Family, is_complete
from deployments.rehearsal.cluster.controllers.events import Recorder
from deployments.rehearsal.cluster.controllers.hashing import same_template
from deployments.rehearsal.cluster.controllers.owning import is_kept_by, kept_by
from deployments.rehearsal.cluster.controllers.pods import is_over
from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import (
    Json,
    annotations_of,
    is_terminating,
    metadata_of,
    name_of,
    namespace_of,
    spec_of,
    status_of,
    uid_of,
)
from deployments.rehearsal.cluster.resources import DEPLOYMENTS, PODS, REPLICASETS
from deployments.rehearsal.cluster.verbs import Server


class HashCollisionError(Exception):
    """Another template has the same hash: the Deployment has to choose another name."""


class Rollout:
    """Makes, sizes and deletes the ReplicaSets of one Deployment."""

    def __init__(
        self, server: Server, events: Recorder, deployment: Json, replica_sets: Sequence[Json]
    ) -> None:
        self._server = server
        self._events = events
        self._deployment = deployment
        self._replica_sets = {uid_of(one): one for one in replica_sets}
        new = find_new(deployment, replica_sets)
        self._new = uid_of(new) if new is not None else ""

    def family(self) -> Family:
        """Return the Deployment with its ReplicaSets as they are by now."""
        old = [one for uid, one in self._replica_sets.items() if uid != self._new]
        new = self._replica_sets.get(self._new)
        return Family(deployment=self._deployment, new=new, old=old)

    async def note_revision(self) -> None:
        """Write the newest revision, and what was annotated, to the new ReplicaSet."""
        family = self.family()
        if family.new is None:
            return
        notes = annotations_for(self._deployment, family.new, family.old)
        patience = number(spec_of(self._deployment), "minReadySeconds")
        spec = spec_of(family.new)
        if notes != annotations_of(family.new) or patience != number(spec, "minReadySeconds"):
            await self._update(family.new, spec | {"minReadySeconds": patience}, notes)

    async def roll(self) -> None:
        """Replace pods, never fewer available and never more in all than the Deployment says."""
        await self._make_new()
        family = self.family()
        if family.new is None:
            return
        most = replicas_of(self._deployment)
        size = min(size_of_new(self._deployment, family.all, family.new), most)
        if not await self._scale(family.new, size) and not await self._scale_down_old(family):
            await self._conclude()

    async def recreate(self) -> None:
        """End all old pods, then make the new ones."""
        for one in active(self.family().old):
            await self._scale(one, 0)
        if self._has_old_pods():
            return
        await self._make_new()
        family = self.family()
        if family.new is not None:
            await self._scale(family.new, replicas_of(self._deployment))
            await self._conclude()

    async def resize(self) -> None:
        """Follow a new size, without any step of a rollout."""
        family = self.family()
        wanted = replicas_of(self._deployment)
        only = _active_or_latest(family)
        if only is not None:
            await self._scale(only, wanted)
        elif is_saturated(self._deployment, family.new):
            for one in active(family.old):
                await self._scale(one, 0)
        elif is_rolling(self._deployment):
            several = active(family.all)
            for name, size in proportionally(self._deployment, several).items():
                one = next(one for one in several if name_of(one) == name)
                await self._scale(one, size, renote=True)

    async def _conclude(self) -> None:
        if is_complete(self._deployment, status_of(self._deployment)):
            await self.forget_history()

    async def forget_history(self) -> None:
        """Delete the oldest ReplicaSets without pods, if there are more than should be kept."""
        limit = number(spec_of(self._deployment), "revisionHistoryLimit", 10)
        old = [one for one in self.family().old if not is_terminating(one)]
        surplus = max(0, len(old) - limit)
        for one in sorted(old, key=revision_of)[:surplus]:
            seen = number(status_of(one), "observedGeneration")
            is_busy = number(status_of(one), "replicas") or replicas_of(one)
            if is_busy or seen < metadata_of(one).get("generation", 0):
                continue
            await self._server.delete(REPLICASETS, name_of(one), namespace=namespace_of(one))
            self._replica_sets.pop(uid_of(one))

    async def _make_new(self) -> None:
        family = self.family()
        if family.new is not None:
            return
        wanted = new_replica_set(self._deployment, family.old)
        namespace = namespace_of(wanted)
        try:
            made = await self._server.create(REPLICASETS, wanted, namespace=namespace)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
            made = self._existing(wanted)
        self._new = uid_of(made)
        self._replica_sets[self._new] = made
        if size := replicas_of(made):
            await self._tell(f"Scaled up replica set {name_of(made)} from 0 to {size}")

    def _existing(self, wanted: Json) -> Json:
        found = self._server.store.get(REPLICASETS, name_of(wanted), namespace_of(wanted))
        if (
            found is None
            or not is_kept_by(found, self._deployment)
            or not same_template(spec_of(found)["template"], spec_of(wanted)["template"])
        ):
            raise HashCollisionError(name_of(wanted))
        return found

    async def _scale_down_old(self, family: Family) -> bool:
        """End old pods as far as enough others are available; those not available go first."""
        new = family.new or {}
        enough = replicas_of(self._deployment) - max_unavailable(self._deployment)
        missing = replicas_of(new) - number(status_of(new), "availableReplicas")
        room = wanted_by(family.all) - enough - missing
        if room <= 0 or not active(family.old):
            return False
        scaled = await self._end_unavailable(active(family.old), room)
        family = self.family()
        spare = counted([*active(family.old), new], "availableReplicas") - enough
        for one in by_age(active(family.old)):
            if spare <= 0:
                break
            size = max(0, replicas_of(one) - spare)
            spare -= replicas_of(one) - size
            scaled = await self._scale(one, size) or scaled
        return scaled

    async def _end_unavailable(self, old: Sequence[Json], room: int) -> bool:
        scaled = False
        for one in by_age(old):
            unavailable = replicas_of(one) - number(status_of(one), "availableReplicas")
            count = min(room, unavailable)
            if count > 0:
                room -= count
                scaled = await self._scale(one, replicas_of(one) - count) or scaled
        return scaled

    def _has_old_pods(self) -> bool:
        family = self.family()
        if counted(family.old, "replicas"):
            return True
        pods = [pod for one in family.old for pod in kept_by(self._server.store, one, PODS)]
        return any(not is_over(pod) for pod in pods)

    async def _scale(self, replica_set: Json, size: int, *, renote: bool = False) -> bool:
        """Give a ReplicaSet another size. Returns whether it had another."""
        before = replicas_of(replica_set)
        notes = annotations_of(replica_set) | sizes_for(self._deployment)
        if before == size and not (renote and notes != annotations_of(replica_set)):
            return False
        await self._update(replica_set, spec_of(replica_set) | {"replicas": size}, notes)
        if before == size:
            return False
        way = "up" if before < size else "down"
        await self._tell(f"Scaled {way} replica set {name_of(replica_set)} from {before} to {size}")
        return True

    async def _update(self, replica_set: Json, spec: Json, notes: dict[str, str]) -> None:
        metadata = metadata_of(replica_set) | {"annotations": notes}
        body = replica_set | {"metadata": metadata, "spec": spec}
        namespace = namespace_of(replica_set)
        updated = await self._server.update(REPLICASETS, body, namespace=namespace)
        self._replica_sets[uid_of(updated)] = updated

    async def _tell(self, text: str) -> None:
        await self._events.normal(DEPLOYMENTS, self._deployment, "ScalingReplicaSet", text)


def _active_or_latest(family: Family) -> Json | None:
    """Return the only ReplicaSet with pods; without any, the new one or the youngest."""
    found = active(family.all)
    if found:
        return found[0] if len(found) == 1 else None
    if family.new is not None:
        return family.new
    return by_age(family.old)[-1] if family.old else None
