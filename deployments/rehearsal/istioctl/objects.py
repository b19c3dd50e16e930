"""The few readings of Kubernetes objects that several commands need."""

from typing import Any, cast

Json = dict[str, Any]


def labels_of(obj: Json) -> dict[str, str]:
    return cast("dict[str, str]", obj["metadata"].get("labels") or {})


def annotations_of(obj: Json) -> dict[str, str]:
    return cast("dict[str, str]", obj["metadata"].get("annotations") or {})


def parts(tree: Json, key: str) -> list[Json]:
    """Return the objects of a list that may be missing."""
    return cast("list[Json]", tree.get(key) or [])


def is_true(obj: Json, condition: str) -> bool:
    """Say whether the condition of that type is there and True."""
    conditions = parts(obj.get("status") or {}, "conditions")
    return any(one["type"] == condition and one["status"] == "True" for one in conditions)
