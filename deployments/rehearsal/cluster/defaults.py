"""What an object says when it leaves something out: the defaults that the API server writes into it."""

import base64
from collections.abc import Callable, Mapping
from typing import Final

from deployments.rehearsal.cluster.addresses import Addresses
from deployments.rehearsal.cluster.custom import complete_definition
from deployments.rehearsal.cluster.defaults_pods import complete_pod, complete_template
from deployments.rehearsal.cluster.defaults_services import complete_service
from deployments.rehearsal.cluster.objects import (
    Json,
    metadata_of,
    name_of,
    object_in,
    objects_in,
    spec_of,
    tidied,
    uid_of,
)
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import (
    CLUSTERROLEBINDINGS,
    CRDS,
    CRONJOBS,
    DAEMONSETS,
    DEPLOYMENTS,
    HPAS,
    JOBS,
    MUTATING_WEBHOOKS,
    NAMESPACES,
    PODS,
    REPLICASETS,
    ROLEBINDINGS,
    SECRETS,
    SERVICES,
    STATEFULSETS,
    VALIDATING_WEBHOOKS,
)

_NAME_LABEL: Final = "kubernetes.io/metadata.name"
_UID_LABEL: Final = "batch.kubernetes.io/controller-uid"
_JOB_LABEL: Final = "batch.kubernetes.io/job-name"
_RBAC: Final = "rbac.authorization.k8s.io"


class Defaults:
    """Completes objects."""

    def __init__(self) -> None:
        self._addresses = Addresses()

    def complete(self, resource: Resource, obj: Json, current: Json | None = None) -> Json:
        """Return a completed copy. Safe to repeat."""
        completed = tidied(obj)
        if resource == SERVICES:
            complete_service(completed, current, self._addresses)
        complete = _COMPLETE.get(resource)
        if complete is not None:
            complete(completed)
        return completed


def fill(target: Json, **values: object) -> None:
    """Set what is not there."""
    for name, value in values.items():
        target.setdefault(name, value)


def _namespace(obj: Json) -> None:
    if name_of(obj):
        metadata_of(obj).setdefault("labels", {})[_NAME_LABEL] = name_of(obj)
    if not metadata_of(obj).get("deletionTimestamp"):
        obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
        obj.setdefault("status", {}).setdefault("phase", "Active")


def _deployment(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, replicas=1, revisionHistoryLimit=10, progressDeadlineSeconds=600)
    strategy = spec.setdefault("strategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        fill(strategy.setdefault("rollingUpdate", {}), maxUnavailable="25%", maxSurge="25%")
    complete_template(spec)


def _replica_set(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, replicas=1)
    complete_template(spec)


def _stateful_set(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, replicas=1, podManagementPolicy="OrderedReady", revisionHistoryLimit=10)
    fill(
        spec,
        persistentVolumeClaimRetentionPolicy={"whenDeleted": "Retain", "whenScaled": "Retain"},
    )
    strategy = spec.setdefault("updateStrategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        fill(strategy.setdefault("rollingUpdate", {}), partition=0)
    complete_template(spec)


def _daemon_set(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, revisionHistoryLimit=10)
    strategy = spec.setdefault("updateStrategy", {})
    if strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
        fill(strategy.setdefault("rollingUpdate", {}), maxUnavailable=1, maxSurge=0)
    complete_template(spec)


def _job(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    _job_spec(spec)
    if spec.get("manualSelector") or not uid_of(obj):
        return
    labels = {_UID_LABEL: uid_of(obj), _JOB_LABEL: name_of(obj)}
    labels |= {"controller-uid": uid_of(obj), "job-name": name_of(obj)}
    template = spec.setdefault("template", {}).setdefault("metadata", {})
    template.setdefault("labels", {}).update(labels)
    spec.setdefault("selector", {"matchLabels": {_UID_LABEL: uid_of(obj)}})


def _job_spec(spec: Json) -> None:
    fill(spec, backoffLimit=6, completionMode="NonIndexed", suspend=False, manualSelector=False)
    fill(spec, podReplacementPolicy="TerminatingOrFailed")
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    fill(spec, parallelism=1)
    complete_template(spec)


def _cron_job(obj: Json) -> None:
    spec = obj.setdefault("spec", {})
    fill(spec, concurrencyPolicy="Allow", suspend=False)
    fill(spec, successfulJobsHistoryLimit=3, failedJobsHistoryLimit=1)
    complete_template(spec.setdefault("jobTemplate", {}).setdefault("spec", {}))


def _webhooks(obj: Json) -> None:
    for webhook in objects_in(obj, "webhooks"):
        fill(webhook, failurePolicy="Fail", matchPolicy="Equivalent", timeoutSeconds=10)
        fill(webhook, namespaceSelector={}, objectSelector={})
        if obj["kind"] == MUTATING_WEBHOOKS.kind:
            fill(webhook, reinvocationPolicy="Never")
        for rule in objects_in(webhook, "rules"):
            fill(rule, scope="*")
        client = object_in(webhook, "clientConfig")
        if "service" in client:
            fill(client["service"], port=443)


def _binding(obj: Json) -> None:
    fill(obj.setdefault("roleRef", {}), apiGroup=_RBAC)
    for subject in objects_in(obj, "subjects"):
        if subject.get("kind") in {"User", "Group"}:
            fill(subject, apiGroup=_RBAC)


def _autoscaler(obj: Json) -> None:
    fill(spec_of(obj), minReplicas=1)


def _secret(obj: Json) -> None:
    fill(obj, type="Opaque")
    for name, text in obj.pop("stringData", {}).items():
        obj.setdefault("data", {})[name] = base64.b64encode(text.encode()).decode()


_COMPLETE: Final[Mapping[Resource, Callable[[Json], None]]] = {
    CLUSTERROLEBINDINGS: _binding,
    CRDS: complete_definition,
    CRONJOBS: _cron_job,
    DAEMONSETS: _daemon_set,
    DEPLOYMENTS: _deployment,
    HPAS: _autoscaler,
    JOBS: _job,
    MUTATING_WEBHOOKS: _webhooks,
    NAMESPACES: _namespace,
    PODS: complete_pod,
    REPLICASETS: _replica_set,
    ROLEBINDINGS: _binding,
    SECRETS: _secret,
    STATEFULSETS: _stateful_set,
    VALIDATING_WEBHOOKS: _webhooks,
}
