"""Somebody who may do less than everything, with a kubeconfig of their own."""

import json
from pathlib import Path

import yaml

from tests.mesh import judge, manifests
from tests.mesh.kubectl import Json, Kubectl

_EVERYTHING = ["*"]
# Every group but the core one: there a star would take in pods/portforward as well.
_GROUPS = [
    "apps",
    "batch",
    "autoscaling",
    "policy",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "rbac.authorization.k8s.io",
    "authorization.k8s.io",
    "authentication.k8s.io",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "networking.k8s.io",
    "events.k8s.io",
    "argoproj.io",
    "gateway.networking.k8s.io",
    "gateway.networking.x-k8s.io",
    "inference.networking.k8s.io",
    "multicluster.x-k8s.io",
    "install.istio.io",
    "networking.istio.io",
    "security.istio.io",
    "telemetry.istio.io",
    "extensions.istio.io",
]
_CORE = [
    "configmaps",
    "endpoints",
    "events",
    "limitranges",
    "namespaces",
    "namespaces/status",
    "nodes",
    "persistentvolumeclaims",
    "pods",
    "pods/eviction",
    "pods/exec",
    "pods/log",
    "replicationcontrollers",
    "resourcequotas",
    "secrets",
    "serviceaccounts",
    "serviceaccounts/token",
    "services",
    "services/status",
]


def _rule(groups: list[str], resources: list[str], verbs: list[str]) -> Json:
    return {"apiGroups": groups, "resources": resources, "verbs": verbs}


def role(*, port_forward: bool) -> Json:
    """Return a ClusterRole for nearly everything."""
    rules = [_rule([""], _CORE, _EVERYTHING), _rule(_GROUPS, _EVERYTHING, _EVERYTHING)]
    rules.append({"nonResourceURLs": _EVERYTHING, "verbs": _EVERYTHING})
    if port_forward:
        rules.append(_rule([""], ["pods/portforward"], _EVERYTHING))
    return _cluster_wide("ClusterRole", {"rules": rules})


def reading() -> Json:
    """Return a ClusterRole that may look at everything and change nothing."""
    rules = [_rule(_EVERYTHING, _EVERYTHING, ["get", "list", "watch"])]
    rules.append(_rule(["authorization.k8s.io", "authentication.k8s.io"], _EVERYTHING, ["create"]))
    return _cluster_wide("ClusterRole", {"rules": rules})


def _cluster_wide(kind: str, more: Json) -> Json:
    metadata = {"name": "mesh-test", "labels": {"mesh-test": "true"}}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": metadata,
        **more,
    }


def kubeconfig(kubectl: Kubectl, file: Path, granted: Json) -> Kubectl:
    """Return kubectl for a new ServiceAccount that has the rights of one ClusterRole."""
    subject = {"kind": "ServiceAccount", "name": "somebody", "namespace": "people"}
    reference = {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "mesh-test",
    }
    binding = _cluster_wide("ClusterRoleBinding", {"roleRef": reference, "subjects": [subject]})
    kubectl.apply(
        manifests.namespace("people"),
        manifests.account("somebody", namespace="people"),
        granted,
        binding,
    )
    return as_account(kubectl, file, "somebody", namespace="people")


def gatekeeper(kubectl: Kubectl, file: Path) -> Kubectl:
    """Return kubectl for the gatekeeper, with the rights that its own manifest gives it."""
    manifest = Path(__file__).parents[2] / "deployments/gatekeeper/rbac.yaml"
    kubectl.apply(*yaml.safe_load_all(manifest.read_text()))
    return as_account(kubectl, file, "istio-canary-gatekeeper", namespace=judge.SYSTEM)


def as_account(kubectl: Kubectl, file: Path, account: str, *, namespace: str) -> Kubectl:
    """Return kubectl for a ServiceAccount that is there."""
    token = kubectl("create", "token", account, "-n", namespace, "--duration=1h").strip()
    mine: Json = json.loads(kubectl("config", "view", "--raw", "--minify", "-o", "json"))
    context = {"cluster": mine["clusters"][0]["name"], "user": account}
    theirs = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": mine["clusters"],
        "users": [{"name": account, "user": {"token": token}}],
        "contexts": [{"name": account, "context": context}],
        "current-context": account,
    }
    file.write_text(json.dumps(theirs))
    file.chmod(0o600)
    return Kubectl(kubeconfig=file)


def impostor(revision: str) -> Json:
    """Return a pod that says it is an istiod of this revision, and answers nothing."""
    labels = {"app": "istiod", "istio.io/rev": revision, "sidecar.istio.io/inject": "false"}
    silent = manifests.pod("istiod-silent", namespace=judge.SYSTEM, labels=labels)
    silent["spec"] = manifests.pod_spec("exec sleep 100000", probed=False)
    return silent


def may_port_forward(theirs: Kubectl) -> bool:
    """Ask the API server whether somebody may still reach an istiod."""
    asked = ("get", "pods", "--subresource=portforward", "-n", judge.SYSTEM)
    return theirs.attempt("auth", "can-i", *asked).out.strip() == "yes"
