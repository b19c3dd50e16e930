"""What a pod's marks say: whose it is, its proxy, why it does not run. Makes no requests."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from tasks.adapters.cluster_objects import ContainerStatus, OwnerReference, PodObject
from tasks.domain.inventory import IstiodPod, Kind, Pod, WorkloadRef
from tasks.domain.revision import DEFAULT, REVISION_LABEL

_PROXY: Final = "istio-proxy"
_UNKNOWN: Final = "unknown"
_GATEWAY_LABELS: Final = ("gateway.networking.k8s.io/gateway-name", "gateway.istio.io/managed")
# The group counts: others have a StatefulSet or a Job of their own.
_KINDS: Final[Mapping[tuple[str, str], Kind]] = {
    ("apps", "Deployment"): Kind.DEPLOYMENT,
    ("apps", "StatefulSet"): Kind.STATEFUL_SET,
    ("apps", "DaemonSet"): Kind.DAEMON_SET,
    ("apps", "ReplicaSet"): Kind.REPLICA_SET,
    ("argoproj.io", "Rollout"): Kind.ROLLOUT,
    ("batch", "Job"): Kind.JOB,
}
_STARTING: Final = frozenset({"ContainerCreating", "PodInitializing", ""})
_LONGEST: Final = 300


class _Injected(msgspec.Struct, frozen=True, rename="camel"):
    """The annotation that the injector leaves."""

    revision: str | None = None
    containers: tuple[str, ...] | None = None
    init_containers: tuple[str, ...] | None = None


_INJECTED: Final = msgspec.json.Decoder(_Injected)


def pod_of(found: PodObject, *, workload: WorkloadRef | None) -> Pod:
    """Return a pod in the domain's words."""
    meta = found.metadata
    revision = revision_of(found)
    return Pod(
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        labels=meta.labels_or_none,
        revision=revision,
        workload=workload,
        phase=found.status.phase,
        is_ready=is_ready(found),
        is_terminating=meta.deletion_timestamp is not None,
        is_host_network=found.spec.host_network,
        is_gateway=revision is not None and _is_gateway(found),
        failure=_failure(found),
    )


def revision_of(found: PodObject) -> str | None:
    """Return the revision of a pod's proxy: None without one, `unknown` if it does not say."""
    marks = found.metadata.annotations
    names = found.spec.container_names
    injected = _injected(marks.status if marks else None)
    listed = {*(injected.containers or ()), *(injected.init_containers or ())}
    # A template may carry a copied annotation: it counts only if something that it names is there.
    # And a proxy may go by another name: proxyless gRPC has an init container only.
    if _PROXY not in names and not listed & names:
        return None
    return injected.revision or (marks.revision if marks else None) or _UNKNOWN


def _injected(annotation: str | None) -> _Injected:
    try:
        return _INJECTED.decode(annotation or "{}")
    except (msgspec.DecodeError, UnicodeError):
        return _Injected()


def _is_gateway(found: PodObject) -> bool:
    labels = found.metadata.labels_or_none
    if any(label in labels for label in _GATEWAY_LABELS):
        return True
    marks = found.metadata.annotations
    templates = (marks.templates or "") if marks else ""
    return "gateway" in {one.strip() for one in templates.split(",")}


def is_ready(found: PodObject) -> bool:
    """Whether Kubernetes calls the pod Ready."""
    conditions = found.status.conditions or ()
    return any(one.type == "Ready" and one.status == "True" for one in conditions)


def _failure(found: PodObject) -> str | None:
    status = found.status
    for container in (*(status.init_container_statuses or ()), *(status.container_statuses or ())):
        if why := _waits_for(container):
            return why
    for condition in status.conditions or ():
        if condition.type == "PodScheduled" and condition.reason == "Unschedulable":
            return said(condition.reason, condition.message)
    return said(status.reason, status.message) if status.reason else None


def _waits_for(container: ContainerStatus) -> str | None:
    waiting = container.state.waiting
    if waiting is None or waiting.reason in _STARTING:
        return None
    return said(waiting.reason, waiting.message)


def said(reason: str, message: str) -> str:
    """Return `reason: message` on one line, short enough for a table."""
    line = " ".join(f"{reason}: {message}".split()) if message else reason
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def ref_of(namespace: str, owner: OwnerReference) -> WorkloadRef:
    """Return whom an owner reference names; controllers that we do not know are Kind.OTHER."""
    kind = _KINDS.get((owner.group, owner.kind), Kind.OTHER)
    return WorkloadRef(namespace=namespace, kind=kind, name=owner.name)


def own_ref(found: PodObject) -> WorkloadRef:
    """Return the reference by which a pod without a controller goes."""
    meta = found.metadata
    return WorkloadRef(namespace=meta.namespace, kind=Kind.POD, name=meta.name)


def istiod_of(found: PodObject) -> IstiodPod:
    """Return a pod of a control plane."""
    meta = found.metadata
    return IstiodPod(
        name=meta.name,
        namespace=meta.namespace,
        revision=meta.labels_or_none.get(REVISION_LABEL, DEFAULT),
        ready=is_ready(found) and meta.deletion_timestamp is None,
        started_at=_started_at(found),
    )


def _started_at(found: PodObject) -> datetime | None:
    for container in found.status.container_statuses or ():
        running = container.state.running
        if container.name == "discovery" and running and running.started_at:
            return datetime.fromisoformat(running.started_at)
    return None
