"""
Answers AdmissionReviews for pods, as istiod's injector does.

Whether it is asked at all is decided by the webhooks' selectors, which the API server knows; here
only what the injector itself minds: host network, system namespaces, labels, annotations.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from deployments.rehearsal.cluster.objects import (
    Json,
    annotations_of,
    controller_of,
    labels_of,
    metadata_of,
    name_of,
    spec_of,
)
from deployments.rehearsal.istio import injected, names
from deployments.rehearsal.istio.injected import Recipe
from deployments.rehearsal.istio.reinjection import AUTO, named, stripped
from deployments.rehearsal.istio.settings import Settings

_GATEWAY: Final = "gateway"
_PROBES: Final = {"readinessProbe": "readyz", "livenessProbe": "livez", "startupProbe": "startupz"}
_PROBED_PORT: Final = 15020


@dataclass(frozen=True, slots=True, kw_only=True)
class Injector:
    """One istiod's: it injects its own revision, whatever tag led to it."""

    revision: str
    version: str
    namespace: str

    def is_wanted(self, pod: Json, namespace: str, settings: Settings) -> bool:
        """Say whether a pod that was sent here gets a sidecar."""
        if spec_of(pod).get("hostNetwork") or namespace in names.IGNORED_NAMESPACES:
            return False
        said = labels_of(pod).get(names.INJECT, annotations_of(pod).get(names.INJECT, ""))
        if said in {"true", "false"}:
            return said == "true"
        return str(settings.injection.get("policy", "enabled")) == "enabled"

    def injected(self, pod: Json, namespace: str, settings: Settings) -> Json:
        """Return the pod with its sidecar, or as the gateway that it asks to be."""
        bare = stripped(pod)
        recipe = self._recipe(bare, namespace, settings)
        is_gateway = _GATEWAY in annotations_of(pod).get(names.TEMPLATES, "").split(",")
        changed = _as_gateway(bare, recipe) if is_gateway else _with_sidecar(bare, recipe)
        added = injected.volumes(is_gateway=is_gateway)
        spec = changed["spec"]
        spec["volumes"] = [*added, *(spec.get("volumes") or [])]
        _mark(changed, recipe, is_gateway=is_gateway)
        return changed

    def _recipe(self, pod: Json, namespace: str, settings: Settings) -> Recipe:
        kind, api_version, workload = _workload(pod)
        containers: list[Json] = spec_of(pod).get("containers") or []
        ports = [port for one in containers for port in named(one, "ports")]
        path = f"namespaces/{namespace}/{kind.lower()}s/{workload}"
        return Recipe(
            settings=settings,
            revision=self.revision,
            version=self.version,
            namespace=namespace,
            istio_namespace=self.namespace,
            workload=workload,
            owner=f"kubernetes://apis/{api_version}/{path}",
            apps=tuple(str(one["name"]) for one in containers if one["name"] != names.PROXY),
            ports=json.dumps(ports, separators=(",", ":")),
        )


def response(uid: str, before: Json | None, after: Json | None) -> Json:
    """Return the AdmissionReview that answers; without an `after` the pod stays as it is."""
    answer: Json = {"uid": uid, "allowed": True}
    if before is not None and after is not None and (patch := list(_patch(before, after))):
        answer["patchType"] = "JSONPatch"
        answer["patch"] = base64.b64encode(json.dumps(patch).encode()).decode()
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}


def _patch(before: Json, after: Json) -> Iterable[Json]:
    for part in ("metadata", "spec"):
        old, new = cast("Json", before.get(part) or {}), cast("Json", after[part])
        if not old:
            yield {"op": "add", "path": f"/{part}", "value": new}
            continue
        for key, value in new.items():
            if old.get(key) != value:
                # On a member that is there already, `add` replaces it.
                yield {"op": "add", "path": f"/{part}/{key}", "value": value}


def _with_sidecar(pod: Json, recipe: Recipe) -> Json:
    spec = pod["spec"]
    probers = _rewritten_probes(spec.get("containers") or [])
    proxy = injected.sidecar(recipe, probers)
    own: list[Json] = []
    for one in named(spec, "initContainers"):
        if one["name"] == names.PROXY:
            proxy = _overridden(proxy, one)
        else:
            own.append(one)
    apps: list[Json] = []
    for one in named(spec, "containers"):
        if one["name"] == names.PROXY:
            proxy = _overridden(proxy, one)
        else:
            apps.append(one)
    spec["initContainers"] = [injected.init_container(recipe), proxy, *own]
    spec["containers"] = apps
    return pod


def _as_gateway(pod: Json, recipe: Recipe) -> Json:
    proxy = injected.gateway(recipe)
    spec = pod["spec"]
    found: list[Json] = spec.get("containers") or []
    if not any(one["name"] == names.PROXY for one in found):
        found = [{"name": names.PROXY}, *found]
    spec["containers"] = [
        _overridden(proxy, one) if one["name"] == names.PROXY else one for one in found
    ]
    sysctls = [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    spec["securityContext"] = {"sysctls": sysctls, **(spec.get("securityContext") or {})}
    return pod


def _overridden(proxy: Json, wish: Json) -> Json:
    """Return the proxy as its owner wants it: what the pod says of it counts."""
    given = {
        key: value
        for key, value in wish.items()
        if key != "env" and not (key == "image" and value == AUTO)
    }
    variables = {one["name"]: one for one in [*named(proxy, "env"), *named(wish, "env")]}
    return {**proxy, **given, "env": list(variables.values())}


def _mark(pod: Json, recipe: Recipe, *, is_gateway: bool) -> None:
    metadata = pod["metadata"]
    labels = cast("dict[str, str]", metadata.get("labels") or {})
    name = labels.get("app.kubernetes.io/name") or labels.get("app") or recipe.workload
    version = labels.get("app.kubernetes.io/version") or labels.get("version") or "latest"
    added = {
        "service.istio.io/canonical-name": name[:63].rstrip("-"),
        "service.istio.io/canonical-revision": version,
    }
    if not is_gateway:
        added["security.istio.io/tlsMode"] = "istio"
    metadata["labels"] = {**added, **labels}
    annotations = cast("dict[str, str]", metadata.get("annotations") or {})
    marks = {
        names.REVISION: recipe.revision or names.DEFAULT,
        **_scraped(recipe.settings, annotations),
        names.STATUS: _status(recipe, is_gateway=is_gateway),
    }
    if recipe.apps:
        for key in ("default-container", "default-logs-container"):
            annotations.setdefault(f"kubectl.kubernetes.io/{key}", recipe.apps[0])
    metadata["annotations"] = {**annotations, **marks}


def _scraped(settings: Settings, annotations: Mapping[str, str]) -> dict[str, str]:
    is_merged = settings.mesh.get("enablePrometheusMerge", True)
    if not is_merged or annotations.get("prometheus.istio.io/merge-metrics") == "false":
        return {}
    return {
        "prometheus.io/path": "/stats/prometheus",
        "prometheus.io/port": str(_PROBED_PORT),
        "prometheus.io/scrape": "true",
    }


def _status(recipe: Recipe, *, is_gateway: bool) -> str:
    added: Json = {
        "initContainers": None if is_gateway else [names.INIT, names.PROXY],
        "containers": [names.PROXY] if is_gateway else None,
        "volumes": [one["name"] for one in injected.volumes(is_gateway=is_gateway)],
        "imagePullSecrets": None,
        "revision": recipe.revision or names.DEFAULT,
    }
    return json.dumps(added, separators=(",", ":"))


def _rewritten_probes(containers: list[Json]) -> Json:
    """Point HTTP probes at the proxy, which asks the application; return whom it has to ask."""
    probers: Json = {}
    for one in containers:
        for kind, path in _PROBES.items():
            probe: Json | None = one.get(kind)
            if probe is None or "httpGet" not in probe or one["name"] == names.PROXY:
                continue
            asked = f"/app-health/{one['name']}/{path}"
            probers[asked] = {"httpGet": probe["httpGet"]}
            one[kind] = {**probe, "httpGet": {"path": asked, "port": _PROBED_PORT}}
    return probers


def _workload(pod: Json) -> tuple[str, str, str]:
    """Return kind, apiVersion and name of what a pod belongs to; of itself if to nothing."""
    owner = controller_of(pod)
    if owner is None:
        name = name_of(pod) or str(metadata_of(pod).get("generateName", "")).rstrip("-")
        return "Pod", "v1", name
    name = str(owner["name"])
    stem, _, hashed = name.rpartition("-")
    if owner["kind"] == "ReplicaSet" and labels_of(pod).get("pod-template-hash") == hashed:
        return "Deployment", "apps/v1", stem
    return str(owner["kind"]), str(owner["apiVersion"]), name
