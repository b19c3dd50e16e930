"""
Kubernetes objects as plain JSON, and the few readings of them that everybody needs.

An object that came from the store is shared by all who asked for it: it must be copied before it is
changed. `copied` is that copy.
"""

import time
from collections.abc import Iterable
from typing import Any, cast

Json = dict[str, Any]


def copied(value: Json) -> Json:
    """Return a copy that may be changed at any depth."""
    return cast("Json", _copied(value))


def _copied(value: object) -> object:
    # A tenth of the time of copy.deepcopy, for JSON has no circles and no shared parts.
    if isinstance(value, dict):
        return {key: _copied(one) for key, one in cast("Json", value).items()}
    if isinstance(value, list):
        return [_copied(one) for one in cast("list[object]", value)]
    return value


def objects_in(obj: Json, name: str) -> list[Json]:
    """Return the objects in a field's list, none if it is not there."""
    return cast("list[Json]", obj.get(name) or [])


def object_in(obj: Json, name: str) -> Json:
    """Return the object in a field, an empty one if it is not there."""
    return cast("Json", obj.get(name) or {})


def listed(value: object) -> list[Any]:
    """Return a list as such, and anything else as an empty one."""
    return cast("list[object]", value) if isinstance(value, list) else []


def tidied(value: Json) -> Json:
    """Return a copy without what is null, which says nothing."""
    return cast("Json", _tidied(value))


def _tidied(value: object) -> object:
    if isinstance(value, dict):
        items = cast("Json", value).items()
        return {key: _tidied(one) for key, one in items if one is not None}
    if isinstance(value, list):
        return [_tidied(one) for one in cast("list[object]", value)]
    return value


def metadata_of(obj: Json) -> Json:
    return cast("Json", obj.get("metadata") or {})


def name_of(obj: Json) -> str:
    return str(metadata_of(obj).get("name", ""))


def namespace_of(obj: Json) -> str:
    return str(metadata_of(obj).get("namespace", ""))


def uid_of(obj: Json) -> str:
    return str(metadata_of(obj).get("uid", ""))


def version_of(obj: Json) -> str:
    """Return the resourceVersion."""
    return str(metadata_of(obj).get("resourceVersion", ""))


def labels_of(obj: Json) -> dict[str, str]:
    return cast("dict[str, str]", metadata_of(obj).get("labels") or {})


def annotations_of(obj: Json) -> dict[str, str]:
    return cast("dict[str, str]", metadata_of(obj).get("annotations") or {})


def finalizers_of(obj: Json) -> list[str]:
    return cast("list[str]", metadata_of(obj).get("finalizers") or [])


def owners_of(obj: Json) -> list[Json]:
    return cast("list[Json]", metadata_of(obj).get("ownerReferences") or [])


def controller_of(obj: Json) -> Json | None:
    """Return the one owner reference that says `controller: true`."""
    return next((owner for owner in owners_of(obj) if owner.get("controller")), None)


def is_terminating(obj: Json) -> bool:
    return bool(metadata_of(obj).get("deletionTimestamp"))


def spec_of(obj: Json) -> Json:
    return cast("Json", obj.get("spec") or {})


def status_of(obj: Json) -> Json:
    return cast("Json", obj.get("status") or {})


def conditions_of(obj: Json) -> list[Json]:
    return cast("list[Json]", status_of(obj).get("conditions") or [])


def condition_of(obj: Json, kind: str) -> Json | None:
    return next((one for one in conditions_of(obj) if one.get("type") == kind), None)


def is_true(obj: Json, kind: str) -> bool:
    """Say whether the condition of that type is there and True."""
    condition = condition_of(obj, kind)
    return condition is not None and condition.get("status") == "True"


def ports_of(spec: Json) -> Iterable[Json]:
    return cast("list[Json]", spec.get("ports") or [])


class Wall:
    """The clock that timestamps are read from. It is the machine's, unless somebody set it back."""

    def __init__(self) -> None:
        self.behind = 0.0  # seconds

    def now(self) -> float:
        return time.time() - self.behind


# One a process, as there is one clock on a wall: a cluster that is to look as if it had been there
# for an hour is filled while this is behind.
WALL = Wall()


def now_rfc3339() -> str:
    """Return the time as in creationTimestamp: UTC, to the second."""
    return later_rfc3339(0)


def later_rfc3339(seconds: float) -> str:
    """Return the time that it will be after so many seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(WALL.now() + seconds))


def now_micro() -> str:
    """Return the time as in a Lease: UTC, to the microsecond."""
    now = int(WALL.now() * 1_000_000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 1_000_000)) + (
        f".{now % 1_000_000:06d}Z"
    )
