"""
Strategic merge patches: as merge patches, but lists of named things merge by name.

The patch may carry directives: `$patch: replace|delete|merge`, `$deleteFromPrimitiveList/<field>`,
`$setElementOrder/<field>` and `$retainKeys`.
"""

from typing import Any, Final, cast

from deployments.rehearsal.cluster.errors import ApiError, bad_request
from deployments.rehearsal.cluster.objects import Json, listed
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.structure import Path, patch_key, patches_as_set

_PATCH: Final = "$patch"
_RETAIN: Final = "$retainKeys"
_DELETE_FROM: Final = "$deleteFromPrimitiveList/"
_ORDER: Final = "$setElementOrder/"


def strategic_merge(resource: Resource, obj: Json, patch: Json) -> Json:
    """Return the object as patched. Raises ApiError: 415 for custom resources, which have none."""
    if resource.is_custom:
        raise ApiError(
            415,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: "
            "application/json-patch+json, application/merge-patch+json, "
            "application/apply-patch+yaml",
        )
    return _Merge(resource).maps(obj, patch, ())


class _Merge:
    def __init__(self, resource: Resource) -> None:
        self._resource = resource

    def maps(self, base: Json, patch: Json, path: Path) -> Json:
        directive = patch.get(_PATCH)
        if directive == "replace":
            return {key: value for key, value in patch.items() if key != _PATCH}
        if directive == "delete":
            return {}
        if directive not in {None, "merge"}:
            # The real server takes this for a failure of its own.
            raise ApiError(500, "", f"unknown patch type: {directive} in map")
        result = dict(base)
        if _RETAIN in patch:
            kept = set(patch[_RETAIN])
            result = {key: value for key, value in base.items() if key in kept}
        for key, value in patch.items():
            if not key.startswith("$"):
                self._merge(result, key, value, (*path, key))
        self._directives(result, patch, path)
        return result

    def _merge(self, result: Json, key: str, value: Any, path: Path) -> None:
        current, items = result.get(key), listed(value)
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            base = cast("Json", current) if isinstance(current, dict) else {}
            result[key] = self.maps(base, cast("Json", value), path)
        elif isinstance(value, list):
            result[key] = self._lists(listed(current), items, path)
        else:
            result[key] = value

    def _lists(self, base: list[Any], patch: list[Any], path: Path) -> list[Any]:
        if patches_as_set(path):
            return [*base, *(one for one in patch if one not in base)]
        key = patch_key(self._resource, path)
        if key is None or not all(isinstance(one, dict) for one in patch):
            return patch
        changes = cast("list[Json]", patch)
        if any(one == {_PATCH: "replace"} for one in changes):
            return [one for one in changes if _PATCH not in one]
        return self._named(cast("list[Json]", base), changes, key, path)

    def _named(self, base: list[Json], patch: list[Json], key: str, path: Path) -> list[Json]:
        result = list(base)
        for change in patch:
            if key not in change:
                raise bad_request(
                    f"map: {change} does not contain declared merge key: {key}".replace("'", "")
                )
            places = [i for i, one in enumerate(result) if one.get(key) == change[key]]
            if change.get(_PATCH) == "delete":
                result = [one for one in result if one.get(key) != change[key]]
            elif places:
                result[places[0]] = self.maps(result[places[0]], change, path)
            else:
                result.append(self.maps({}, change, path))
        return result

    def _directives(self, result: Json, patch: Json, path: Path) -> None:
        for directive, values in patch.items():
            if directive.startswith(_DELETE_FROM):
                field = directive.removeprefix(_DELETE_FROM)
                items: list[Any] = result.get(field) or []
                result[field] = [one for one in items if one not in values]
        for directive, values in patch.items():
            if directive.startswith(_ORDER):
                field = directive.removeprefix(_ORDER)
                key = patch_key(self._resource, (*path, field))
                if field in result:
                    result[field] = _ordered(result[field], values, key)


def _ordered(items: list[Any], order: list[Any], key: str | None) -> list[Any]:
    """Put the items that the order names in its order; the others stay behind those they followed."""

    def of(one: Any) -> Any:
        return one.get(key) if key is not None else one

    wanted = [of(one) for one in order]
    groups: dict[int, list[Any]] = {}
    rank = -1
    for one in items:
        if of(one) in wanted:
            rank = wanted.index(of(one))
        groups.setdefault(rank, []).append(one)
    return [one for rank in sorted(groups) for one in groups[rank]]
