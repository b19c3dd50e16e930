"""Empties a namespace that is to go, and lets it go when nothing is left in it."""

from collections.abc import Iterator
from typing import Final

from deployments.rehearsal.cluster.controllers.conditions import condition, without_update_time
from deployments.rehearsal.cluster.controllers.owning import key_of
from deployments.rehearsal.cluster.controllers.queueing import Key
from deployments.rehearsal.cluster.controllers.reading import texts
from deployments.rehearsal.cluster.controllers.running import EVERY, Interests
from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import (
    Json,
    finalizers_of,
    is_terminating,
    name_of,
    namespace_of,
    objects_in,
    spec_of,
    status_of,
    uid_of,
)
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import NAMESPACES, PODS
from deployments.rehearsal.cluster.store import Change, ChangeKind
from deployments.rehearsal.cluster.verbs import Server

_FINALIZER: Final = "kubernetes"
_NEXT_LOOK: Final = 2.0


class Namespaces:
    """The namespace controller."""

    workers = 2

    def __init__(self, server: Server) -> None:
        self._server = server
        self._left: dict[str, int] = {}  # objects in namespaces that are to go

    @property
    def interests(self) -> Interests:
        return {NAMESPACES: self._of_namespace, EVERY: self._of_content}

    def _of_namespace(self, change: Change) -> list[Key]:
        return [key_of(change.object)] if is_terminating(change.object) else []

    def _of_content(self, change: Change) -> list[Key]:
        namespace = namespace_of(change.object)
        if change.kind is not ChangeKind.DELETED or namespace not in self._left:
            return []
        self._left[namespace] -= 1
        return [] if self._left[namespace] > 0 else [Key("", namespace)]

    async def settle(self, key: Key) -> float | None:
        namespace = self._server.store.get(NAMESPACES, key.name)
        if namespace is None or not is_terminating(namespace):
            return None
        if _FINALIZER not in texts(spec_of(namespace), "finalizers"):
            return None
        for resource, obj in list(self._contents(key.name)):
            if not is_terminating(obj):
                await self._delete(resource, obj)
        left = list(self._contents(key.name))
        now = self._server.store.get(NAMESPACES, key.name)
        if now is None:
            return None
        if left:
            self._left[key.name] = len(left)
            await self._tell(now, left)
            return _NEXT_LOOK
        self._left.pop(key.name, None)
        await self._finish(now)
        return None

    def _contents(self, name: str) -> Iterator[tuple[Resource, Json]]:
        """Yield what is in a namespace; pods first, since they take time to end."""
        kinds = [one for one in self._server.registry if one.namespaced]
        for resource in sorted(kinds, key=lambda one: one != PODS):
            for obj in self._server.store.list(resource, name):
                yield resource, obj

    async def _delete(self, resource: Resource, obj: Json) -> None:
        try:
            await self._server.delete(
                resource,
                name_of(obj),
                namespace=namespace_of(obj),
                propagation="Background",
                uid=uid_of(obj),
            )
        except ApiError as error:
            if error.reason not in {"NotFound", "Conflict"}:
                raise

    async def _tell(self, namespace: Json, left: list[tuple[Resource, Json]]) -> None:
        status = status_of(namespace) | {"phase": "Terminating", "conditions": _conditions(left)}
        before = status_of(namespace)
        if _bare(before) != _bare(status):
            body = namespace | {"status": status}
            await self._server.update(NAMESPACES, body, subresource="status")

    async def _finish(self, namespace: Json) -> None:
        left = [one for one in texts(spec_of(namespace), "finalizers") if one != _FINALIZER]
        body = namespace | {"spec": spec_of(namespace) | {"finalizers": left}}
        await self._server.update(NAMESPACES, body, subresource="finalize")


def _bare(status: Json) -> list[tuple[str, str, str]]:
    """Return what a status says, without when it began to say so."""
    conditions = objects_in(status, "conditions")
    return [(one["type"], one["status"], one["message"]) for one in conditions]


def _conditions(left: list[tuple[Resource, Json]]) -> list[Json]:
    kinds: dict[str, int] = {}
    finalizers: dict[str, int] = {}
    for resource, obj in left:
        kinds[resource.qualified] = kinds.get(resource.qualified, 0) + 1
        for finalizer in finalizers_of(obj):
            finalizers[finalizer] = finalizers.get(finalizer, 0) + 1
    content = ", ".join(f"{kind} has {many} resource instances" for kind, many in kinds.items())
    waiting = ", ".join(f"{one} in {many} resource instances" for one, many in finalizers.items())
    return [
        _condition(
            "NamespaceContentRemaining",
            reason="SomeResourcesRemain" if content else "ContentRemoved",
            message=f"Some resources are remaining: {content}"
            if content
            else "All content successfully removed",
            is_true=bool(content),
        ),
        _condition(
            "NamespaceFinalizersRemaining",
            reason="SomeFinalizersRemain" if waiting else "ContentHasNoFinalizers",
            message=f"Some content in the namespace has finalizers remaining: {waiting}"
            if waiting
            else "All content-preserving finalizers finished",
            is_true=bool(waiting),
        ),
    ]


def _condition(kind: str, *, reason: str, message: str, is_true: bool) -> Json:
    status = "True" if is_true else "False"
    return without_update_time(condition(kind, status=status, reason=reason, message=message))
