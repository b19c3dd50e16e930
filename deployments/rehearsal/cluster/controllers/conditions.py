"""Conditions of a status, set as Kubernetes' controllers set them."""

from collections.abc import Iterable

from deployments.rehearsal.cluster.objects import Json, now_rfc3339


def condition(kind: str, *, status: str, reason: str, message: str) -> Json:
    """Return a condition that has just come to be."""
    now = now_rfc3339()
    return {
        "type": kind,
        "status": status,
        "lastUpdateTime": now,
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
    }


def without_update_time(one: Json) -> Json:
    """Return the condition as all but Deployments have it."""
    return {name: value for name, value in one.items() if name != "lastUpdateTime"}


def find(conditions: Iterable[Json], kind: str) -> Json | None:
    return next((one for one in conditions if one.get("type") == kind), None)


def without(conditions: Iterable[Json], kind: str) -> list[Json]:
    return [one for one in conditions if one.get("type") != kind]


def replaced(conditions: list[Json], new: Json) -> list[Json]:
    """Set a condition, unless it only says again what is there; times of a status are kept."""
    current = find(conditions, new["type"])
    if current is not None and current["status"] == new["status"]:
        if current.get("reason") == new.get("reason"):
            return conditions
        new = new | {"lastTransitionTime": current.get("lastTransitionTime")}
    return [*without(conditions, new["type"]), new]
