"""
A cluster that is held to the contract, and a namespace in it in which one check happens.

The checks are the same everywhere; how long a cluster may take is its own business.
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from tests.contract.client import JSON, JSON_PATCH, MERGE, Answer, Client, Json
from tests.contract.istioctl import Istioctls
from tests.mesh.waiting import until

T = TypeVar("T")

GROUPS: Final = {
    "daemonsets": "apis/apps/v1",
    "deployments": "apis/apps/v1",
    "replicasets": "apis/apps/v1",
    "statefulsets": "apis/apps/v1",
    "controllerrevisions": "apis/apps/v1",
    "jobs": "apis/batch/v1",
    "cronjobs": "apis/batch/v1",
    "leases": "apis/coordination.k8s.io/v1",
    "endpointslices": "apis/discovery.k8s.io/v1",
    "poddisruptionbudgets": "apis/policy/v1",
    "horizontalpodautoscalers": "apis/autoscaling/v2",
    "roles": "apis/rbac.authorization.k8s.io/v1",
    "rolebindings": "apis/rbac.authorization.k8s.io/v1",
    "clusterroles": "apis/rbac.authorization.k8s.io/v1",
    "clusterrolebindings": "apis/rbac.authorization.k8s.io/v1",
    "mutatingwebhookconfigurations": "apis/admissionregistration.k8s.io/v1",
    "validatingwebhookconfigurations": "apis/admissionregistration.k8s.io/v1",
    "customresourcedefinitions": "apis/apiextensions.k8s.io/v1",
    "virtualservices": "apis/networking.istio.io/v1",
    "destinationrules": "apis/networking.istio.io/v1",
    "envoyfilters": "apis/networking.istio.io/v1alpha3",
}
_numbers = itertools.count(1)


def path_of(plural: str, name: str = "", *, namespace: str = "", sub: str = "") -> str:
    """Return the path of a resource, of one object, of a part of it."""
    parts = ["", GROUPS.get(plural, "api/v1")]
    parts += ["namespaces", namespace] if namespace else []
    return "/".join([*parts, plural, *filter(None, (name, sub))])


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """A cluster of either kind."""

    kind: str
    client: Client
    kubeconfig: Path
    istioctls: Callable[[], Istioctls]
    seconds: float  # what a change may take that takes a real cluster a few seconds
    every: float  # how often to look meanwhile

    def get(self, plural: str, name: str, *, namespace: str = "") -> Json:
        return self.client.ask("GET", path_of(plural, name, namespace=namespace)).object

    def find(self, plural: str, name: str, *, namespace: str = "") -> Json | None:
        """Return an object, None if it is not there."""
        answer = self.client.ask("GET", path_of(plural, name, namespace=namespace))
        return None if answer.code == 404 else answer.object

    def items(self, plural: str, *, namespace: str = "", selector: str = "") -> list[Json]:
        path = path_of(plural, namespace=namespace)
        answer = self.client.ask("GET", path, labelSelector=selector)
        return answer.items if answer.code != 404 else []

    def names(self, plural: str, *, namespace: str = "", selector: str = "") -> set[str]:
        found = self.items(plural, namespace=namespace, selector=selector)
        return {one["metadata"]["name"] for one in found}

    def delete(self, plural: str, name: str, *, namespace: str = "", **options: object) -> Answer:
        path = path_of(plural, name, namespace=namespace)
        return self.client.ask("DELETE", path, options or None)

    def until(self, holds: Callable[[], T | None], what: str, *, seconds: float = 0) -> T:
        """Wait until something holds; by default as long as this cluster may take."""
        found = until(holds, what=what, seconds=seconds or self.seconds, every=self.every)
        assert found is not None
        return found

    def place(self, **labels: str) -> "Place":
        """Make a namespace."""
        name = f"contract-{next(_numbers)}"
        metadata = {"generateName": f"{name}-", "labels": labels}
        made = self.client.ask("POST", "/api/v1/namespaces", {"metadata": metadata}).object
        return Place(cluster=self, name=made["metadata"]["name"])


@dataclass(frozen=True, kw_only=True)
class Place:
    """A namespace that belongs to one check."""

    cluster: Cluster
    name: str

    @property
    def client(self) -> Client:
        return self.cluster.client

    def path(self, plural: str, name: str = "", sub: str = "") -> str:
        return path_of(plural, name, namespace=self.name, sub=sub)

    def ask(
        self,
        method: str,
        plural: str,
        name: str = "",
        body: object = None,
        *,
        sub: str = "",
        kind: str = JSON,
        accept: str = JSON,
        **query: object,
    ) -> Answer:
        """Send a request about something of this namespace."""
        path = self.path(plural, name, sub)
        return self.client.ask(method, path, body, kind=kind, accept=accept, **query)

    def make(self, plural: str, body: Json, **query: str) -> Json:
        """Create an object that has to be possible."""
        return self.ask("POST", plural, "", body, **query).object

    def get(self, plural: str, name: str, sub: str = "") -> Json:
        return self.ask("GET", plural, name, sub=sub).object

    def find(self, plural: str, name: str) -> Json | None:
        return self.cluster.find(plural, name, namespace=self.name)

    def items(self, plural: str, **query: str) -> list[Json]:
        return self.ask("GET", plural, **query).items

    def merge(self, plural: str, name: str, patch: Json, **query: str) -> Json:
        return self.ask("PATCH", plural, name, patch, kind=MERGE, **query).object

    def json_patch(self, plural: str, name: str, *operations: Json, **query: str) -> Answer:
        return self.ask("PATCH", plural, name, list(operations), kind=JSON_PATCH, **query)

    def label(self, labels: dict[str, str | None]) -> Json:
        """Change the labels of the namespace itself."""
        path, patch = path_of("namespaces", self.name), {"metadata": {"labels": labels}}
        return self.client.ask("PATCH", path, patch, kind=MERGE).object

    def until(self, holds: Callable[[], T | None], what: str, *, seconds: float = 0) -> T:
        return self.cluster.until(holds, f"{what} in {self.name}", seconds=seconds)

    def leave(self) -> None:
        """Delete the namespace, without waiting for its end."""
        for pod in self.items("pods"):
            self.ask("DELETE", "pods", pod["metadata"]["name"], {"gracePeriodSeconds": 1})
        self.client.ask("DELETE", path_of("namespaces", self.name))
