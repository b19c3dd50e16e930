"""
What the checks look at: an inventory, and what is about to be done with it.

The questions that several checks ask are answered here once, in the same way as the plan answers
them.
"""

from functools import partial

import msgspec

from tasks.domain.access import Denied
from tasks.domain.injection import namespace_follows
from tasks.domain.inventory import (
    MOVABLE,
    ControlPlane,
    Inventory,
    IstiodReport,
    Namespace,
    Pod,
    Workload,
    WorkloadRef,
    is_injectable,
    pods_by_workload,
)
from tasks.domain.rendering import Rendered
from tasks.domain.revision import Version

_SYSTEM = frozenset({"kube-system", "kube-public", "kube-node-lease"})


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster, and the upgrade that somebody wants of it."""

    inventory: Inventory
    old: str  # revision to replace
    canary: str  # revision to install
    target: Version
    istioctl: str  # its version
    rendered: Rendered | None = None
    reports: tuple[IstiodReport, ...] = ()
    denied: tuple[Denied, ...] = ()
    adopted: bool = False  # the canary is there already, installed by our own journal
    moves_tags: tuple[str, ...] = ()  # those that will point to the canary

    @property
    def old_plane(self) -> ControlPlane | None:
        """The control plane to replace."""
        return self.inventory.control_plane(self.old)

    def reaches(self, name: str | None) -> bool:
        """Whether a revision or tag name leads to a control plane that is there."""
        revision = self.inventory.resolve(name)
        return revision is not None and self.inventory.control_plane(revision) is not None

    def is_inspected(self, namespace: Namespace) -> bool:
        """Whether its pods concern us: it is neither Kubernetes' own nor about to go."""
        return not namespace.is_terminating and namespace.name not in _SYSTEM

    def is_users(self, namespace: Namespace) -> bool:
        """Whether an upgrade could move it: inspected, and not the control planes' own."""
        return self.is_inspected(namespace) and namespace.name != self.inventory.istio_namespace

    def inspected(self) -> dict[str, Namespace]:
        """Return the namespaces whose pods concern us, by name."""
        return {one.name: one for one in self.inventory.namespaces if self.is_inspected(one)}

    def users(self) -> list[Namespace]:
        """Return the namespaces that an upgrade could move."""
        return [one for one in self.inventory.namespaces if self.is_users(one)]

    def moving(self) -> frozenset[str]:
        """Return the namespaces that the plan relabels or whose pods it still moves."""
        held = {pod.namespace for pod in self.inventory.pods if self._is_on_old(pod)}
        return frozenset(one.name for one in self.users() if self._moves(one, held))

    def _moves(self, namespace: Namespace, held: set[str]) -> bool:
        effective = self.inventory.effective_revision(namespace)
        if effective == self.canary:
            return namespace.name in held
        return effective == self.old and namespace_follows(namespace.labels) is not None

    def _is_on_old(self, pod: Pod) -> bool:
        return pod.revision == self.old and not pod.is_over

    def live(self) -> dict[WorkloadRef, list[Pod]]:
        """Return the pods that stay, where they concern us, under their top owners."""
        inspected = self.inspected()
        staying = (
            pod
            for pod in self.inventory.pods
            if not pod.is_terminating and pod.namespace in inspected
        )
        return pods_by_workload(staying)

    def on_old(self) -> dict[WorkloadRef, list[Pod]]:
        """Return the owners of pods whose proxy is the old revision's, with those pods."""
        held = ((ref, list(filter(self._is_on_old, pods))) for ref, pods in self.live().items())
        return {ref: pods for ref, pods in held if pods}

    def restarted(self) -> list[Workload]:
        """Return the workloads that the plan gives new pods."""
        moving, live = self.moving(), self.live()
        return list(
            filter(partial(_is_restarted, moving=moving, live=live), self.inventory.workloads)
        )


def _is_restarted(
    workload: Workload, *, moving: frozenset[str], live: dict[WorkloadRef, list[Pod]]
) -> bool:
    return (
        workload.ref.namespace in moving
        and workload.ref.kind in MOVABLE
        and workload.ref in live
        and is_injectable(workload)
    )
