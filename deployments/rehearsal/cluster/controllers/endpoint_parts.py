"""What of a pod a Service's endpoints show, and how endpoints are put into slices. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from deployments.rehearsal.cluster.controllers.owning import controller_reference
from deployments.rehearsal.cluster.controllers.pods import is_over, is_ready, node_of
from deployments.rehearsal.cluster.objects import (
    Json,
    is_terminating,
    labels_of,
    name_of,
    namespace_of,
    objects_in,
    ports_of,
    spec_of,
    status_of,
    uid_of,
)
from deployments.rehearsal.cluster.resources import SERVICES

SERVICE_NAME: Final = "kubernetes.io/service-name"
MANAGED_BY: Final = "endpointslice.kubernetes.io/managed-by"
CONTROLLER: Final = "endpointslice-controller.k8s.io"
_IN_ONE_SLICE: Final = 100
_IN_ENDPOINTS: Final = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """Pods that give a Service's ports the same numbers."""

    ports: tuple[tuple[str, int, str], ...]  # name, number, protocol
    pods: list[Json]


def matter(pod: Json) -> tuple[object, ...]:
    """Return what an endpoint shows of a pod."""
    status = status_of(pod)
    return (
        status.get("podIP"),
        is_ready(pod),
        is_terminating(pod),
        is_over(pod),
        labels_of(pod),
    )


def has_address(pod: Json) -> bool:
    return bool(status_of(pod).get("podIP")) and not is_over(pod)


def parts_of(service: Json, pods: Iterable[Json]) -> list[Part]:
    found: dict[tuple[tuple[str, int, str], ...], Part] = {}
    for pod in pods:
        ports = _numbers(service, pod)
        found.setdefault(ports, Part(ports, [])).pods.append(pod)
    return list(found.values())


def _numbers(service: Json, pod: Json) -> tuple[tuple[str, int, str], ...]:
    """Return the Service's ports as this pod numbers them; a name that it has not is left out."""
    named = _named_ports(pod)
    found: list[tuple[str, int, str]] = []
    for port in ports_of(spec_of(service)):
        target = port.get("targetPort") or port["port"]
        protocol = str(port.get("protocol", "TCP"))
        number = target if isinstance(target, int) else named.get((str(target), protocol))
        if number is not None:
            found.append((str(port.get("name", "")), number, protocol))
    return tuple(found)


def _named_ports(pod: Json) -> Mapping[tuple[str, str], int]:
    spec = spec_of(pod)
    sidecars = [
        one for one in objects_in(spec, "initContainers") if one.get("restartPolicy") == "Always"
    ]
    return {
        (port["name"], str(port.get("protocol", "TCP"))): int(port["containerPort"])
        for container in [*objects_in(spec, "containers"), *sidecars]
        for port in objects_in(container, "ports")
        if port.get("name")
    }


def slice_ports(service: Json, ports: Sequence[tuple[str, int, str]]) -> list[Json]:
    protocols = {one.get("name", ""): one.get("appProtocol") for one in ports_of(spec_of(service))}
    found: list[Json] = []
    for name, number, protocol in ports:
        port: Json = {"name": name, "port": number, "protocol": protocol}
        if protocols.get(name):
            port["appProtocol"] = protocols[name]
        found.append(port)
    return found


def endpoint(pod: Json, service: Json) -> Json:
    serving, terminating = is_ready(pod), is_terminating(pod)
    ready = serving and not terminating
    if spec_of(service).get("publishNotReadyAddresses"):
        ready = serving = True
    endpoint: Json = {
        "addresses": [status_of(pod)["podIP"]],
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "nodeName": node_of(pod),
        "targetRef": _reference_to(pod),
    }
    spec = spec_of(pod)
    if spec.get("hostname") and spec.get("subdomain") == name_of(service):
        endpoint["hostname"] = spec["hostname"]
    return endpoint


def _reference_to(pod: Json) -> Json:
    return {
        "kind": "Pod",
        "namespace": namespace_of(pod),
        "name": name_of(pod),
        "uid": uid_of(pod),
    }


def packed(endpoints: Sequence[Json]) -> Iterable[list[Json]]:
    if not endpoints:
        yield []
    for start in range(0, len(endpoints), _IN_ONE_SLICE):
        yield list(endpoints[start : start + _IN_ONE_SLICE])


def take_like(unused: list[Json], ports: list[Json], endpoints: list[Json]) -> Json | None:
    """Take the slice that needs the fewest changes out of those that are left."""
    if not unused:
        return None
    wanted = {one["targetRef"]["uid"] for one in endpoints}

    def likeness(one: Json) -> tuple[bool, int]:
        held = objects_in(one, "endpoints")
        shared = sum(each.get("targetRef", {}).get("uid") in wanted for each in held)
        return (one.get("ports") or []) == ports, shared

    best = max(unused, key=likeness)
    unused.remove(best)
    return best


def new_slice(service: Json) -> Json:
    name = name_of(service)
    labels = labels_of(service) | {SERVICE_NAME: name, MANAGED_BY: CONTROLLER}
    if spec_of(service).get("clusterIP") == "None":
        labels["service.kubernetes.io/headless"] = ""
    owner = controller_reference(SERVICES, service)
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "generateName": f"{name}-",
            "namespace": namespace_of(service),
            "labels": labels,
            "ownerReferences": [owner],
        },
        "addressType": "IPv4",
    }


def subset(part: Part) -> Json | None:
    ready = [_address(pod) for pod in part.pods if is_ready(pod) and not is_terminating(pod)]
    others = [_address(pod) for pod in part.pods if not is_ready(pod) and not is_terminating(pod)]
    if not ready and not others:
        return None
    subset: Json = {}
    if ready:
        subset["addresses"] = ready[:_IN_ENDPOINTS]
    if others:
        subset["notReadyAddresses"] = others[:_IN_ENDPOINTS]
    subset["ports"] = [
        ({"name": name} if name else {}) | {"port": number, "protocol": protocol}
        for name, number, protocol in part.ports
    ]
    return subset


def _address(pod: Json) -> Json:
    return {
        "ip": status_of(pod)["podIP"],
        "nodeName": node_of(pod),
        "targetRef": _reference_to(pod),
    }
