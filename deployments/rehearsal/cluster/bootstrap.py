"""What is in every cluster from its first moment: namespaces, the API server's own Service, roles."""

import uuid
from collections.abc import Iterator
from typing import Final

from deployments.rehearsal.cluster.objects import Json, now_rfc3339
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import NAMESPACES, SERVICES
from deployments.rehearsal.cluster.roles import first_roles

_NAMESPACES: Final = ("default", "kube-node-lease", "kube-public", "kube-system")


def first_objects() -> Iterator[tuple[Resource, Json]]:
    """Yield the objects of an empty cluster."""
    for name in _NAMESPACES:
        metadata: Json = {"name": name, "labels": {"kubernetes.io/metadata.name": name}}
        yield (
            NAMESPACES,
            _made(
                NAMESPACES,
                metadata,
                spec={"finalizers": ["kubernetes"]},
                status={"phase": "Active"},
            ),
        )
    yield SERVICES, _kubernetes()
    for resource, name, body in first_roles():
        labels = {"kubernetes.io/bootstrapping": "rbac-defaults"} | body.pop("labels", {})
        yield resource, _made(resource, {"name": name, "labels": labels}, **body)


def _kubernetes() -> Json:
    labels = {"component": "apiserver", "provider": "kubernetes"}
    metadata: Json = {"name": "kubernetes", "namespace": "default", "labels": labels}
    spec = {
        "clusterIP": "10.96.0.1",
        "clusterIPs": ["10.96.0.1"],
        "internalTrafficPolicy": "Cluster",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "ports": [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": 6443}],
        "sessionAffinity": "None",
        "type": "ClusterIP",
    }
    return _made(SERVICES, metadata, spec=spec, status={"loadBalancer": {}})


def _made(resource: Resource, metadata: Json, **body: object) -> Json:
    born = {"uid": str(uuid.uuid4()), "creationTimestamp": now_rfc3339()}
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": metadata | born,
        **body,
    }
