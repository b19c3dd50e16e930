"""What a Deployment says of itself, worded as `kubectl rollout status` and people read it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from deployments.rehearsal.cluster.controllers.amounts import number, replicas_of, without_zeros
from deployments.rehearsal.cluster.controllers.conditions import (
    condition,
    find,
    replaced,
    without,
)
from deployments.rehearsal.cluster.controllers.deployment_numbers import (
    counted,
    max_unavailable,
    wanted_by,
)
from deployments.rehearsal.cluster.objects import (
    Json,
    condition_of,
    conditions_of,
    metadata_of,
    name_of,
    spec_of,
    status_of,
)

PROGRESSING: Final = "Progressing"
TIMED_OUT: Final = "ProgressDeadlineExceeded"
FINISHED: Final = "NewReplicaSetAvailable"
PAUSED: Final = "DeploymentPaused"
_FAILURE: Final = "ReplicaFailure"
_NO_DEADLINE: Final = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A Deployment with its ReplicaSets."""

    deployment: Json
    new: Json | None
    old: Sequence[Json]

    @property
    def all(self) -> list[Json]:
        return [*self.old, self.new] if self.new is not None else list(self.old)


def has_deadline(deployment: Json) -> bool:
    return number(spec_of(deployment), "progressDeadlineSeconds", _NO_DEADLINE) < _NO_DEADLINE


def counts(family: Family) -> Json:
    """Return the status as far as it follows from the ReplicaSets alone."""
    deployment = family.deployment
    available = counted(family.all, "availableReplicas")
    status: Json = {
        "observedGeneration": metadata_of(deployment).get("generation", 0),
        "replicas": counted(family.all, "replicas"),
        "updatedReplicas": counted([family.new] if family.new else [], "replicas"),
        "readyReplicas": counted(family.all, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, wanted_by(family.all) - available),
        "collisionCount": status_of(deployment).get("collisionCount"),
        "conditions": replaced(conditions_of(deployment), _availability(deployment, available)),
    }
    return without_zeros(status, *status)


def _availability(deployment: Json, available: int) -> Json:
    if available >= replicas_of(deployment) - max_unavailable(deployment):
        return condition(
            "Available",
            status="True",
            reason="MinimumReplicasAvailable",
            message="Deployment has minimum availability.",
        )
    return condition(
        "Available",
        status="False",
        reason="MinimumReplicasUnavailable",
        message="Deployment does not have minimum availability.",
    )


def rolled(family: Family, *, is_late: bool) -> Json:
    """Return the status during a rollout: how far it is, or that it does not get further."""
    deployment = family.deployment
    status = counts(family)
    conditions: list[Json] = status["conditions"]
    if not has_deadline(deployment):
        conditions = without(conditions, PROGRESSING)
    elif not _was_finished(deployment, status):
        conditions = _progress(family, status, conditions, is_late=is_late)
    failure = _failure(family)
    conditions = without(conditions, _FAILURE) if failure is None else replaced(conditions, failure)
    return status | {"conditions": conditions}


def _was_finished(deployment: Json, status: Json) -> bool:
    current = condition_of(deployment, PROGRESSING)
    return (
        status.get("replicas") == status.get("updatedReplicas")
        and current is not None
        and current["reason"] == FINISHED
    )


def _progress(family: Family, status: Json, conditions: list[Json], *, is_late: bool) -> list[Json]:
    if is_complete(family.deployment, status):
        text = f"{_subject(family)} has successfully progressed."
        return replaced(conditions, _progressing("True", FINISHED, text))
    if _has_progressed(family.deployment, status):
        new = _progressing("True", "ReplicaSetUpdated", f"{_subject(family)} is progressing.")
        current = find(conditions, PROGRESSING)
        if current is not None and current["status"] == "True":
            new["lastTransitionTime"] = current["lastTransitionTime"]
        return [*without(conditions, PROGRESSING), new]  # a new lastUpdateTime each time
    if is_late:
        text = f"{_subject(family)} has timed out progressing."
        return replaced(conditions, _progressing("False", TIMED_OUT, text))
    return conditions


def _progressing(status: str, reason: str, message: str) -> Json:
    return condition(PROGRESSING, status=status, reason=reason, message=message)


def _subject(family: Family) -> str:
    if family.new is None:
        return f'Deployment "{name_of(family.deployment)}"'
    return f'ReplicaSet "{name_of(family.new)}"'


def is_complete(deployment: Json, status: Json) -> bool:
    """Say whether all pods are new and available, and there are no others."""
    wanted = replicas_of(deployment)
    names = ("updatedReplicas", "replicas", "availableReplicas")
    seen = number(status, "observedGeneration") >= metadata_of(deployment).get("generation", 0)
    return seen and all(number(status, name) == wanted for name in names)


def _has_progressed(deployment: Json, status: Json) -> bool:
    before = status_of(deployment)

    def left(of: Json) -> int:
        return number(of, "replicas") - number(of, "updatedReplicas")

    grown = ("updatedReplicas", "readyReplicas", "availableReplicas")
    return left(status) < left(before) or any(
        number(status, name) > number(before, name) for name in grown
    )


def _failure(family: Family) -> Json | None:
    """Return what hinders a ReplicaSet, the new one first, as a condition of the Deployment."""
    for one in [family.new, *family.old] if family.new else family.old:
        failure = condition_of(one, _FAILURE)
        if failure is not None:
            return failure | {"lastUpdateTime": failure["lastTransitionTime"]}
    return None


def paused(deployment: Json) -> Json | None:
    """Return the condition that says that a Deployment was paused or resumed, if that is news."""
    current = condition_of(deployment, PROGRESSING)
    reason = current["reason"] if current is not None else ""
    if not has_deadline(deployment) or reason == TIMED_OUT:
        return None
    is_paused = bool(spec_of(deployment).get("paused"))
    if is_paused and reason != PAUSED:
        return _progressing("Unknown", PAUSED, "Deployment is paused")
    if not is_paused and reason == PAUSED:
        return _progressing("Unknown", "DeploymentResumed", "Deployment is resumed")
    return None
