"""Which of a DaemonSet's pods goes next, and which node gets a new one. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from deployments.rehearsal.cluster.controllers.pods import is_over
from deployments.rehearsal.cluster.controllers.revisions import HASH_LABEL
from deployments.rehearsal.cluster.objects import Json, is_terminating, labels_of

Lookup = Callable[[Json], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to do next: pods to end, and nodes that get one more."""

    end: list[Json] = field(default_factory=list[Json])
    make: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One node's living pods, told apart by their template."""

    node: str
    old: Json | None = None
    new: Json | None = None
    surplus: list[Json] = field(default_factory=list[Json])


def place(node: str, pods: Sequence[Json], hashed: str) -> Place:
    """Sort a node's pods; the oldest of each template stays."""
    living = [pod for pod in pods if not is_terminating(pod) and not is_over(pod)]
    new = [pod for pod in living if labels_of(pod).get(HASH_LABEL) == hashed]
    old = [pod for pod in living if labels_of(pod).get(HASH_LABEL) != hashed]
    return Place(
        node=node,
        old=old[0] if old else None,
        new=new[0] if new else None,
        surplus=[*old[1:], *new[1:]],
    )


def replaced_in_place(places: Sequence[Place], allowed: int, is_available: Lookup) -> Plan:
    """End old pods, so many that no more than allowed are missing: the nodes get new ones later."""
    plan = Plan()
    candidates: list[Json] = []
    for one in places:
        if one.old is None or one.new is not None:
            allowed -= one.new is None or not is_available(one.new)
        elif is_available(one.old):
            candidates.append(one.old)
        else:
            plan.end.append(one.old)
            allowed -= 1
    plan.end.extend(candidates[: max(0, allowed)])
    return plan


def replaced_by_surge(places: Sequence[Place], surge: int, is_available: Lookup) -> Plan:
    """Make new pods beside old ones, and end an old one where the new one is available."""
    plan = Plan()
    candidates: list[str] = []
    for one in places:
        if one.old is None:
            continue
        if one.new is None:
            chosen = candidates if is_available(one.old) else plan.make
            chosen.append(one.node)
        elif is_available(one.new):
            plan.end.append(one.old)
        else:
            surge -= 1
    plan.make.extend(candidates[: max(0, surge)])
    return plan
