"""What a pod, or the template of one, says when it leaves something out."""

from typing import Any, Final

from deployments.rehearsal.cluster.objects import Json, object_in, objects_in

_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")
_MODE: Final = 420
_OUTAGES: Final = ("not-ready", "unreachable")
_TOLERATED: Final = 300


def complete_pod(obj: Json) -> None:
    """Complete a pod, with what admission adds to each."""
    spec = obj.setdefault("spec", {})
    complete_pod_spec(spec)
    spec.setdefault("serviceAccountName", "default")
    spec.setdefault("serviceAccount", spec["serviceAccountName"])
    spec.setdefault("enableServiceLinks", True)
    spec.setdefault("priority", 0)
    spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    _tolerate_outages(spec)
    obj.setdefault("status", {"phase": "Pending", "qosClass": _quality(spec)})


def complete_template(spec: Json) -> None:
    """Complete the template in the spec of a workload."""
    template = spec.get("template")
    if template is not None:
        complete_pod_spec(template.setdefault("spec", {}))


def complete_pod_spec(spec: Json) -> None:
    """Complete a pod's spec, wherever it stands."""
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("securityContext", {})
    spec.setdefault("schedulerName", "default-scheduler")
    if spec.get("serviceAccountName"):
        spec.setdefault("serviceAccount", spec["serviceAccountName"])
    for kind in _CONTAINERS:
        for container in objects_in(spec, kind):
            _complete_container(container)
    for volume in objects_in(spec, "volumes"):
        _complete_volume(volume)


def _complete_container(container: Json) -> None:
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    container.setdefault("imagePullPolicy", _pull_policy(str(container.get("image", ""))))
    for port in objects_in(container, "ports"):
        port.setdefault("protocol", "TCP")
    for name in _PROBES:
        if name in container:
            _complete_probe(container[name])
    for variable in objects_in(container, "env"):
        source = object_in(variable, "valueFrom")
        if "fieldRef" in source:
            source["fieldRef"].setdefault("apiVersion", "v1")


def _pull_policy(image: str) -> str:
    _, _, name = image.rpartition("/")
    if "@" in name:
        return "IfNotPresent"
    _, _, tag = name.partition(":")
    return "Always" if tag in {"", "latest"} else "IfNotPresent"


def _complete_probe(probe: Json) -> None:
    defaults = {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1}
    for name, value in (defaults | {"failureThreshold": 3}).items():
        probe.setdefault(name, value)
    if "httpGet" in probe:
        probe["httpGet"].setdefault("path", "/")
        probe["httpGet"].setdefault("scheme", "HTTP")


def _complete_volume(volume: Json) -> None:
    if set(volume) == {"name"}:
        volume["emptyDir"] = {}
    for kind in ("configMap", "secret", "projected", "downwardAPI"):
        if kind in volume:
            volume[kind].setdefault("defaultMode", _MODE)
    sources: Any = volume.get("projected", {}).get("sources") or []
    for source in sources:
        if "serviceAccountToken" in source:
            source["serviceAccountToken"].setdefault("expirationSeconds", 3600)


def _tolerate_outages(spec: Json) -> None:
    tolerations = spec.setdefault("tolerations", [])
    for outage in _OUTAGES:
        key = f"node.kubernetes.io/{outage}"
        if not any(one.get("key", key) == key for one in tolerations):
            tolerations.append(
                {
                    "key": key,
                    "operator": "Exists",
                    "effect": "NoExecute",
                    "tolerationSeconds": _TOLERATED,
                }
            )


def _quality(spec: Json) -> str:
    """Return the pod's quality of service class."""
    resources = [
        object_in(one, "resources") for kind in _CONTAINERS[:2] for one in objects_in(spec, kind)
    ]
    if not any(one.get("requests") or one.get("limits") for one in resources):
        return "BestEffort"
    return "Guaranteed" if all(_is_fixed(one) for one in resources) else "Burstable"


def _is_fixed(resources: Json) -> bool:
    limits = object_in(resources, "limits")
    requests = limits | object_in(resources, "requests")
    return {"cpu", "memory"} <= limits.keys() and requests == limits
