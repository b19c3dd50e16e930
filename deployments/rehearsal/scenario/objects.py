"""The Kubernetes objects that a scenario means."""

import math
from collections.abc import Iterator
from typing import Final

from deployments.rehearsal.scenario.values import Json, Kind, Namespace, Scenario, Workload

_PORT: Final = 8080
_IMAGE: Final = "rehearsal/app:1"
_KINDS: Final = {
    Kind.DEPLOYMENT: "Deployment",
    Kind.STATEFUL_SET: "StatefulSet",
    Kind.DAEMON_SET: "DaemonSet",
}
_GRACE: Final = 2


def objects_of(scenario: Scenario) -> Iterator[Json]:
    """Yield a scenario's objects in the order in which they can be made."""
    for space in scenario.namespaces:
        yield _object("v1", "Namespace", space.name, labels=dict(space.labels))
    for space in scenario.namespaces:
        for one in space.workloads:
            yield from _workload(space, one)
    yield from scenario.objects


def paused_of(scenario: Scenario) -> Iterator[tuple[str, str]]:
    """Yield namespace and name of each Deployment to pause once its pods are there."""
    for space in scenario.namespaces:
        yield from ((space.name, one.name) for one in space.workloads if one.is_paused)


def _workload(space: Namespace, one: Workload) -> Iterator[Json]:
    if one.kind is Kind.POD:
        yield {**_object("v1", "Pod", one.name, space.name, labels=_labels(one)), "spec": _pod(one)}
        return
    if one.kind is Kind.JOB:
        yield {**_object("batch/v1", "Job", one.name, space.name), "spec": _job(one)}
        return
    service: Json = {"selector": {"app": one.name}, "ports": [{"name": "http", "port": _PORT}]}
    yield {**_object("v1", "Service", one.name, space.name), "spec": service}
    yield {**_object("apps/v1", _KINDS[one.kind], one.name, space.name), "spec": _spec(one)}
    if one.min_available is not None:
        budget = {"minAvailable": one.min_available, "selector": _selector(one)}
        yield {
            **_object("policy/v1", "PodDisruptionBudget", one.name, space.name),
            "spec": budget,
        }


def _object(
    version: str,
    kind: str,
    name: str,
    namespace: str = "",
    *,
    labels: Json | None = None,
) -> Json:
    metadata: Json = {"name": name}
    metadata |= {"namespace": namespace} if namespace else {}
    metadata |= {"labels": labels} if labels else {}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def _selector(one: Workload) -> Json:
    return {"matchLabels": {"app": one.name}}


def _labels(one: Workload) -> Json:
    gateway = {"sidecar.istio.io/inject": "true"} if one.is_gateway else {}
    return {"app": one.name, **gateway, **one.labels}


def _template(one: Workload) -> Json:
    gateway = {"inject.istio.io/templates": "gateway"} if one.is_gateway else {}
    metadata: Json = {"labels": _labels(one)}
    if gateway or one.annotations:
        metadata["annotations"] = {**gateway, **one.annotations}
    return {"metadata": metadata, "spec": _pod(one)}


def _spec(one: Workload) -> Json:
    spec: Json = {"selector": _selector(one), "template": _template(one)}
    if one.kind is Kind.DEPLOYMENT:
        spec |= {"replicas": one.replicas, "strategy": _deployed(one)}
    elif one.kind is Kind.STATEFUL_SET:
        spec |= {"replicas": one.replicas, "serviceName": one.name, "updateStrategy": _ordered(one)}
    else:
        spec["updateStrategy"] = {"type": one.strategy or "RollingUpdate"}
    return spec


def _deployed(one: Workload) -> Json:
    if one.strategy == "Recreate":
        return {"type": "Recreate"}
    return {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0}}


def _ordered(one: Workload) -> Json:
    if one.strategy == "OnDelete":
        return {"type": "OnDelete"}
    return {"type": "RollingUpdate", "rollingUpdate": {"partition": one.partition}}


def _job(one: Workload) -> Json:
    template = _template(one)
    template["spec"] |= {"restartPolicy": "Never"}
    template["spec"]["containers"][0]["command"] = ["sleep", "100000"]
    return {"template": template}


def _pod(one: Workload) -> Json:
    spec: Json = {"terminationGracePeriodSeconds": _GRACE}
    if one.is_gateway:
        return spec | {"containers": [{"name": "istio-proxy", "image": "auto"}]}
    probe: Json = {"httpGet": {"path": "/ready", "port": _PORT}, "periodSeconds": 1}
    if one.starts_in_seconds:
        probe["initialDelaySeconds"] = math.ceil(one.starts_in_seconds)  # whole ones alone
    container: Json = {"name": "app", "image": _IMAGE, "ports": [{"containerPort": _PORT}]}
    if one.kind is not Kind.JOB:
        container["readinessProbe"] = probe
    return spec | {"containers": [container]}
