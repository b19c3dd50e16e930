"""
The workloads that the tests upgrade.

Every image is the node's own busybox. Pods answer on 8080 with `ok`; busybox ignores SIGTERM, so a
grace period of one second saves minutes wherever traffic is not what is tested.
"""

from collections.abc import Mapping

from tests.mesh.kubectl import Json

IMAGE = "docker.io/library/busybox:1"
PORT = 8080
_SERVE = "exec httpd -f -p 8080 -h /www"
# Istio's injector writes the resolved revision into this annotation, and the kubelet hands it to
# the container: so a pod can be well under one revision and never become ready under another.
_REVISION = {
    "name": "REVISION",
    "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['istio.io/rev']"}},
}


def namespace(name: str, labels: Mapping[str, str] | None = None) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": name, "labels": dict(labels or {})},
    }


def enabled(name: str) -> Json:
    """Return a namespace that follows the default revision."""
    return namespace(name, {"istio-injection": "enabled"})


def account(name: str, *, namespace: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": name, "namespace": namespace},
    }


def service(name: str, *, namespace: str) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": PORT}]},
    }


def _container(script: str, *, probed: bool = True) -> Json:
    container: Json = {
        "name": "web",
        "image": IMAGE,
        "imagePullPolicy": "Never",
        "command": ["sh", "-c", script],
        "env": [_REVISION],
        "resources": {"requests": {"cpu": "2m", "memory": "8Mi"}},
    }
    if probed:
        container["readinessProbe"] = {
            "httpGet": {"path": "/index.html", "port": PORT},
            "periodSeconds": 1,
        }
    return container


def pod_spec(script: str = _SERVE, *, probed: bool = True) -> Json:
    return {"terminationGracePeriodSeconds": 1, "containers": [_container(script, probed=probed)]}


def graceful_pod_spec() -> Json:
    """Return a pod that serves for five seconds after it was asked to end, then ends at once."""
    spec = pod_spec('httpd -f -p 8080 -h /www & trap "exit 0" TERM; wait')
    spec["terminationGracePeriodSeconds"] = 15
    spec["containers"][0]["lifecycle"] = {"preStop": {"exec": {"command": ["sleep", "5"]}}}
    return spec


def pod(name: str, *, namespace: str, labels: Mapping[str, str] | None = None) -> Json:
    """Return a bare pod: nobody makes it again when it is gone."""
    metadata = {"name": name, "namespace": namespace, "labels": {"app": name, **(labels or {})}}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod_spec()}


def workload(
    kind: str,
    name: str,
    *,
    namespace: str,
    replicas: int = 1,
    spec: Json | None = None,
    pod_labels: Mapping[str, str] | None = None,
    more: Json | None = None,
) -> Json:
    """Return a Deployment, StatefulSet or DaemonSet that loses no pod before it has a new one."""
    template = {
        "metadata": {"labels": {"app": name, **(pod_labels or {})}},
        "spec": spec or pod_spec(),
    }
    body: Json = {"selector": {"matchLabels": {"app": name}}, "template": template}
    if kind != "DaemonSet":
        body["replicas"] = replicas
    body |= _strategy(kind, name) | (more or {})
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": body}


def _strategy(kind: str, name: str) -> Json:
    if kind == "Deployment":
        return {"strategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}}
    if kind == "DaemonSet":
        return {"updateStrategy": {"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}}
    return {"serviceName": name}


def served(
    kind: str, name: str, *, namespace: str, replicas: int = 1, spec: Json | None = None
) -> list[Json]:
    """Return a workload and its Service."""
    return [
        service(name, namespace=namespace),
        workload(kind, name, namespace=namespace, replicas=replicas, spec=spec),
    ]


def sleep() -> list[Json]:
    """Return the seed's story: one enabled namespace with one Deployment of two pods."""
    deployment = workload("Deployment", "sleep", namespace="test-ns", replicas=2)
    deployment["spec"]["template"]["spec"]["serviceAccountName"] = "sleep"
    return [
        enabled("test-ns"),
        account("sleep", namespace="test-ns"),
        service("sleep", namespace="test-ns"),
        deployment,
    ]


def strict(namespace: str) -> Json:
    """Return what lets nobody into a namespace who does not speak Istio's mutual TLS."""
    return {
        "apiVersion": "security.istio.io/v1",
        "kind": "PeerAuthentication",
        "metadata": {"name": "strict", "namespace": namespace},
        "spec": {"mtls": {"mode": "STRICT"}},
    }


def client(namespace: str) -> Json:
    """Return a Deployment of one pod that waits to be asked to ask."""
    return workload(
        "Deployment",
        "client",
        namespace=namespace,
        spec=pod_spec("exec sleep 100000", probed=False),
    )


def works_only_on(revision: str) -> Json:
    """Return a pod that serves under one revision, and never becomes ready under any other."""
    return pod_spec(f'if [ "$REVISION" = {revision} ]; then {_SERVE}; fi; exec sleep 100000')


def never_ready() -> Json:
    """Return a pod that is never ready, whoever injects it."""
    return pod_spec("exec sleep 100000")


def asking(name: str, address: str, *, namespace: str, every: float) -> Json:
    """Return a pod that asks an address for ever and keeps count: answered, lost, and when."""
    script = (
        "ok=0; lost=0; while true; do "
        f"if timeout 5 wget -q -O /dev/null {address} 2>/tmp/why; then ok=$((ok+1)); "
        'else lost=$((lost+1)); echo "$(date +%T) $(cat /tmp/why)" >>/tmp/losses; fi; '
        f'echo "$ok $lost" >/tmp/next; mv /tmp/next /tmp/count; sleep {every}; done'
    )
    spec = pod_spec(script, probed=False)
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def gateway(name: str, *, namespace: str) -> Json:
    """Return an injected gateway: nothing but a proxy that the default revision fills in."""
    deployment = workload(
        "Deployment", name, namespace=namespace, pod_labels={"sidecar.istio.io/inject": "true"}
    )
    template = deployment["spec"]["template"]
    template["metadata"]["annotations"] = {"inject.istio.io/templates": "gateway"}
    template["spec"] = {
        "containers": [{"name": "istio-proxy", "image": "auto", "imagePullPolicy": "Never"}]
    }
    return deployment


def quota(namespace: str, *, pods: int) -> Json:
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "few", "namespace": namespace},
        "spec": {"hard": {"pods": str(pods)}},
    }


def rejected_by_envoy(namespace: str, *, revision: str) -> Json:
    """Return an EnvoyFilter that one revision hands out, and that no Envoy takes."""
    patch = {"operation": "MERGE", "value": {"connect_timeout": "-5s"}}
    return {
        "apiVersion": "networking.istio.io/v1alpha3",
        "kind": "EnvoyFilter",
        "metadata": {
            "name": "impossible",
            "namespace": namespace,
            "labels": {"istio.io/rev": revision},
        },
        "spec": {
            "configPatches": [
                {"applyTo": "CLUSTER", "match": {"context": "SIDECAR_OUTBOUND"}, "patch": patch}
            ]
        },
    }


def job(name: str, *, namespace: str) -> Json:
    """Return a Job that does not end by itself."""
    spec = pod_spec("exec sleep 100000", probed=False) | {"restartPolicy": "Never"}
    template = {"metadata": {"labels": {"app": name}}, "spec": spec}
    metadata = {"name": name, "namespace": namespace}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {"template": template},
    }
