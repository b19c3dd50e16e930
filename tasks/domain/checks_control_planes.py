"""The control planes: the old one's health, others beside it, and what an install shares."""

from collections.abc import Iterator

from tasks.domain.checks_situation import Situation
from tasks.domain.checks_wording import blocks, informs
from tasks.domain.findings import Finding
from tasks.domain.inventory import ControlPlane
from tasks.domain.revision import DEFAULT


def control_plane_findings(situation: Situation) -> Iterator[Finding]:
    """Look at each control plane, and at what they have in common."""
    plane = situation.old_plane
    if plane is not None and not plane.is_healthy:
        yield _unhealthy(plane)
    yield from _others(situation)
    yield from _left_over(situation)


def _unhealthy(plane: ControlPlane) -> Finding:
    endpoints = "an unknown number of" if plane.ready_endpoints is None else plane.ready_endpoints
    return blocks(
        "control-plane-unhealthy",
        f"revision/{plane.revision}",
        fact=(
            f"Of revision {plane.revision} {plane.ready_replicas} of {plane.replicas} istiods are "
            "ready, and Service "
            f"{plane.service} has {endpoints} ready endpoints; while it is not healthy there is "
            "no way back to it."
        ),
        todo=(
            f"Repair it first: kubectl -n {plane.namespace} describe deployment {plane.deployment}."
        ),
    )


def _others(situation: Situation) -> Iterator[Finding]:
    for plane in situation.inventory.control_planes:
        if plane.revision not in {situation.old, situation.canary}:
            yield informs(
                "other-revision",
                f"revision/{plane.revision}",
                fact=(
                    f"Revision {plane.revision} ({plane.version or 'unknown version'}) is there "
                    "too, and is left as it is."
                ),
                todo=f"Nothing now; to replace it as well, run again with --from {plane.revision}.",
            )


def _left_over(situation: Situation) -> Iterator[Finding]:
    yield informs(
        "shared-objects",
        "cluster",
        fact=(
            f"Installing {situation.target} moves Istio's CustomResourceDefinitions and "
            "ServiceAccount "
            "istio-reader-service-account forward for every revision, and a rollback does not "
            "bring them back."
        ),
        todo="Nothing; keep the old istioctl, should you want to put them back by hand.",
    )
    if situation.old == DEFAULT:
        return
    yield informs(
        "left-over-leases",
        f"revision/{situation.old}",
        fact="An uninstall leaves the two leader election Leases of its revision behind.",
        todo="Nothing; the run deletes them afterwards.",
    )
