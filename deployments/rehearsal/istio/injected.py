"""
What a sidecar or gateway adds to a pod: containers, volumes, variables. Pure data.

The contents are those that others read: images, addresses, ports, probes, mounts.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.istio import names
from deployments.rehearsal.istio.settings import Settings

_STATUS_PORT: Final = 15020
_READY: Final = {"path": "/healthz/ready", "port": 15021}
_USER: Final = 1337
_POD_FIELDS: Final = (
    ("POD_NAME", "metadata.name"), ("POD_NAMESPACE", "metadata.namespace"),
    ("INSTANCE_IP", "status.podIP"), ("SERVICE_ACCOUNT", "spec.serviceAccountName"),
    ("HOST_IP", "status.hostIP"),
)  # fmt: skip
_LIMITS: Final = (("ISTIO_CPU_LIMIT", "limits.cpu"), ("GOMEMLIMIT", "limits.memory"),
                  ("GOMAXPROCS", "limits.cpu"))  # fmt: skip
_MOUNTS: Final = (
    ("workload-socket", "/var/run/secrets/workload-spiffe-uds"),
    ("credential-socket", "/var/run/secrets/credential-uds"),
    ("workload-certs", "/var/run/secrets/workload-spiffe-credentials"),
    ("istiod-ca-cert", "/var/run/secrets/istio"),
    ("istio-ca-crl", "/var/run/secrets/istio/crl"),
    ("istio-data", "/var/lib/istio/data"),
    ("istio-envoy", "/etc/istio/proxy"),
    ("istio-token", "/var/run/secrets/tokens"),
    ("istio-podinfo", "/etc/istio/pod"),
)
_REVOKED: Final = "istio-ca-crl"  # mounted by sidecars only


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What is injected into one pod, and by whom."""

    settings: Settings
    revision: str
    version: str
    namespace: str  # the pod's
    istio_namespace: str
    workload: str
    owner: str  # `kubernetes://apis/...`
    apps: tuple[str, ...]
    ports: str  # of the pod's containers, as JSON

    @property
    def address(self) -> str:
        service = names.named("istiod", self.revision)
        return f"{service}.{self.istio_namespace}.svc:15012"

    @property
    def image(self) -> str:
        return self.settings.proxy_image(self.version)

    def container_basics(self) -> Json:
        policy = self.settings.value("global.imagePullPolicy")
        return {"image": self.image} | ({"imagePullPolicy": policy} if policy else {})

    def resources(self) -> Json:
        found: Json = self.settings.value("global.proxy.resources") or {}
        return found


def init_container(recipe: Recipe) -> Json:
    """Return what redirects a pod's traffic to its sidecar."""
    return {
        "name": names.INIT,
        **recipe.container_basics(),
        "args": [
            "istio-iptables", "-p", "15001", "-z", "15006", "-u", str(_USER), "-m", "REDIRECT",
            "-i", "*", "-x", "", "-b", "*", "-d", f"15090,15021,{_STATUS_PORT}",
            "--log_output_level=default:info",
        ],
        "resources": recipe.resources(),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["NET_ADMIN", "NET_RAW"], "drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": False,
            "runAsGroup": 0,
            "runAsNonRoot": False,
            "runAsUser": 0,
        },
    }  # fmt: skip


def sidecar(recipe: Recipe, probers: Json) -> Json:
    """Return the proxy as an init container that stays."""
    drain = ["pilot-agent", "request", f"--debug-port={_STATUS_PORT}", "POST", "drain"]
    env = _environment(recipe)
    if probers:
        env.append({"name": "ISTIO_KUBE_APP_PROBERS", "value": json.dumps(probers)})
    return {
        **_proxy(recipe, "sidecar"),
        "env": env,
        "restartPolicy": "Always",
        "lifecycle": {"preStop": {"exec": {"command": drain}}},
        "resources": recipe.resources(),
        "startupProbe": {
            "failureThreshold": 600, "httpGet": _READY, "periodSeconds": 1, "timeoutSeconds": 3,
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
            "runAsGroup": _USER,
            "runAsNonRoot": True,
            "runAsUser": _USER,
        },
        "volumeMounts": _mounts(without=""),
    }  # fmt: skip


def gateway(recipe: Recipe) -> Json:
    """Return the proxy as the only container of a gateway."""
    return {
        **_proxy(recipe, "router"),
        "env": _environment(recipe),
        "securityContext": {"runAsGroup": _USER, "runAsUser": _USER},
        "volumeMounts": _mounts(without=_REVOKED),
    }


def volumes(*, is_gateway: bool) -> list[Json]:
    """Return a proxy's volumes, in the order in which its annotation names them."""
    fields = [
        {"fieldRef": {"fieldPath": f"metadata.{one}"}, "path": one}
        for one in ("labels", "annotations")
    ]
    token = {"audience": "istio-ca", "expirationSeconds": 43200, "path": "istio-token"}
    found: list[Json] = [
        {"name": "workload-socket", "emptyDir": {}},
        {"name": "credential-socket", "emptyDir": {}},
        {"name": "workload-certs", "emptyDir": {}},
        {"name": "istio-envoy", "emptyDir": {"medium": "Memory"}},
        {"name": "istio-data", "emptyDir": {}},
        {"name": "istio-podinfo", "downwardAPI": {"items": fields}},
        {"name": "istio-token", "projected": {"sources": [{"serviceAccountToken": token}]}},
        {"name": "istiod-ca-cert", "configMap": {"name": "istio-ca-root-cert"}},
    ]
    if not is_gateway:
        found.append({"name": _REVOKED, "configMap": {"name": _REVOKED, "optional": True}})
    return found


def _proxy(recipe: Recipe, role: str) -> Json:
    return {
        "name": names.PROXY,
        **recipe.container_basics(),
        "args": [
            "proxy", role, "--domain", "$(POD_NAMESPACE).svc.cluster.local",
            "--proxyLogLevel=warning", "--proxyComponentLogLevel=misc:error",
            "--log_output_level=default:info",
        ],
        "ports": [{"containerPort": 15090, "name": "http-envoy-prom", "protocol": "TCP"}],
        "readinessProbe": {
            "failureThreshold": 4, "httpGet": _READY, "periodSeconds": 15, "timeoutSeconds": 3,
        },
    }  # fmt: skip


def _environment(recipe: Recipe) -> list[Json]:
    def given(name: str, value: str) -> Json:
        return {"name": name, "value": value}

    def read(name: str, kind: str, **what: Any) -> Json:
        return {"name": name, "valueFrom": {kind: what}}

    cluster = recipe.settings.value("global.multiCluster.clusterName") or "Kubernetes"
    mesh_id = recipe.settings.value("global.meshID") or recipe.settings.trust_domain
    config = {"discoveryAddress": recipe.address}
    return [
        given("PILOT_CERT_PROVIDER", "istiod"),
        given("CA_ADDR", str(recipe.settings.value("global.caAddress") or recipe.address)),
        *(read(name, "fieldRef", fieldPath=path) for name, path in _POD_FIELDS),
        *(read(name, "resourceFieldRef", resource=limit) for name, limit in _LIMITS),
        given("PROXY_CONFIG", f"{json.dumps(config, separators=(',', ':'))}\n"),
        given("ISTIO_META_POD_PORTS", recipe.ports),
        given("ISTIO_META_APP_CONTAINERS", ",".join(recipe.apps)),
        given("ISTIO_META_CLUSTER_ID", cluster),
        read("ISTIO_META_NODE_NAME", "fieldRef", fieldPath="spec.nodeName"),
        given("ISTIO_META_INTERCEPTION_MODE", "REDIRECT"),
        given("ISTIO_META_WORKLOAD_NAME", recipe.workload),
        given("ISTIO_META_OWNER", recipe.owner),
        given("ISTIO_META_MESH_ID", mesh_id),
        given("TRUST_DOMAIN", recipe.settings.trust_domain),
    ]


def _mounts(*, without: str) -> list[Json]:
    return [{"name": name, "mountPath": path} for name, path in _MOUNTS if name != without]
