"""
Where Kubernetes keeps the objects that we change, and the fields that all of them share.

No requests are made here.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from tasks.adapters.kubernetes_names import segment
from tasks.domain.errors import RefusedError
from tasks.domain.inventory import Kind, WorkloadRef

MERGE_PATCH: Final = "application/merge-patch+json"

_COLLECTIONS: Final[Mapping[Kind, tuple[str, str]]] = {
    Kind.DEPLOYMENT: ("apps/v1", "deployments"),
    Kind.STATEFUL_SET: ("apps/v1", "statefulsets"),
    Kind.DAEMON_SET: ("apps/v1", "daemonsets"),
    Kind.REPLICA_SET: ("apps/v1", "replicasets"),
    Kind.JOB: ("batch/v1", "jobs"),
    Kind.ROLLOUT: ("argoproj.io/v1alpha1", "rollouts"),
}


class Metadata(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What we read of any object's metadata, and may write back."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    labels: Mapping[str, str] | None = None
    annotations: Mapping[str, str] | None = None


def core_path(namespace: str, plural: str, name: str | None = None) -> str:
    """Return the path of an object of the core API, or of all of its kind in a namespace."""
    return _named(f"/api/v1/namespaces/{segment(namespace)}/{plural}", name)


def group_path(group_version: str, namespace: str, plural: str, name: str | None = None) -> str:
    """Return the same for an object of an API group."""
    return _named(f"/apis/{group_version}/namespaces/{segment(namespace)}/{plural}", name)


def workload_path(workload: WorkloadRef) -> str:
    """Return where a workload is. Raises RefusedError for a kind that has no pod template."""
    if workload.kind not in _COLLECTIONS:
        raise RefusedError(f"{workload} has no pod template that Kubernetes would make pods from")
    group_version, plural = _COLLECTIONS[workload.kind]
    return group_path(group_version, workload.namespace, plural, workload.name)


def _named(collection: str, name: str | None) -> str:
    return collection if name is None else f"{collection}/{segment(name)}"
