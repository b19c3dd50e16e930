"""Keeps requests flowing, and counts those that were lost."""

import os
from collections.abc import Sequence
from dataclasses import dataclass

from tests.mesh import judge, manifests
from tests.mesh.kubectl import Kubectl
from tests.mesh.waiting import until

CLIENTS = "clients"  # without a label of Istio's: this namespace does not move
REQUESTS_PER_SECOND = 10


def is_carried() -> bool:
    """Whether the cluster has a data plane: a rehearsal cluster's pods answer nobody."""
    return not os.environ.get("MESH_WITHOUT_TRAFFIC")


@dataclass(frozen=True, kw_only=True)
class Count:
    """Requests since the clients were started."""

    answered: int = 0
    lost: int = 0

    def since(self, earlier: "Count") -> "Count":
        return Count(answered=self.answered - earlier.answered, lost=self.lost - earlier.lost)


@dataclass(frozen=True, kw_only=True)
class Clients:
    """One client for each Service, all together about ten requests a second."""

    kubectl: Kubectl
    names: Sequence[str]

    def count(self) -> Count:
        """Add up what the clients have counted."""
        counts = [self.read(name, "/tmp/count").split() for name in self.names]  # noqa: S108 - in a pod
        answered, lost = (sum(int(one[index]) for one in counts) for index in (0, 1))
        return Count(answered=answered, lost=lost)

    def losses(self) -> str:
        """Return when each request was lost, and why."""
        return "\n".join(self.read(name, "/tmp/losses") for name in self.names)  # noqa: S108 - in a pod

    def read(self, name: str, path: str) -> str:
        return self.kubectl.within(CLIENTS, name, "cat", path).out


def begin(kubectl: Kubectl, services: Sequence[tuple[str, str]]) -> Clients:
    """Start a client for each (namespace, Service) and wait until all are answered."""
    kubectl.apply(manifests.namespace(CLIENTS))
    # A request itself takes a little, so the clients rest less than their share of a second.
    every = round(len(services) / REQUESTS_PER_SECOND * 0.9, 2)
    for namespace, name in services:
        address = judge.address(kubectl, name, namespace=namespace)
        kubectl.apply(manifests.asking(name, address, namespace=CLIENTS, every=every))
    clients = Clients(kubectl=kubectl, names=[name for _, name in services])
    kubectl("wait", "pods", "--all", "-n", CLIENTS, "--for=condition=Ready", "--timeout=60s")
    until(lambda: _all_answered(clients), what="every client is answered")
    return clients


def _all_answered(clients: Clients) -> bool:
    seen = [clients.read(name, "/tmp/count") for name in clients.names]  # noqa: S108 - in a pod
    return all(one and not one.startswith("0 ") for one in seen)
