"""Objects as rows: what `kubectl get` asks for."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from deployments.rehearsal.cluster.custom import columns_of
from deployments.rehearsal.cluster.objects import Json, metadata_of
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import CRDS
from deployments.rehearsal.cluster.store import Store
from deployments.rehearsal.cluster.web.columns import AGE, COLUMNS, NAME, Column, at
from deployments.rehearsal.cluster.web.durations import age

_NEVER: Final = datetime.fromtimestamp(0, UTC)
_META: Final = "meta.k8s.io/v1"
_OTHERS: Final = (NAME, Column("Created At", at("metadata", "creationTimestamp")))


class Tables:
    """Makes tables of one resource."""

    def __init__(self, store: Store, resource: Resource, version: str) -> None:
        self._columns = _columns(store, resource, version)

    def table(self, objects: list[Json], include: str) -> Json:
        """Return a table of objects, with as much of each beside its row as is asked for."""
        now = datetime.fromtimestamp(time.time(), UTC)
        return {
            "kind": "Table",
            "apiVersion": _META,
            "metadata": {},
            "columnDefinitions": [column.definition() for column in self._columns],
            "rows": [self._row(obj, include, now) for obj in objects],
        }

    def _row(self, obj: Json, include: str, now: datetime) -> Json:
        row: Json = {"cells": [column.cell(obj, now) for column in self._columns]}
        match include:
            case "Object":
                row["object"] = obj
            case "None":
                pass
            case _:
                kind = {"kind": "PartialObjectMetadata", "apiVersion": _META}
                row["object"] = kind | {"metadata": metadata_of(obj)}
        return row


def _columns(store: Store, resource: Resource, version: str) -> Sequence[Column]:
    if not resource.is_custom:
        return COLUMNS.get(resource, _OTHERS)
    definition = store.get(CRDS, resource.qualified)
    wanted = columns_of(definition, version) if definition is not None else []
    if not wanted:
        return (NAME, AGE)
    return (NAME, *(_custom(one) for one in wanted))


def _custom(wanted: Json) -> Column:
    """Return a column as a CRD describes it."""
    steps = _steps(str(wanted.get("jsonPath", "")))
    kind = str(wanted.get("type", "string"))
    priority = int(wanted.get("priority", 0))

    def cell(obj: Json, now: datetime) -> Any:
        found = _found(obj, steps)
        if kind == "date":
            return age(str(found), now) if found else "<none>"
        return found

    return Column(str(wanted["name"]), cell, "string" if kind == "date" else kind, priority)


def _steps(path: str) -> list[str]:
    """Return the fields that a simple JSONPath goes through: `.spec.hosts`, `.spec['a']`."""
    for bracket in ("['", '["'):
        path = path.replace(bracket, ".")
    for bracket in ("']", '"]'):
        path = path.replace(bracket, "")
    return [step.replace("\0", ".") for step in path.replace("\\.", "\0").split(".") if step]


def _found(obj: Json, steps: list[str]) -> object:
    """Return what is at the end; a JSONPath with filters or places is not followed."""
    return at(*steps, default=None)(obj, _NEVER)
