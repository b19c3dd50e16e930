"""Readings of JSON that is there or not: what is missing is empty."""

from typing import cast

from deployments.rehearsal.cluster.objects import Json


def part(obj: Json, *names: str) -> Json:
    """Return an object within an object."""
    for name in names:
        obj = cast("Json", obj.get(name) or {})
    return obj


def texts(obj: Json, name: str) -> list[str]:
    """Return a list of strings."""
    return cast("list[str]", obj.get(name) or [])


def pairs(obj: Json, name: str) -> dict[str, str]:
    """Return an object of strings, such as labels."""
    return cast("dict[str, str]", obj.get(name) or {})
