"""
Server-side apply: the object becomes what its managers say together.

Whoever applies says everything that it wants. What another manager set differently is a conflict,
unless forced; what it applied before and does not any more goes, unless somebody else wants it too.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final, cast

from deployments.rehearsal.cluster.asking import Asked
from deployments.rehearsal.cluster.errors import ApiError, bad_request
from deployments.rehearsal.cluster.fields import (
    Field,
    difference,
    item_step,
    shown,
    values_of,
)
from deployments.rehearsal.cluster.managed import (
    APPLY,
    UPDATE,
    Manager,
    Share,
    Shares,
    all_fields,
    shares_of,
    with_shares,
)
from deployments.rehearsal.cluster.objects import (
    Json,
    copied,
    listed,
    metadata_of,
    now_rfc3339,
    tidied,
)
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.structure import (
    Path,
    applies_as_set,
    apply_keys,
    is_atomic_map,
)

_BEFORE: Final = "before-first-apply"


def applied(asked: Asked, live: Json | None, configuration: Json, *, force: bool) -> Json:
    """Return the object as it is after the apply. Raises ApiError (409) for conflicts."""
    if metadata_of(configuration).get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    wanted = _applicable(asked, configuration)
    me = Manager(
        name=asked.manager,
        operation=APPLY,
        api_version=str(configuration.get("apiVersion", asked.api_version)),
        subresource=asked.subresource,
    )
    fields = all_fields(asked, wanted)
    if live is None:
        return with_shares(wanted, {me: Share(fields=fields, time=now_rfc3339())})
    shares = _shares(asked, live)
    merged = _Merge(asked.resource).maps(live, wanted, ())
    others = {manager: share for manager, share in shares.items() if manager != me}
    before = shares[me].fields if me in shares else frozenset[Field]()
    dropped = before - fields - {field for share in others.values() for field in share.fields}
    merged = _without(asked.resource, merged, dropped)
    changed, removed = difference(
        values_of(asked.resource, live), values_of(asked.resource, merged)
    )
    _check(others, changed & fields, force=force)
    lost = (changed & fields) | removed
    kept = {m: replace(share, fields=share.fields - lost) for m, share in others.items()}
    is_new = me not in shares or before != fields or bool(changed)
    kept[me] = Share(fields=fields, time=now_rfc3339() if is_new else shares[me].time)
    return with_shares(merged, kept)


def _applicable(asked: Asked, configuration: Json) -> Json:
    """Return what of a configuration this request may set."""
    if asked.subresource == "status":
        return {k: v for k, v in configuration.items() if k in {"apiVersion", "kind", "status"}}
    left_out = {"status"} if asked.resource.has_status else set[str]()
    metadata = metadata_of(configuration)
    if not metadata.get("resourceVersion"):  # one that is given is a condition
        metadata = {k: v for k, v in metadata.items() if k != "resourceVersion"}
    metadata = {k: v for k, v in metadata.items() if k != "managedFields"}
    wanted = {k: v for k, v in configuration.items() if k not in left_out}
    return tidied(wanted | {"metadata": metadata})


def _shares(asked: Asked, live: Json) -> Shares:
    shares = shares_of(live)
    if shares:
        return shares
    manager = Manager(name=_BEFORE, operation=UPDATE, api_version=asked.api_version)
    return {manager: Share(fields=all_fields(asked, live), time=now_rfc3339())}


def _check(others: Shares, changed: set[Field], *, force: bool) -> None:
    conflicts = [
        (manager, share, field)
        for manager, share in others.items()
        for field in sorted(share.fields & changed)
    ]
    if conflicts and not force:
        raise _refusal(conflicts)


def _refusal(conflicts: list[tuple[Manager, Share, Field]]) -> ApiError:
    found = [(_shown(manager, share), shown(field)) for manager, share, field in conflicts]
    if len(found) == 1:
        text = f"Apply failed with 1 conflict: conflict with {found[0][0]}: {found[0][1]}"
    else:
        parts: list[str] = []
        for manager in dict.fromkeys(manager for manager, _ in sorted(found)):
            parts.append(f"conflicts with {manager}:")
            parts.extend(f"- {field}" for name, field in found if name == manager)
        text = f"Apply failed with {len(found)} conflicts: " + "\n".join(parts)
    causes = [
        {"reason": "FieldManagerConflict", "message": f"conflict with {name}", "field": field}
        for name, field in found
    ]
    return ApiError(409, "Conflict", text, details={"causes": causes})


def _shown(manager: Manager, share: Share) -> str:
    name = f'"{manager.name}"'
    if manager.subresource:
        name += f' with subresource "{manager.subresource}"'
    if manager.operation == APPLY:
        return name
    return f"{name} using {manager.api_version} at {share.time}"


class _Merge:
    """Puts what is applied over what is there."""

    def __init__(self, resource: Resource) -> None:
        self._resource = resource

    def maps(self, live: Json, wanted: Json, path: Path) -> Json:
        result = dict(live)
        for name, value in wanted.items():
            result[name] = self._value(live.get(name), value, (*path, name))
        return result

    def _value(self, live: Any, wanted: Any, path: Path) -> Any:
        items = listed(wanted)
        if isinstance(wanted, dict) and not is_atomic_map(self._resource, path):
            base = cast("Json", live) if isinstance(live, dict) else {}
            return self.maps(base, cast("Json", wanted), path)
        if isinstance(wanted, list):
            return self._lists(listed(live), items, path)
        return cast("object", wanted)

    def _lists(self, live: list[Any], wanted: list[Any], path: Path) -> list[Any]:
        keys = apply_keys(self._resource, path)
        if keys is None:
            return _union(live, wanted) if applies_as_set(path) else wanted
        found = {item_step(item, keys): item for item in live}
        steps = [item_step(item, keys) for item in wanted]
        merged = [
            self.maps(cast("Json", found.get(step, {})), item, path)
            for step, item in zip(steps, wanted, strict=True)
        ]
        new = dict(zip(steps, merged, strict=True))
        return _in_order(list(found), steps, found | new)


def _in_order(live: list[str], wanted: list[str], items: dict[str, Any]) -> list[Any]:
    """Return all items: those applied in their order, the others before the one they preceded."""
    order: list[str] = []
    rest = list(live)
    for step in wanted:
        while rest and rest[0] not in wanted:
            order.append(rest.pop(0))
        if step in rest:
            place = rest.index(step)
            order += [one for one in rest[:place] if one not in wanted]
            rest = rest[place + 1 :]
        order.append(step)
    order += [one for one in rest if one not in wanted]
    return [items[step] for step in dict.fromkeys([*order, *live])]


def _union(live: list[Any], wanted: list[Any]) -> list[Any]:
    return [*live, *(one for one in wanted if one not in live)]


def _without(resource: Resource, obj: Json, fields: Iterable[Field]) -> Json:
    """Return the object without these fields, and without what is empty for the lack of them."""
    result = copied(obj)
    for field in sorted(fields, key=len, reverse=True):
        _drop(resource, result, field, ())
    return result


def _drop(resource: Resource, node: Any, field: Field, path: Path) -> None:
    step, rest = field[0], field[1:]
    if step.startswith("f:"):
        _drop_field(resource, node, step[2:], rest, path)
        return
    keys = apply_keys(resource, path)
    for item in list(node):
        if item_step(item, keys) == step:
            _drop_item(resource, node, item, rest, path)


def _drop_field(resource: Resource, node: Json, name: str, rest: Field, path: Path) -> None:
    inner_path = (*path, name)
    if name not in node:
        return
    if rest:
        _drop(resource, node[name], rest, inner_path)
        is_gone = node[name] in ({}, [])
    else:
        # What still has parts has them from somebody else.
        is_gone = not node[name] or not _is_granular(resource, inner_path, node[name])
    if is_gone:
        node.pop(name)


def _drop_item(resource: Resource, node: list[Any], item: Any, rest: Field, path: Path) -> None:
    keys = apply_keys(resource, path) or ()
    if not rest:
        node.remove(item)
    elif rest[0].removeprefix("f:") not in keys:  # an item keeps its keys as long as it is there
        _drop(resource, item, rest, path)


def _is_granular(resource: Resource, path: Path, value: Any) -> bool:
    if isinstance(value, dict):
        return not is_atomic_map(resource, path)
    return applies_as_set(path) or apply_keys(resource, path) is not None
