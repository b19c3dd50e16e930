"""Which ready pods are behind a Service, as its EndpointSlices say."""

from collections.abc import Iterator
from typing import cast

from deployments.rehearsal.cluster.network import SERVICE_NAME
from deployments.rehearsal.cluster.objects import Json, labels_of
from deployments.rehearsal.cluster.resources import ENDPOINTSLICES, PODS
from deployments.rehearsal.cluster.store import Store


def ready_pods(store: Store, service: str, namespace: str) -> Iterator[Json]:
    """Yield the pods themselves."""
    for part in store.list(ENDPOINTSLICES, namespace):
        if labels_of(part).get(SERVICE_NAME) != service:
            continue
        for endpoint in cast("list[Json]", part.get("endpoints") or []):
            target: Json = endpoint.get("targetRef") or {}
            conditions: Json = endpoint.get("conditions") or {}
            if conditions.get("ready", True) and target.get("kind") == "Pod":
                pod = store.get(PODS, str(target["name"]), namespace)
                if pod is not None:
                    yield pod
