"""Whether a pod may be evicted: asked by the API server's eviction subresource before it deletes."""

from deployments.rehearsal.cluster.controllers.amounts import number
from deployments.rehearsal.cluster.controllers.conditions import replaced
from deployments.rehearsal.cluster.controllers.pdbs import allowance
from deployments.rehearsal.cluster.controllers.pods import is_over, is_ready, phase_of
from deployments.rehearsal.cluster.controllers.reading import pairs
from deployments.rehearsal.cluster.controllers.selecting import matches
from deployments.rehearsal.cluster.errors import ApiError, too_many_requests
from deployments.rehearsal.cluster.objects import (
    Json,
    conditions_of,
    is_terminating,
    labels_of,
    metadata_of,
    name_of,
    namespace_of,
    now_rfc3339,
    spec_of,
    status_of,
)
from deployments.rehearsal.cluster.resources import PDBS
from deployments.rehearsal.cluster.verbs import Server

_REFUSED = "Cannot evict pod as it would violate the pod's disruption budget."
_SEVERAL = (
    "This pod has more than one PodDisruptionBudget, which the eviction subresource "
    "does not support."
)


async def allow(server: Server, pod: Json, *, dry_run: bool = False) -> None:
    """Take one disruption from the pod's budget. Raises ApiError where there is none left."""
    if is_over(pod) or is_terminating(pod) or phase_of(pod) == "Pending":
        return
    namespace = namespace_of(pod)
    budgets = [
        one
        for one in server.store.list(PDBS, namespace)
        if matches(spec_of(one).get("selector"), labels_of(pod))
    ]
    if len(budgets) > 1:
        raise ApiError(500, "", _SEVERAL)
    if not budgets or (not is_ready(pod) and _may_lose_unready(budgets[0])):
        return
    lowered = _lowered(budgets[0], name_of(pod))
    if not dry_run:
        await server.update(PDBS, lowered, namespace=namespace, subresource="status")


def _may_lose_unready(budget: Json) -> bool:
    """Say whether a pod may go that counts for nothing, since it is not ready."""
    if spec_of(budget).get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    desired = number(status_of(budget), "desiredHealthy")
    return desired > 0 and number(status_of(budget), "currentHealthy") >= desired


def _lowered(budget: Json, pod: str) -> Json:
    status, name = status_of(budget), name_of(budget)
    if number(status, "observedGeneration") < metadata_of(budget).get("generation", 0):
        why = f"The disruption budget {name} is still being processed by the server."
        raise too_many_requests(_REFUSED, [_cause(why)], retry_after=10)
    allowed = number(status, "disruptionsAllowed")
    if not allowed:
        needs, has = number(status, "desiredHealthy"), number(status, "currentHealthy")
        why = f"The disruption budget {name} needs {needs} healthy pods and has {has} currently"
        raise too_many_requests(_REFUSED, [_cause(why)])
    evicted = pairs(status, "disruptedPods") | {pod: now_rfc3339()}
    conditions = replaced(conditions_of(budget), allowance(budget, allowed - 1))
    changed: Json = {
        "disruptionsAllowed": allowed - 1,
        "disruptedPods": evicted,
        "conditions": conditions,
    }
    return budget | {"status": status | changed}


def _cause(message: str) -> Json:
    return {"reason": "DisruptionBudget", "message": message}
