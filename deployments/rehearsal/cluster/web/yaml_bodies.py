"""Bodies in YAML, as the JSON that they mean: it may hold more than JSON does, and more than it says."""

from collections.abc import Iterable
from typing import Any, Final, cast

import msgspec
import yaml

from deployments.rehearsal.cluster.errors import bad_request

_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOST: Final = 1_000_000  # values, aliases counted as often as they are named


def from_yaml(body: bytes) -> Any:
    """Return what a body says. Raises ApiError (400)."""
    try:
        found = yaml.load(body, Loader=_LOADER)  # noqa: S506  # a safe one
        if _size(found, {}) > _MOST:
            raise bad_request("error converting YAML to JSON: yaml: excessive aliasing")
        # Dates become words so, and keys that are numbers.
        return msgspec.json.decode(msgspec.json.encode(found))
    except (yaml.YAMLError, RecursionError, TypeError, ValueError) as error:
        raise bad_request(f"error converting YAML to JSON: {error}") from error


def _size(value: object, known: dict[int, int]) -> int:
    """Return how many values a value is, written out. Raises RecursionError if it has no end."""
    parts = _parts(value)
    if parts is None:
        return 1
    place = id(value)
    if place not in known:
        known[place] = 1 + sum(_size(one, known) for one in parts)
    return known[place]


def _parts(value: object) -> Iterable[object] | None:
    if isinstance(value, dict):
        return cast("dict[object, object]", value).values()
    return cast("list[object]", value) if isinstance(value, list) else None
