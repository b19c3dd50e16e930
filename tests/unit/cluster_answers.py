"""Answers of an API server, in the shapes that a real one was seen to give."""

from collections.abc import Mapping
from typing import Any

from tasks.adapters.cluster import KubernetesCluster
from tasks.domain.inventory import Inventory
from tests.unit.scripted_server import Asked, Reply, connected, json, listed, refused, serving

Object = dict[str, Any]
NO_SUCH = refused(404, "NotFound", "the server could not find the requested resource")


def meta(name: str, namespace: str = "shop", **more: object) -> Object:
    return {
        "name": name,
        "namespace": namespace,
        "uid": f"uid-{name}",
        "resourceVersion": "7",
        **more,
    }


def owned_by(kind: str, name: str, version: str = "apps/v1") -> list[Object]:
    return [{"kind": kind, "name": name, "apiVersion": version, "uid": "u", "controller": True}]


READY: Object = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}


def pod(
    name: str = "p",
    *,
    namespace: str = "shop",
    spec: Object | None = None,
    status: Object | None = None,
    **more: object,
) -> Object:
    return {
        "metadata": meta(name, namespace, **more),
        "spec": spec or {},
        "status": READY if status is None else status,
    }


PROXY: Object = {
    "containers": [{"name": "app", "image": "app:1"}],
    "initContainers": [{"name": "istio-proxy", "restartPolicy": "Always"}],
}
INJECTED = '{"revision":"1-28-3","initContainers":["istio-init","istio-proxy"],"containers":null}'


class Answers:
    """An API server that knows some lists and objects; other lists are unknown kinds."""

    def __init__(self, lists: Mapping[str, list[Object]], others: Mapping[str, Reply]) -> None:
        self.lists = lists
        self.others = others

    def __call__(self, asked: Asked) -> Reply:
        if asked.path in self.others:
            return self.others[asked.path]
        if asked.path == "/version":
            return json(
                {"gitVersion": "v1.34.4"}, headers={"Date": "Tue, 24 Nov 2026 10:00:05 GMT"}
            )
        if asked.path in self.lists:
            return listed(*self.lists[asked.path])
        return NO_SUCH


def read(lists: Mapping[str, list[Object]], others: Mapping[str, Reply] | None = None) -> Inventory:
    with serving(Answers(lists, others or {})) as server, connected(server.url) as api:
        return KubernetesCluster(api).read()


SYSTEM = "istio-system"


def istiod(revision: str | None, image: str = "docker.io/istio/pilot:1.28.3") -> Object:
    labels = {"app": "istiod"} | ({"istio.io/rev": revision} if revision else {})
    name = f"istiod-{revision}" if revision else "istiod"
    template = {"spec": {"containers": [{"name": "discovery", "image": image}]}}
    return {
        "metadata": meta(name, SYSTEM, labels=labels),
        "spec": {"replicas": 1, "template": template},
        "status": {"readyReplicas": 1},
    }


def webhook(name: str, service: str, **labels: str) -> Object:
    named = {key.replace("__", "/").replace("_", "."): value for key, value in labels.items()}
    entry: Object = {
        "name": "w",
        "clientConfig": {"service": {"namespace": SYSTEM, "name": service}, "caBundle": "Q0E="},
    }
    return {
        "metadata": {"name": name, "labels": named, "resourceVersion": "5"},
        "webhooks": [entry],
    }


MUTATING = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
VALIDATING = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
SLICES = f"/apis/discovery.k8s.io/v1/namespaces/{SYSTEM}/endpointslices"
CONFIG = f"/api/v1/namespaces/{SYSTEM}/configmaps"


def discovered() -> dict[str, Reply]:
    network = {
        "name": "networking.istio.io",
        "preferredVersion": {"groupVersion": "networking.istio.io/v1"},
    }
    other = {"name": "example.com", "preferredVersion": {"groupVersion": "example.com/v1"}}
    return {
        "/apis": json({"groups": [network, other]}),
        "/apis/networking.istio.io/v1": json(
            {
                "resources": [
                    {"name": "sidecars", "kind": "Sidecar", "verbs": ["get", "list"]},
                    {"name": "sidecars/status", "kind": "Sidecar", "verbs": ["get"]},
                    {"name": "gateways", "kind": "Gateway", "verbs": ["get", "list"]},
                ]
            }
        ),
    }
