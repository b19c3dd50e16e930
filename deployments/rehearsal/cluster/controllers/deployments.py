"""Moves a Deployment's pods from one ReplicaSet to the next, and says how far it is."""

import asyncio

from deployments.rehearsal.cluster.clock import Clock
from deployments.rehearsal.cluster.controllers.amounts import number
from deployments.rehearsal.cluster.controllers.conditions import condition, replaced
from deployments.rehearsal.cluster.controllers.deployment_numbers import is_rolling, was_scaled
from deployments.rehearsal.cluster.controllers.deployment_revisions import (
    REVISION,
    find_new,
    new_replica_set,
)
from deployments.rehearsal.cluster.controllers.deployment_rollouts import (
    HashCollisionError,
    Rollout,
)
from deployments.rehearsal.cluster.controllers.deployment_status import (
    FINISHED,
    PROGRESSING,
    TIMED_OUT,
    Family,
    counts,
    has_deadline,
    is_complete,
    paused,
    rolled,
)
from deployments.rehearsal.cluster.controllers.events import Recorder
from deployments.rehearsal.cluster.controllers.owning import (
    KeptBy,
    controller_reference,
    kept_by,
    own_key,
)
from deployments.rehearsal.cluster.controllers.pods import is_namespace_ending
from deployments.rehearsal.cluster.controllers.queueing import Key
from deployments.rehearsal.cluster.controllers.running import Interests
from deployments.rehearsal.cluster.controllers.selecting import ByLabel, Selectors
from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import (
    Json,
    annotations_of,
    condition_of,
    conditions_of,
    controller_of,
    is_terminating,
    metadata_of,
    name_of,
    namespace_of,
    owners_of,
    spec_of,
    status_of,
    uid_of,
)
from deployments.rehearsal.cluster.resources import DEPLOYMENTS, PODS, REPLICASETS
from deployments.rehearsal.cluster.store import Change, ChangeKind
from deployments.rehearsal.cluster.verbs import Server


class Deployments:
    """The Deployment controller."""

    workers = 2

    def __init__(self, server: Server, replica_sets: ByLabel, clock: Clock) -> None:
        self._server = server
        self._replica_sets = replica_sets
        self._clock = clock
        self._events = Recorder(server, "deployment-controller")
        self._selecting = Selectors(server.store, DEPLOYMENTS)
        self._of_owner = KeptBy(DEPLOYMENTS)
        # When each last got further. Timestamps know seconds only, and nothing of speed.
        self._progressed: dict[str, float] = {}

    @property
    def interests(self) -> Interests:
        return {DEPLOYMENTS: own_key, REPLICASETS: self._of_replica_set, PODS: self._of_pod}

    def _of_replica_set(self, change: Change) -> list[Key]:
        keys = self._of_owner(change)
        return keys or self._selecting.choosing(change)

    def _of_pod(self, change: Change) -> list[Key]:
        """Return the Deployment of a pod that is gone: Recreate waits for that."""
        controller = controller_of(change.object)
        if change.kind is not ChangeKind.DELETED or controller is None:
            return []
        namespace = namespace_of(change.object)
        kept = self._server.store.get(REPLICASETS, str(controller["name"]), namespace)
        owner = controller_of(kept) if kept is not None else None
        return [Key(namespace, str(owner["name"]))] if owner is not None else []

    async def settle(self, key: Key) -> float | None:
        deployment = self._server.store.get(DEPLOYMENTS, key.name, key.namespace)
        if deployment is None:
            return None
        if is_terminating(deployment):
            family = self._family(deployment)
            return await self._write(deployment, counts(family), family.new)
        await self._claim(deployment)
        if (news := paused(deployment)) is not None:
            conditions = replaced(conditions_of(deployment), news)
            await self._write(deployment, status_of(deployment) | {"conditions": conditions})
            return None  # the change of the status wakes us again
        try:
            return await self._step(deployment)
        except HashCollisionError:
            collisions = number(status_of(deployment), "collisionCount") + 1
            return await self._write(
                deployment, status_of(deployment) | {"collisionCount": collisions}
            )

    async def _step(self, deployment: Json) -> float | None:
        rollout = Rollout(self._server, self._events, deployment, self._replica_sets_of(deployment))
        await rollout.note_revision()
        if spec_of(deployment).get("paused"):
            await rollout.resize()
            await rollout.forget_history()
            family = rollout.family()
            return await self._write(deployment, counts(family), family.new)
        if was_scaled(deployment, rollout.family().all):
            await rollout.resize()
            family = rollout.family()
            return await self._write(deployment, counts(family), family.new)
        had_new = rollout.family().new is not None
        try:
            await (rollout.roll() if is_rolling(deployment) else rollout.recreate())
        except ApiError as error:
            if not had_new:
                await self._tell_failure(deployment, rollout.family(), error)
            raise
        return await self._tell_progress(deployment, rollout.family(), had_new=had_new)

    async def _tell_progress(
        self, deployment: Json, family: Family, *, had_new: bool
    ) -> float | None:
        now = self._server.store.get(DEPLOYMENTS, name_of(deployment), namespace_of(deployment))
        if now is None or family.new is None:
            return None
        first = _news_of_new(now, family.new, had_new=had_new)
        if first is not None:
            # The deadline begins with it, and not with what an earlier rollout did last.
            self._progressed[uid_of(now)] = asyncio.get_running_loop().time()
            now = now | {
                "status": status_of(now) | {"conditions": replaced(conditions_of(now), first)}
            }
        family = Family(deployment=now, new=family.new, old=family.old)
        return await self._write(now, rolled(family, is_late=self._is_late(now)), family.new)

    async def _tell_failure(self, deployment: Json, family: Family, error: ApiError) -> None:
        """Say that not even the new ReplicaSet could be made."""
        if is_namespace_ending(error):
            return
        name = name_of(new_replica_set(deployment, family.old))
        text = f'Failed to create new replica set "{name}": {error.message}'
        await self._events.warning(DEPLOYMENTS, deployment, "ReplicaSetCreateError", text)
        if has_deadline(deployment):
            new = condition(
                PROGRESSING, status="False", reason="ReplicaSetCreateError", message=text
            )
            conditions = replaced(conditions_of(deployment), new)
            await self._write(deployment, status_of(deployment) | {"conditions": conditions})

    async def _claim(self, deployment: Json) -> None:
        """Adopt the ReplicaSets that belong to nobody."""
        selector = spec_of(deployment).get("selector")
        for one in self._replica_sets.chosen(namespace_of(deployment), selector):
            if controller_of(one) is None and not is_terminating(one):
                owners = [*owners_of(one), controller_reference(DEPLOYMENTS, deployment)]
                body = one | {"metadata": metadata_of(one) | {"ownerReferences": owners}}
                await self._server.update(REPLICASETS, body, namespace=namespace_of(one))

    def _replica_sets_of(self, deployment: Json) -> list[Json]:
        return kept_by(self._server.store, deployment, REPLICASETS)

    def _family(self, deployment: Json) -> Family:
        everything = self._replica_sets_of(deployment)
        new = find_new(deployment, everything)
        old = [one for one in everything if one is not new]
        return Family(deployment=deployment, new=new, old=old)

    async def _write(self, deployment: Json, status: Json, new: Json | None = None) -> float | None:
        """Write status and revision where they are news. Returns when to look at the deadline."""
        noted = annotations_of(new or {}).get(REVISION)
        notes = annotations_of(deployment) | ({REVISION: noted} if noted is not None else {})
        before = self._server.store.get(DEPLOYMENTS, name_of(deployment), namespace_of(deployment))
        if before is None:
            return None
        if status == status_of(before) and notes == annotations_of(before):
            return self._time_left(before)
        # The same object is no progress; an equal one may be, within the same second.
        if condition_of({"status": status}, PROGRESSING) is not condition_of(before, PROGRESSING):
            self._progressed[uid_of(deployment)] = asyncio.get_running_loop().time()
        metadata = metadata_of(before) | {"annotations": notes}
        body = before | {"metadata": metadata, "status": status}
        namespace = namespace_of(deployment)
        await self._server.update(DEPLOYMENTS, body, namespace=namespace, subresource="status")
        return None  # our own change wakes us again

    def _is_late(self, deployment: Json) -> bool:
        current = condition_of(deployment, PROGRESSING)
        if current is None or current["reason"] == FINISHED or not has_deadline(deployment):
            return False
        return current["reason"] == TIMED_OUT or self._left(deployment) <= 0

    def _left(self, deployment: Json) -> float:
        """Return how much of the deadline is left, in pods' time."""
        now = asyncio.get_running_loop().time()
        since = self._progressed.setdefault(uid_of(deployment), now)
        deadline = number(spec_of(deployment), "progressDeadlineSeconds")
        return deadline - (now - since) * self._clock.speed

    def _time_left(self, deployment: Json) -> float | None:
        current = condition_of(deployment, PROGRESSING)
        if current is None or current["reason"] == TIMED_OUT or not has_deadline(deployment):
            return None
        if is_complete(deployment, status_of(deployment)):
            return None
        return max(0.0, self._left(deployment)) + 0.01


def _news_of_new(deployment: Json, new: Json, *, had_new: bool) -> Json | None:
    """Return the first thing to say about a new ReplicaSet."""
    if not has_deadline(deployment):
        return None
    if not had_new:
        reason, text = "NewReplicaSetCreated", f'Created new replica set "{name_of(new)}"'
    elif condition_of(deployment, PROGRESSING) is None:
        reason, text = "FoundNewReplicaSet", f'Found new replica set "{name_of(new)}"'
    else:
        return None
    return condition(PROGRESSING, status="True", reason=reason, message=text)
