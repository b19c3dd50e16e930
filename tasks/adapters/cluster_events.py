"""Kubernetes' warnings about a workload, as sentences for a person. Makes no requests."""

import re
from collections.abc import Iterable, Sequence
from typing import Final

from tasks.adapters.cluster_objects import EventObject
from tasks.adapters.cluster_pods import said
from tasks.domain.inventory import Kind, WorkloadRef

_MOST: Final = 5
# The letters of generated names (k8s.io/apimachinery/pkg/util/rand): no vowels, so that
# `cart-api` is not taken for a ReplicaSet of `cart`.
_GENERATED: Final = "[bcdfghjklmnpqrstvwxz2456789]"
_SUFFIX: Final = f"-{_GENERATED}{{5}}"
_HASH: Final = f"-{_GENERATED}{{1,10}}"


def sentences(workload: WorkloadRef, found: Iterable[EventObject]) -> Sequence[str]:
    """
    Return the newest events about a workload, its ReplicaSets and its pods, five at most.

    They are found by name, so that pods which are gone already can still say why.
    """
    owned = _owned_names(workload)
    about = [one for one in found if _is_about(one, workload, owned)]
    about.sort(key=_moment, reverse=True)
    return list(dict.fromkeys(_sentence(one) for one in about))[:_MOST]


def _owned_names(workload: WorkloadRef) -> dict[str, re.Pattern[str]]:
    name = re.escape(workload.name)
    if workload.kind in {Kind.DEPLOYMENT, Kind.ROLLOUT}:
        return {
            "ReplicaSet": re.compile(name + _HASH),
            "Pod": re.compile(name + _HASH + _SUFFIX),
        }
    if workload.kind is Kind.STATEFUL_SET:
        return {"Pod": re.compile(name + r"-\d+")}
    return {"Pod": re.compile(name + _SUFFIX)}


def _is_about(event: EventObject, workload: WorkloadRef, owned: dict[str, re.Pattern[str]]) -> bool:
    about = event.involved_object
    if event.type != "Warning":
        return False
    if (about.kind, about.name) == (str(workload.kind), workload.name):
        return True
    pattern = owned.get(about.kind)
    return pattern is not None and pattern.fullmatch(about.name) is not None


def _moment(event: EventObject) -> str:
    series = event.series.last_observed_time if event.series else None
    return (
        series
        or event.last_timestamp
        or event.event_time
        or event.metadata.creation_timestamp
        or ""
    )


def _sentence(event: EventObject) -> str:
    count = event.series.count if event.series else event.count
    times = f" ({count} times)" if count and count > 1 else ""
    about = event.involved_object
    return f"{about.kind} {about.name}: {said(event.reason, event.message)}{times}"
