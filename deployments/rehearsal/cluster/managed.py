"""managedFields: who last set which fields of an object, kept for everything that is written."""

from dataclasses import dataclass, replace
from typing import Any, Final, cast

from deployments.rehearsal.cluster.asking import Asked
from deployments.rehearsal.cluster.fields import (
    THERE,
    Field,
    decoded,
    difference,
    encoded,
    values_of,
)
from deployments.rehearsal.cluster.objects import Json, metadata_of, now_rfc3339

APPLY: Final = "Apply"
UPDATE: Final = "Update"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """Who sets fields, and how."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The fields of one manager, and when it last set any."""

    fields: frozenset[Field]
    time: str


Shares = dict[Manager, Share]


def shares_of(obj: Json | None) -> Shares:
    """Return who manages what of an object."""
    entries = cast("list[Json]", metadata_of(obj or {}).get("managedFields") or [])
    return {
        Manager(
            name=str(one.get("manager", "")),
            operation=str(one.get("operation", UPDATE)),
            api_version=str(one.get("apiVersion", "")),
            subresource=str(one.get("subresource", "")),
        ): Share(
            fields=frozenset(decoded(cast("Json", one.get("fieldsV1") or {}))),
            time=str(one.get("time", "")),
        )
        for one in entries
        if one
    }


def with_shares(obj: Json, shares: Shares) -> Json:
    """Return an object that tells who manages what of it."""
    metadata = {k: v for k, v in metadata_of(obj).items() if k != "managedFields"}
    entries = [_entry(manager, share) for manager, share in shares.items() if share.fields]
    if entries:
        metadata["managedFields"] = sorted(entries, key=_order)
    return obj | {"metadata": metadata}


def _entry(manager: Manager, share: Share) -> Json:
    entry: Json = {
        "manager": manager.name,
        "operation": manager.operation,
        "apiVersion": manager.api_version,
        "time": share.time,
        "fieldsType": "FieldsV1",
        "fieldsV1": encoded(share.fields),
    }
    return entry | ({"subresource": manager.subresource} if manager.subresource else {})


def _order(entry: Json) -> tuple[Any, ...]:
    return tuple(entry.get(key, "") for key in ("operation", "time", "manager", "apiVersion"))


def tracked(asked: Asked, current: Json | None, new: Json) -> Json:
    """Return the object with its changed fields taken down to whoever asked."""
    given = metadata_of(new).get("managedFields")
    if given == [{}]:  # the way to ask for no account at all
        return with_shares(new, {})
    shares = shares_of(new if given else current)
    # What was never taken down is not begun with in the middle of its life.
    if not asked.manager or (current is not None and not shares):
        return with_shares(new, shares)
    resource = asked.resource
    old_values = values_of(resource, current) if current is not None else {}
    changed, removed = difference(old_values, values_of(resource, new))
    gone = changed | removed
    me = Manager(
        name=asked.manager,
        operation=UPDATE,
        api_version=asked.api_version,
        subresource=asked.subresource,
    )
    mine = shares.get(me)
    kept = {
        manager: replace(share, fields=share.fields - (removed if manager == me else gone))
        for manager, share in shares.items()
    }
    if changed:
        before = kept[me].fields if me in kept else frozenset[Field]()
        is_new = mine is None or not changed <= mine.fields
        time = now_rfc3339() if is_new or mine is None else mine.time
        kept[me] = Share(fields=before | changed, time=time)
    return with_shares(new, kept)


def all_fields(asked: Asked, obj: Json) -> frozenset[Field]:
    """Return every field that an applied object claims."""
    values = values_of(asked.resource, obj)
    return frozenset(f for f, value in values.items() if value is not THERE or f[-1][0] == "k")
