"""How many pods a Deployment may have while it rolls. Pure: no store, no server."""

from collections.abc import Iterable, Sequence
from typing import Final

from deployments.rehearsal.cluster.controllers.amounts import number, replicas_of, resolved
from deployments.rehearsal.cluster.controllers.reading import part
from deployments.rehearsal.cluster.objects import (
    Json,
    annotations_of,
    metadata_of,
    name_of,
    spec_of,
    status_of,
)

DESIRED: Final = "deployment.kubernetes.io/desired-replicas"
MOST: Final = "deployment.kubernetes.io/max-replicas"


def is_rolling(deployment: Json) -> bool:
    return str(part(spec_of(deployment), "strategy").get("type")) != "Recreate"


def _fence_posts(deployment: Json) -> tuple[int, int]:
    """Return surge and unavailability in pods."""
    rolling = part(spec_of(deployment), "strategy", "rollingUpdate")
    total = replicas_of(deployment)
    surge = resolved(rolling.get("maxSurge"), total, round_up=True)
    unavailable = resolved(rolling.get("maxUnavailable"), total, round_up=False)
    # Rounded down, both can come to nothing, and nothing would ever move.
    return surge, unavailable if surge or unavailable else 1


def max_surge(deployment: Json) -> int:
    return _fence_posts(deployment)[0] if is_rolling(deployment) else 0


def max_unavailable(deployment: Json) -> int:
    if not is_rolling(deployment) or not replicas_of(deployment):
        return 0
    return min(_fence_posts(deployment)[1], replicas_of(deployment))


def active(replica_sets: Iterable[Json]) -> list[Json]:
    return [one for one in replica_sets if replicas_of(one) > 0]


def wanted_by(replica_sets: Iterable[Json]) -> int:
    return sum(replicas_of(one) for one in replica_sets)


def counted(replica_sets: Iterable[Json], name: str) -> int:
    """Sum up one number of the ReplicaSets' statuses."""
    return sum(number(status_of(one), name) for one in replica_sets)


def by_age(replica_sets: Iterable[Json]) -> list[Json]:
    """Sort ReplicaSets, the oldest first."""
    return sorted(
        replica_sets,
        key=lambda one: (str(metadata_of(one).get("creationTimestamp", "")), name_of(one)),
    )


def size_of_new(deployment: Json, everything: Sequence[Json], new: Json) -> int:
    """Return how large the new ReplicaSet may be now."""
    wanted = replicas_of(deployment)
    if not is_rolling(deployment):
        return wanted
    room = wanted + max_surge(deployment) - wanted_by(everything)
    if room <= 0:
        return replicas_of(new)
    return replicas_of(new) + min(room, wanted - replicas_of(new))


def is_saturated(deployment: Json, new: Json | None) -> bool:
    """Say whether the new ReplicaSet has all the pods that the Deployment should have."""
    wanted = replicas_of(deployment)
    return (
        new is not None
        and annotations_of(new).get(DESIRED) == str(wanted)
        and replicas_of(new) == wanted
        and number(status_of(new), "availableReplicas") == wanted
    )


def was_scaled(deployment: Json, replica_sets: Iterable[Json]) -> bool:
    """Say whether somebody changed the size of the Deployment since its ReplicaSets were sized."""
    noted = [annotations_of(one).get(DESIRED) for one in active(replica_sets)]
    return any(one is not None and one != str(replicas_of(deployment)) for one in noted)


def proportionally(deployment: Json, replica_sets: Sequence[Json]) -> dict[str, int]:
    """Return new sizes for several ReplicaSets that share a Deployment whose size has changed."""
    wanted = replicas_of(deployment)
    allowed = wanted + max_surge(deployment) if wanted else 0
    to_add = allowed - wanted_by(replica_sets)
    # In by_age the oldest are first. Growing, the newer of two equals goes first; shrinking, last.
    ordered = by_age(replica_sets)
    if to_add > 0:
        ordered.reverse()
    ordered.sort(key=lambda one: -replicas_of(one))
    sizes: dict[str, int] = {}
    added = 0
    for one in ordered:
        share = _share(deployment, one, to_add, added)
        sizes[name_of(one)] = replicas_of(one) + share
        added += share
    if ordered:
        largest = name_of(ordered[0])
        sizes[largest] = max(0, sizes[largest] + to_add - added)
    return sizes


def _share(deployment: Json, replica_set: Json, to_add: int, added: int) -> int:
    if not replicas_of(replica_set) or to_add == added:
        return 0
    fraction = _fraction(deployment, replica_set)
    left = to_add - added
    return min(fraction, left) if to_add > 0 else max(fraction, left)


def _fraction(deployment: Json, replica_set: Json) -> int:
    size = replicas_of(replica_set)
    if not replicas_of(deployment):
        return -size
    noted = annotations_of(replica_set).get(MOST, "")
    before = int(noted) if noted.isdecimal() else 0
    before = before or number(status_of(deployment), "replicas")
    if not before:
        return 0
    most = replicas_of(deployment) + max_surge(deployment)
    return (2 * size * most + before) // (2 * before) - size  # rounded half up
