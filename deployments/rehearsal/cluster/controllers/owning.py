"""Who owns what, told by ownerReferences."""

from deployments.rehearsal.cluster.controllers.queueing import Key
from deployments.rehearsal.cluster.objects import (
    Json,
    controller_of,
    name_of,
    namespace_of,
    uid_of,
)
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.store import Change, Store


def controller_reference(resource: Resource, owner: Json) -> Json:
    """Return the reference by which a controller's object says that it is kept by the owner."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": name_of(owner),
        "uid": uid_of(owner),
        "controller": True,
        "blockOwnerDeletion": True,
    }


def is_kept_by(obj: Json, owner: Json) -> bool:
    controller = controller_of(obj)
    return controller is not None and controller.get("uid") == uid_of(owner)


def kept_by(store: Store, owner: Json, resource: Resource) -> list[Json]:
    """Return the objects of one kind whose controller the owner is."""
    found = store.owned_by(uid_of(owner))
    return [obj for kind, obj in found if kind == resource and is_kept_by(obj, owner)]


def own_key(change: Change) -> list[Key]:
    """Return the key of the changed object itself."""
    return [key_of(change.object)]


def key_of(obj: Json) -> Key:
    return Key(namespace_of(obj), name_of(obj))


class KeptBy:
    """Interest in the objects that a kind of controller keeps: wakes the one who keeps them."""

    def __init__(self, resource: Resource) -> None:
        self._kind = resource.kind

    def __call__(self, change: Change) -> list[Key]:
        keys = [self._key(change.object)]
        if change.previous is not None:
            keys.append(self._key(change.previous))
        return [key for key in dict.fromkeys(keys) if key is not None]

    def _key(self, obj: Json) -> Key | None:
        controller = controller_of(obj)
        if controller is None or controller.get("kind") != self._kind:
            return None
        return Key(namespace_of(obj), str(controller["name"]))
