"""
The history of a StatefulSet or DaemonSet: a ControllerRevision for each template that it had.

A template that comes back gets its old revision back, under a new number.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from deployments.rehearsal.cluster.controllers.amounts import number
from deployments.rehearsal.cluster.controllers.hashing import hash_of, tidied
from deployments.rehearsal.cluster.controllers.owning import controller_reference, kept_by
from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import (
    Json,
    labels_of,
    name_of,
    namespace_of,
    spec_of,
    status_of,
)
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import CONTROLLERREVISIONS
from deployments.rehearsal.cluster.verbs import Server

HASH_LABEL: Final = "controller-revision-hash"
_MOST_COLLISIONS: Final = 100


@dataclass(frozen=True, slots=True)
class Revision:
    """One template of a workload, under the name that its history gives it."""

    name: str
    template: Json


class History:
    """Keeps the revisions of workloads of one kind."""

    def __init__(self, server: Server, resource: Resource, *, label: str = HASH_LABEL) -> None:
        self._server = server
        self._resource = resource
        self._label = label

    async def update(self, workload: Json) -> Revision:
        """Return the revision of the present template, made or renumbered if need be."""
        known = self.all_of(workload)
        data = _data(workload)
        newest = number(known[-1], "revision") if known else 0
        for one in reversed(known):
            if tidied(one["data"]) == tidied(data):
                if number(one, "revision") < newest:
                    await self._renumber(one, newest + 1)
                return _revision(one)
        return _revision(await self._create(workload, data, newest + 1))

    def named(self, workload: Json, name: str) -> Revision | None:
        found = (one for one in self.all_of(workload) if name_of(one) == name)
        return next(map(_revision, found), None)

    def all_of(self, workload: Json) -> list[Json]:
        """Return the revisions of a workload, the oldest first."""
        found = kept_by(self._server.store, workload, CONTROLLERREVISIONS)
        return sorted(found, key=lambda one: (number(one, "revision"), name_of(one)))

    async def forget(self, workload: Json, *, in_use: Iterable[str]) -> None:
        """Delete the oldest revisions that no pod has, if there are more than should be kept."""
        used = set(in_use)
        unused = [one for one in self.all_of(workload) if name_of(one) not in used]
        limit = number(spec_of(workload), "revisionHistoryLimit", 10)
        for one in unused[: max(0, len(unused) - limit)]:
            namespace = namespace_of(one)
            await self._server.delete(CONTROLLERREVISIONS, name_of(one), namespace=namespace)

    async def _renumber(self, revision: Json, newest: int) -> None:
        body = revision | {"revision": newest}
        namespace = namespace_of(revision)
        await self._server.update(CONTROLLERREVISIONS, body, namespace=namespace)

    async def _create(self, workload: Json, data: Json, newest: int) -> Json:
        collisions = number(status_of(workload), "collisionCount")
        for attempt in range(collisions, collisions + _MOST_COLLISIONS):
            body = self._body(workload, data, newest, hash_of(data, attempt))
            try:
                return await self._server.create(
                    CONTROLLERREVISIONS, body, namespace=namespace_of(workload)
                )
            except ApiError as error:
                if error.reason != "AlreadyExists":
                    raise
        raise RuntimeError(f"no free name for a revision of {name_of(workload)}")

    def _body(self, workload: Json, data: Json, newest: int, short: str) -> Json:
        labels = labels_of(spec_of(workload)["template"]) | {self._label: short}
        return {
            "apiVersion": "apps/v1",
            "kind": "ControllerRevision",
            "metadata": {
                "name": f"{name_of(workload)}-{short}",
                "namespace": namespace_of(workload),
                "labels": labels,
                "ownerReferences": [controller_reference(self._resource, workload)],
            },
            "data": data,
            "revision": newest,
        }


def _data(workload: Json) -> Json:
    return {"spec": {"template": spec_of(workload)["template"] | {"$patch": "replace"}}}


def _revision(found: Json) -> Revision:
    template: Json = found["data"]["spec"]["template"]
    bare = {name: value for name, value in template.items() if name != "$patch"}
    return Revision(name_of(found), bare)
