"""
Sets of fields, as managedFields has them: which fields an object has, and which differ.

A field is the way to it: `f:name` into an object, `k:{"name":"x"}` to the item of a list with that
key, `v:"x"` to an item of a set.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, cast

import msgspec

from deployments.rehearsal.cluster.objects import Json, listed
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.structure import (
    Keys,
    Path,
    applies_as_set,
    apply_keys,
    is_atomic_map,
)

Field = tuple[str, ...]
Values = dict[Field, object]  # what each field holds, as far as it is one value

THERE: Final = object()  # the value of what is made of its parts
_SERVERS: Final = frozenset(
    {
        ("f:apiVersion",),
        ("f:kind",),
        ("f:metadata",),
        *(
            ("f:metadata", f"f:{name}")
            for name in (
                "creationTimestamp",
                "deletionGracePeriodSeconds",
                "deletionTimestamp",
                "generation",
                "managedFields",
                "name",
                "namespace",
                "resourceVersion",
                "selfLink",
                "uid",
            )
        ),
    }
)
_MAPS: Final = frozenset({"annotations", "data", "labels"})  # their being there is a field, too
_DEFAULT_KEYS: Final[Mapping[str, str]] = {"protocol": "TCP"}


def values_of(resource: Resource, obj: Json) -> Values:
    """Return all fields of an object that somebody can own."""
    found: Values = {}
    _collect(resource, obj, (), (), found)
    return found


def _collect(resource: Resource, obj: Json, path: Path, field: Field, found: Values) -> None:
    for name, value in obj.items():
        inner = (*field, f"f:{name}")
        if inner in _SERVERS and not (name == "metadata" and value):
            continue
        inner_path, items = (*path, name), listed(value)
        if isinstance(value, dict) and value and not is_atomic_map(resource, inner_path):
            if name in _MAPS:
                found[inner] = THERE
            _collect(resource, cast("Json", value), inner_path, inner, found)
        elif items and _is_granular(resource, inner_path):
            _collect_items(resource, items, inner_path, inner, found)
        else:
            found[inner] = value


def _is_granular(resource: Resource, path: Path) -> bool:
    return applies_as_set(path) or apply_keys(resource, path) is not None


def _collect_items(
    resource: Resource, items: list[Any], path: Path, field: Field, found: Values
) -> None:
    keys = apply_keys(resource, path)
    for item in items:
        inner = (*field, item_step(item, keys))
        found[inner] = THERE
        if keys is not None:
            _collect(resource, cast("Json", item), path, inner, found)


def item_step(item: Any, keys: Keys | None) -> str:
    """Return the step to an item of a list: by its keys, or by its value."""
    if keys is None:
        return "v:" + msgspec.json.encode(item).decode()
    found = {key: item.get(key, _DEFAULT_KEYS.get(key)) for key in sorted(keys)}
    return "k:" + msgspec.json.encode(found).decode()


def difference(old: Values, new: Values) -> tuple[set[Field], set[Field]]:
    """Return the fields that are new or hold something else, and those that are gone."""
    changed = {field for field, value in new.items() if field not in old or old[field] != value}
    return changed, old.keys() - new.keys()


def encoded(fields: Iterable[Field]) -> Json:
    """Return a set of fields as FieldsV1."""
    tree: Json = {}
    for field in sorted(fields):
        branch = tree
        for step in field:
            branch = branch.setdefault(step, {})
        branch["."] = {}
    return _without_lonely_dots(tree)


def _without_lonely_dots(tree: Json) -> Json:
    return {
        step: {} if inner == {".": {}} else _without_lonely_dots(inner)
        for step, inner in tree.items()
    }


def decoded(tree: Json) -> set[Field]:
    """Return the fields of a FieldsV1."""
    return set(_decoded(tree, ()))


def _decoded(tree: Json, field: Field) -> Iterator[Field]:
    if not tree:
        yield field
    for step, inner in tree.items():
        if step == ".":
            yield field
        else:
            yield from _decoded(cast("Json", inner), (*field, step))


def shown(field: Field) -> str:
    """Return a field as errors name it: `.spec.containers[name="x"].image`."""
    return "".join(_shown(step) for step in field)


def _shown(step: str) -> str:
    kind, _, rest = step.partition(":")
    if kind == "f":
        return f".{rest}"
    if kind == "v":
        return f"[={rest}]"
    keys: Json = msgspec.json.decode(rest)
    parts = (f"{key}={msgspec.json.encode(value).decode()}" for key, value in keys.items())
    return f"[{','.join(parts)}]"
