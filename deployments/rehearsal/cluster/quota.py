"""ResourceQuota, as far as it counts objects: the pods of a namespace."""

from typing import Final

from deployments.rehearsal.cluster.errors import forbidden
from deployments.rehearsal.cluster.objects import Json, name_of, namespace_of, spec_of, status_of
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import PODS, QUOTAS
from deployments.rehearsal.cluster.store import Store

_COUNTS: Final = ("pods", "count/pods")
_ENDED: Final = frozenset({"Succeeded", "Failed"})


def check_quota(store: Store, resource: Resource, obj: Json) -> None:
    """Refuse a pod that is one too many. Those that are terminating count."""
    if resource != PODS:
        return
    namespace = namespace_of(obj)
    for quota in store.list(QUOTAS, namespace):
        limits: Json = spec_of(quota).get("hard") or {}
        for name in _COUNTS:
            if name not in limits:
                continue
            used = _used(store, namespace, is_every=name != "pods")
            if used >= int(limits[name]):
                raise forbidden(
                    PODS,
                    name_of(obj),
                    f"exceeded quota: {name_of(quota)}, requested: {name}=1, used: "
                    f"{name}={used}, limited: {name}={limits[name]}",
                )


def _used(store: Store, namespace: str, *, is_every: bool) -> int:
    phases = (status_of(pod).get("phase") for pod in store.list(PODS, namespace))
    return sum(is_every or phase not in _ENDED for phase in phases)
