"""
Deletes what belongs to nobody any more.

An owner may go first, its dependents after it (background), after them (foreground), or without
them (orphan). The API server only marks it; the rest is done here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from deployments.rehearsal.cluster.controllers.queueing import Key
from deployments.rehearsal.cluster.controllers.running import EVERY, Interests
from deployments.rehearsal.cluster.controllers.writing import end
from deployments.rehearsal.cluster.objects import (
    Json,
    finalizers_of,
    is_terminating,
    metadata_of,
    name_of,
    namespace_of,
    owners_of,
    uid_of,
)
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.store import Change, ChangeKind
from deployments.rehearsal.cluster.verbs import Server

FOREGROUND: Final = "foregroundDeletion"
ORPHAN: Final = "orphan"


@dataclass(frozen=True, slots=True)
class _Place:
    resource: Resource
    namespace: str
    name: str


class Garbage:
    """The garbage collector. Its keys are the uids of owners."""

    workers = 2

    def __init__(self, server: Server) -> None:
        self._server = server
        self._places: dict[str, _Place] = {}
        self._waited_for: set[str] = set()  # owners that stay until their dependents are gone

    @property
    def interests(self) -> Interests:
        return {EVERY: self._concerned}

    def _concerned(self, change: Change) -> Iterable[Key]:
        obj, uid = change.object, uid_of(change.object)
        owners = [str(owner["uid"]) for owner in owners_of(obj)]
        if change.kind is ChangeKind.DELETED:
            self._places.pop(uid, None)
            self._waited_for.discard(uid)
            yield from (_key(one) for one in owners if one in self._waited_for)
            yield _key(uid)
            return
        self._places[uid] = _Place(change.resource, namespace_of(obj), name_of(obj))
        if is_terminating(obj) and {FOREGROUND, ORPHAN} & set(finalizers_of(obj)):
            self._waited_for.add(uid)
            yield _key(uid)
        if owners and (change.previous is None or owners_of(change.previous) != owners_of(obj)):
            yield from (
                _key(one) for one in owners if one in self._waited_for or one not in self._places
            )

    async def settle(self, key: Key) -> float | None:
        uid = key.name
        owner = self._object(uid)
        if owner is None:
            for resource, obj in self._server.store.owned_by(uid):
                await self._let_go(resource, obj)
        elif is_terminating(owner):
            if ORPHAN in finalizers_of(owner):
                for resource, obj in self._server.store.owned_by(uid):
                    await self._disown(resource, obj, {uid})
                await self._finish(owner, ORPHAN)
            elif FOREGROUND in finalizers_of(owner):
                await self._empty(owner)
        return None

    def _object(self, uid: str) -> Json | None:
        place = self._places.get(uid)
        if place is None:
            return None
        obj = self._server.store.get(place.resource, place.name, place.namespace)
        return obj if obj is not None and uid_of(obj) == uid else None

    async def _let_go(self, resource: Resource, obj: Json) -> None:
        """Delete what has lost its last owner; with others left, forget those that are gone."""
        gone = {str(one["uid"]) for one in owners_of(obj) if one["uid"] not in self._places}
        if len(gone) < len(owners_of(obj)):
            await self._disown(resource, obj, gone)
        elif not is_terminating(obj):
            await end(self._server, resource, obj, propagation="Background")

    async def _empty(self, owner: Json) -> None:
        """Delete the dependents of an owner in foreground, and let it go after the last of them."""
        dependents = self._server.store.owned_by(uid_of(owner))
        for resource, obj in dependents:
            others = [one for one in owners_of(obj) if one["uid"] != uid_of(owner)]
            if any(one["uid"] in self._places for one in others):
                await self._disown(resource, obj, {uid_of(owner)})
            elif not is_terminating(obj):
                await end(self._server, resource, obj, propagation="Foreground")
        left = self._server.store.owned_by(uid_of(owner))
        if not any(_blocks(obj, owner) for _, obj in left):
            await self._finish(owner, FOREGROUND)

    async def _finish(self, owner: Json, finalizer: str) -> None:
        place = self._places.get(uid_of(owner))
        now = self._object(uid_of(owner))
        if place is None or now is None:
            return
        left = [one for one in finalizers_of(now) if one != finalizer]
        body = now | {"metadata": metadata_of(now) | {"finalizers": left}}
        await self._server.update(place.resource, body, namespace=place.namespace)

    async def _disown(self, resource: Resource, obj: Json, uids: set[str]) -> None:
        left = [one for one in owners_of(obj) if one["uid"] not in uids]
        body = obj | {"metadata": metadata_of(obj) | {"ownerReferences": left}}
        await self._server.update(resource, body, namespace=namespace_of(obj))


def _key(uid: str) -> Key:
    return Key("", uid)


def _blocks(obj: Json, owner: Json) -> bool:
    return any(
        one["uid"] == uid_of(owner) and one.get("blockOwnerDeletion") for one in owners_of(obj)
    )
