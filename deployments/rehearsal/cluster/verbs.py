"""
The API server in process: what happens to an object between the request and the store.

Everything that anybody does to the cluster goes through `Server`: clients by HTTP, controllers by a
call. Who may do it is asked before, by HTTP only. Admission may wait for webhooks, and the cluster
goes on meanwhile: so a change is made to what was read, and begun again if that is not there any
more.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

from deployments.rehearsal.cluster.admission import Admission, Review
from deployments.rehearsal.cluster.applying import applied
from deployments.rehearsal.cluster.asking import Asked, Operation
from deployments.rehearsal.cluster.births import born, check_name, prepared
from deployments.rehearsal.cluster.bootstrap import first_objects
from deployments.rehearsal.cluster.callers import SYSTEM, Caller
from deployments.rehearsal.cluster.changing import (
    changed,
    check_version,
    is_same,
    replaced,
)
from deployments.rehearsal.cluster.clock import Clock
from deployments.rehearsal.cluster.custom import register_custom
from deployments.rehearsal.cluster.defaults import Defaults
from deployments.rehearsal.cluster.deletion import Deletion, Propagation, deletion, is_finished
from deployments.rehearsal.cluster.errors import (
    ApiError,
    already_exists,
    being_deleted,
    conflict,
    not_fitting,
    not_found,
)
from deployments.rehearsal.cluster.lifecycle import check_place
from deployments.rehearsal.cluster.managed import tracked
from deployments.rehearsal.cluster.network import Network
from deployments.rehearsal.cluster.objects import (
    Json,
    is_terminating,
    metadata_of,
    name_of,
    namespace_of,
)
from deployments.rehearsal.cluster.patching import PatchKind, patched
from deployments.rehearsal.cluster.programs import Programs
from deployments.rehearsal.cluster.quota import check_quota
from deployments.rehearsal.cluster.registry import Registry, Resource
from deployments.rehearsal.cluster.resources import BUILT_IN
from deployments.rehearsal.cluster.shapes import check_shape
from deployments.rehearsal.cluster.store import Store
from deployments.rehearsal.cluster.validation import check_change, check_new
from deployments.rehearsal.cluster.views import VIEWS

__all__ = ["PatchKind", "Propagation", "Server"]

_TRIES: Final = 5
EvictionCheck = Callable[..., Awaitable[None]]  # (server, pod, *, dry_run): raises ApiError


class Server:
    """The API server of one cluster, with everything it knows."""

    def __init__(self, *, clock: Clock | None = None, seed: int = 0) -> None:
        self.store = Store()
        self.registry = Registry(BUILT_IN)
        self.programs = Programs()
        self.network = Network(self.store, self.programs, seed=seed)
        self.clock = clock or Clock()
        self.admission = Admission(self.store, self.network)
        self.check_eviction: EvictionCheck | None = None  # set by whoever knows about PDBs
        self._defaults = Defaults()
        self.store.listen(lambda change: register_custom(self.registry, change))
        for resource, obj in first_objects():
            self.store.put(resource, obj)

    async def create(
        self,
        resource: Resource,
        body: Json,
        *,
        namespace: str = "",
        caller: Caller = SYSTEM,
        dry_run: bool = False,
        manager: str = "",
    ) -> Json:
        """Create an object, and return it as it was kept."""
        obj = prepared(resource, body, namespace)
        asked = Asked(
            resource=resource,
            name=name_of(obj),
            namespace=namespace_of(obj),
            caller=caller,
            dry_run=dry_run,
            manager=manager,
        )
        return await self._create(asked, obj)

    async def update(
        self,
        resource: Resource,
        body: Json,
        *,
        namespace: str = "",
        subresource: str = "",
        caller: Caller = SYSTEM,
        dry_run: bool = False,
        manager: str = "",
    ) -> Json:
        """Replace an object, or the part of it that a subresource is; only if the versions agree."""
        asked = Asked(
            resource=resource,
            name=name_of(body),
            namespace=namespace or namespace_of(body),
            caller=caller,
            subresource=subresource,
            dry_run=dry_run,
            manager=manager,
        )
        return await self._change(asked, lambda view: replaced(asked, view, body))

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Any,  # a list for a JSON patch, else an object
        *,
        namespace: str = "",
        kind: PatchKind,
        subresource: str = "",
        caller: Caller = SYSTEM,
        dry_run: bool = False,
        manager: str = "",
        force: bool = False,
    ) -> Json:
        """Change an object as a patch says. APPLY creates what is not there."""
        asked = Asked(
            resource=resource,
            name=name,
            namespace=namespace if resource.namespaced else "",
            caller=caller,
            subresource=subresource,
            dry_run=dry_run,
            manager=manager,
        )
        if kind is not PatchKind.APPLY:
            return await self._change(asked, lambda view: _patched(asked, view, patch, kind))
        check_name(patch, name)
        if subresource == "" and self.store.get(resource, name, asked.namespace) is None:
            named = patch | {"metadata": metadata_of(patch) | {"name": name}}
            obj = applied(asked, None, prepared(resource, named, asked.namespace), force=force)
            return await self._create(asked, obj, is_tracked=True)
        return await self._change(
            asked, lambda view: applied(asked, view, patch, force=force), is_tracked=True
        )

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        caller: Caller = SYSTEM,
        dry_run: bool = False,
        propagation: Propagation | str | None = None,
        grace_seconds: int | None = None,
        uid: str | None = None,
        resource_version: str | None = None,
    ) -> Json:
        """Delete an object, or mark it so; return its last state."""
        asked = Asked(
            resource=resource, name=name, namespace=namespace, caller=caller, dry_run=dry_run
        )
        wanted = Deletion(
            propagation=Propagation(propagation) if propagation else None,
            grace_seconds=grace_seconds,
            uid=uid,
            version=resource_version,
        )
        for _ in range(_TRIES):
            current = self._current(asked)
            wanted.check(resource, current)
            await self.admission.validate(Review(asked, Operation.DELETE, None, current))
            if self.store.get(resource, name, namespace) is current:
                return self._delete(asked, current, wanted)
        raise conflict(resource, name)

    def _delete(self, asked: Asked, current: Json, wanted: Deletion) -> Json:
        marked = deletion(asked.resource, current, wanted)
        if asked.dry_run:
            return marked or current
        if marked is None:
            return self._remove(asked, current)
        return current if marked is current else self.store.put(asked.resource, marked)

    async def _create(self, asked: Asked, obj: Json, *, is_tracked: bool = False) -> Json:
        check_place(self.store, asked)
        obj = self._defaults.complete(asked.resource, obj)
        if not is_tracked:
            obj = tracked(asked, None, obj)
        obj = await self.admission.mutate(Review(asked, Operation.CREATE, obj, None))
        obj = self._defaults.complete(asked.resource, self._born(asked, obj))
        asked = replace(asked, name=name_of(obj))
        check_new(asked.resource, obj)
        await self.admission.validate(Review(asked, Operation.CREATE, obj, None))
        check_place(self.store, asked)
        check_quota(self.store, asked.resource, obj)
        there = self.store.get(asked.resource, asked.name, asked.namespace)
        if there is not None:
            refuse = being_deleted if is_terminating(there) else already_exists
            raise refuse(asked.resource, asked.name)
        return obj if asked.dry_run else self.store.put(asked.resource, obj)

    async def _change(
        self, asked: Asked, change: Callable[[Json], Json], *, is_tracked: bool = False
    ) -> Json:
        view = VIEWS[asked.subresource]
        for _ in range(_TRIES):
            current = self._current(asked)
            wanted = change(view.read(current))
            check_name(wanted, asked.name)
            check_version(asked, current, wanted)
            new = changed(asked.resource, current, view.write(asked.resource, current, wanted))
            if asked.subresource == "":
                new = self._defaults.complete(asked.resource, new, current)
            new = new if is_tracked else tracked(asked, current, new)
            new = await self._admitted(asked, current, new)
            if self.store.get(asked.resource, asked.name, asked.namespace) is current:
                return view.read(self._keep(asked, current, new))
        raise conflict(asked.resource, asked.name)

    async def _admitted(self, asked: Asked, current: Json, new: Json) -> Json:
        review = Review(asked, Operation.UPDATE, new, current)
        new = await self.admission.mutate(review)
        new = changed(asked.resource, current, new)
        check_change(asked, current, new)
        await self.admission.validate(Review(asked, Operation.UPDATE, new, current))
        return new

    def _born(self, asked: Asked, obj: Json) -> Json:
        return born(
            asked.resource,
            obj,
            lambda name: self.store.get(asked.resource, name, asked.namespace) is not None,
        )

    def _keep(self, asked: Asked, current: Json, new: Json) -> Json:
        if asked.dry_run or is_same(current, new):
            return new if asked.dry_run else current
        if is_finished(asked.resource, new):
            return self._remove(asked, new)
        return self.store.put(asked.resource, new)

    def _remove(self, asked: Asked, last: Json) -> Json:
        removed = self.store.remove(asked.resource, asked.name, asked.namespace)
        return removed or last

    def _current(self, asked: Asked) -> Json:
        current = self.store.get(asked.resource, asked.name, asked.namespace)
        if current is None:
            raise not_found(asked.resource, asked.name)
        return current


def _patched(asked: Asked, view: Json, patch: Any, kind: PatchKind) -> Json:
    found = patched(asked.resource, view, patch, kind)
    parts = (found.get(name, {}) for name in ("metadata", "spec"))
    if asked.subresource == "scale" and all(isinstance(part, dict) for part in parts):
        return found
    try:
        return check_shape(asked.resource, found)
    except ApiError as error:
        why = error.message.partition(": ")[2]
        raise not_fitting(found, why) from error
