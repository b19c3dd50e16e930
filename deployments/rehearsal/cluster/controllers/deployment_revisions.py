"""A Deployment's ReplicaSets: which is the new one, how it is made, and what each is called."""

from collections.abc import Iterable, Sequence
from typing import Final

from deployments.rehearsal.cluster.controllers.amounts import replicas_of
from deployments.rehearsal.cluster.controllers.deployment_numbers import (
    DESIRED,
    MOST,
    by_age,
    max_surge,
    size_of_new,
)
from deployments.rehearsal.cluster.controllers.hashing import TEMPLATE_HASH, hash_of, same_template
from deployments.rehearsal.cluster.controllers.owning import controller_reference
from deployments.rehearsal.cluster.objects import (
    Json,
    annotations_of,
    labels_of,
    metadata_of,
    name_of,
    namespace_of,
    spec_of,
    status_of,
)
from deployments.rehearsal.cluster.resources import DEPLOYMENTS

REVISION: Final = "deployment.kubernetes.io/revision"
_HISTORY: Final = "deployment.kubernetes.io/revision-history"
_NOT_COPIED: Final = {
    "kubectl.kubernetes.io/last-applied-configuration",
    "deprecated.deployment.rollback.to",
    REVISION,
    _HISTORY,
    DESIRED,
    MOST,
}


def find_new(deployment: Json, replica_sets: Iterable[Json]) -> Json | None:
    """Return the oldest ReplicaSet that makes the pods that the Deployment asks for now."""
    template = spec_of(deployment)["template"]
    for one in by_age(replica_sets):
        if same_template(spec_of(one)["template"], template):
            return one
    return None


def revision_of(obj: Json) -> int:
    noted = annotations_of(obj).get(REVISION, "")
    return int(noted) if noted.isdecimal() else 0


def new_replica_set(deployment: Json, old: Sequence[Json]) -> Json:
    """Return the ReplicaSet to be made for the Deployment's template."""
    spec = spec_of(deployment)
    template = spec["template"]
    collisions = int(status_of(deployment).get("collisionCount") or 0)
    marked = {TEMPLATE_HASH: hash_of(template, collisions)}
    labels = labels_of(template) | marked
    selector = spec["selector"]
    new: Json = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{name_of(deployment)}-{marked[TEMPLATE_HASH]}",
            "namespace": namespace_of(deployment),
            "labels": labels,
            "ownerReferences": [controller_reference(DEPLOYMENTS, deployment)],
        },
        "spec": {
            "replicas": 0,
            "minReadySeconds": spec.get("minReadySeconds") or 0,
            "selector": selector | {"matchLabels": (selector.get("matchLabels") or {}) | marked},
            "template": template | {"metadata": metadata_of(template) | {"labels": labels}},
        },
    }
    new["spec"]["replicas"] = size_of_new(deployment, [*old, new], new)
    notes = annotations_for(deployment, new, old) | sizes_for(deployment)
    new["metadata"]["annotations"] = notes
    return new


def annotations_for(deployment: Json, new: Json, old: Iterable[Json]) -> dict[str, str]:
    """Return the annotations of the new ReplicaSet: the Deployment's, and its revision."""
    given = annotations_of(deployment).items()
    copied = {name: value for name, value in given if name not in _NOT_COPIED}
    notes = annotations_of(new) | copied
    newest = max((revision_of(one) for one in old), default=0) + 1
    before = revision_of(new)
    if before < newest:
        notes[REVISION] = str(newest)
        if before:  # a way back to an old ReplicaSet, which remembers what it was before
            notes[_HISTORY] = ",".join(filter(None, [notes.get(_HISTORY, ""), str(before)]))
    return notes


def sizes_for(deployment: Json) -> dict[str, str]:
    """Return the annotations that tell later by which size of the Deployment one was sized."""
    wanted = replicas_of(deployment)
    return {DESIRED: str(wanted), MOST: str(wanted + max_surge(deployment))}
