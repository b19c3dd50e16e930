"""The nodes that pods run on: always ready, and with room for everything."""

from collections.abc import Iterable
from typing import Final

from deployments.rehearsal.cluster.objects import Json, now_rfc3339
from deployments.rehearsal.cluster.resources import NODES
from deployments.rehearsal.cluster.verbs import Server

NODE: Final = "rehearsal-1"
VERSION: Final = "v1.34.4"
_ROOM: Final = {
    "cpu": "1000",
    "ephemeral-storage": "4096Gi",
    "memory": "4096Gi",
    "pods": "100000",
}


async def add_nodes(server: Server, names: Iterable[str] = (NODE,)) -> None:
    """Add nodes of these names to the cluster."""
    for number, name in enumerate(names, len(server.store.list(NODES)) + 1):
        made = await server.create(NODES, _node(name))
        status = _status(name, f"10.0.{number // 250}.{number % 250}")
        await server.update(NODES, made | {"status": status}, subresource="status")


def _node(name: str) -> Json:
    labels = {
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {},
    }


def _status(name: str, address: str) -> Json:
    now = now_rfc3339()
    ready: Json = {
        "type": "Ready",
        "status": "True",
        "reason": "KubeletReady",
        "message": "kubelet is posting ready status",
        "lastHeartbeatTime": now,
        "lastTransitionTime": now,
    }
    return {
        "capacity": _ROOM,
        "allocatable": _ROOM,
        "conditions": [ready],
        "addresses": [
            {"type": "InternalIP", "address": address},
            {"type": "Hostname", "address": name},
        ],
        "nodeInfo": _INFO,
    }


_INFO: Final = {
    "architecture": "amd64",
    "bootID": "",
    "containerRuntimeVersion": "rehearsal://1",
    "kernelVersion": "",
    "kubeProxyVersion": "",
    "kubeletVersion": VERSION,
    "machineID": "",
    "operatingSystem": "linux",
    "osImage": "rehearsal",
    "systemUUID": "",
}
