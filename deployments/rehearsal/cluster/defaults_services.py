"""What a Service says when it leaves something out, its addresses among it."""

from typing import Final

from deployments.rehearsal.cluster.addresses import Addresses
from deployments.rehearsal.cluster.objects import Json, ports_of, spec_of

_NODE_PORTS: Final = frozenset({"NodePort", "LoadBalancer"})
_ALLOCATED: Final = ("clusterIP", "clusterIPs", "healthCheckNodePort")


def complete_service(obj: Json, current: Json | None, addresses: Addresses) -> None:
    """Complete a Service; what it has been given stays with it."""
    spec = obj.setdefault("spec", {})
    kind = spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    for port in ports_of(spec):
        port.setdefault("protocol", "TCP")
        port.setdefault("targetPort", port.get("port"))
    if kind == "ExternalName":
        return
    spec.setdefault("internalTrafficPolicy", "Cluster")
    spec.setdefault("ipFamilies", ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "SingleStack")
    before = spec_of(current) if current is not None else {}
    for field in _ALLOCATED:
        if field in before:
            spec.setdefault(field, before[field])
    if not spec.get("clusterIP"):
        spec["clusterIP"] = addresses.cluster_ip()
    spec.setdefault("clusterIPs", [spec["clusterIP"]])
    if kind in _NODE_PORTS:
        _complete_node_ports(spec, before, addresses)
    obj.setdefault("status", {"loadBalancer": {}})


def _complete_node_ports(spec: Json, before: Json, addresses: Addresses) -> None:
    spec.setdefault("externalTrafficPolicy", "Cluster")
    if spec["type"] == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    known = {one["port"]: one.get("nodePort") for one in before.get("ports") or ()}
    for port in ports_of(spec):
        if not port.get("nodePort"):
            port["nodePort"] = known.get(port.get("port")) or addresses.node_port()
