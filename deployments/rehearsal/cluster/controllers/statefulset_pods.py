"""The pods of a StatefulSet: their names, their order, and what makes them. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from deployments.rehearsal.cluster.controllers.amounts import number, replicas_of
from deployments.rehearsal.cluster.controllers.owning import controller_reference
from deployments.rehearsal.cluster.controllers.pods import pod_from
from deployments.rehearsal.cluster.controllers.reading import part
from deployments.rehearsal.cluster.controllers.revisions import HASH_LABEL, Revision
from deployments.rehearsal.cluster.objects import Json, labels_of, name_of, spec_of, status_of
from deployments.rehearsal.cluster.resources import STATEFULSETS

_NAMED: Final = re.compile(r"(.*)-([0-9]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Pods by their number, and those whose number is not wanted any more."""

    wanted: dict[int, Json | None]
    condemned: list[Json] = field(default_factory=list[Json])  # the highest first


def first_of(stateful_set: Json) -> int:
    return number(part(spec_of(stateful_set), "ordinals"), "start")


def ordinal_of(pod: Json, stateful_set: Json) -> int | None:
    """Return a pod's number; None if it does not bear the set's name."""
    found = _NAMED.fullmatch(name_of(pod))
    return int(found[2]) if found and found[1] == name_of(stateful_set) else None


def members(stateful_set: Json, pods: Iterable[Json]) -> Members:
    first = first_of(stateful_set)
    found = Members(wanted=dict.fromkeys(range(first, first + replicas_of(stateful_set))))
    condemned: dict[int, Json] = {}
    for pod in pods:
        ordinal = ordinal_of(pod, stateful_set)
        if ordinal in found.wanted:
            found.wanted[ordinal] = pod
        elif ordinal is not None:
            condemned[ordinal] = pod
    found.condemned.extend(condemned[one] for one in sorted(condemned, reverse=True))
    return found


def rolling_of(stateful_set: Json) -> Json:
    return part(spec_of(stateful_set), "updateStrategy", "rollingUpdate")


def partition_of(stateful_set: Json) -> int:
    return number(rolling_of(stateful_set), "partition")


def is_on_delete(stateful_set: Json) -> bool:
    return str(part(spec_of(stateful_set), "updateStrategy").get("type")) == "OnDelete"


def is_ordered(stateful_set: Json) -> bool:
    return str(spec_of(stateful_set).get("podManagementPolicy")) != "Parallel"


def revision_name_of(pod: Json) -> str:
    return labels_of(pod).get(HASH_LABEL, "")


def revision_for(
    stateful_set: Json, ordinal: int, *, current: Revision, update: Revision
) -> Revision:
    """Return what a pod that is missing is made from: below the partition, the old template."""
    if is_on_delete(stateful_set):
        return update
    kept = partition_of(stateful_set)
    if not rolling_of(stateful_set):
        kept = number(status_of(stateful_set), "currentReplicas")
    return current if ordinal < first_of(stateful_set) + kept else update


def new_pod(stateful_set: Json, ordinal: int, revision: Revision) -> Json:
    name = f"{name_of(stateful_set)}-{ordinal}"
    reference = controller_reference(STATEFULSETS, stateful_set)
    pod = pod_from(revision.template, owner=reference, name=name)
    pod["metadata"]["labels"] = labels_of(revision.template) | {
        "apps.kubernetes.io/pod-index": str(ordinal),
        "statefulset.kubernetes.io/pod-name": name,
        HASH_LABEL: revision.name,
    }
    pod["spec"] = spec_of(pod) | {"hostname": name}
    if service := spec_of(stateful_set).get("serviceName"):
        pod["spec"]["subdomain"] = service
    return pod
