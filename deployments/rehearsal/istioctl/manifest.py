"""
The objects of an install: the recorded ones, as the configuration changes them.

Only what people set in a canary upgrade is understood: revision, namespace, images, resources,
environment, replicas and autoscaling, mesh configuration, tags. Other values are kept in the
ConfigMaps, and change nothing else.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

import yaml

from deployments.rehearsal.istioctl import tag_objects, trees
from deployments.rehearsal.istioctl.configuration import Configuration
from deployments.rehearsal.istioctl.descriptions import USUAL_NAMESPACE, Described, Description

Json = dict[str, Any]

PILOT: Final = "Pilot"
_SWITCHES: Final = {"Base": "base", PILOT: "pilot", "IngressGateways": "ingressGateways"}
_EARLY: Final = {
    "CustomResourceDefinition": -1000,
    "ServiceAccount": 1,
    "ClusterRole": 1,
    "ClusterRoleBinding": 2,
    "ValidatingWebhookConfiguration": 3,
    "ConfigMap": 100,
    "HorizontalPodAutoscaler": 1001,
    "Service": 10000,
}
_OTHERS: Final = 1000
_INJECTOR_PARTS: Final = ("gateways", "global", "sidecarInjectorWebhook")
_TRACING: Final = "PILOT_TRACE_SAMPLING"  # istiod's chosen environment comes before it


def objects(description: Description, configuration: Configuration) -> list[Described]:
    """Return what is installed, in the order in which `manifest generate` prints it."""
    values = _merged_values(description, configuration)
    found = [
        Described(component=one.component, object=obj)
        for one in description.objects(configuration.names)
        if configuration.is_enabled(_SWITCHES[one.component])
        for obj in _changed(one, description, configuration, values)
    ]
    if configuration.is_enabled("pilot"):
        found += _tags(description, configuration, values)
    return sorted(found, key=_order)


def printed(found: Sequence[Described]) -> str:
    """Return the objects as YAML documents."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return "".join(f"{yaml.dump(one.object, Dumper=dumper, width=1000)}\n---\n" for one in found)


def _order(one: Described) -> tuple[int, str, str, str]:
    obj = one.object
    group = obj["apiVersion"].rpartition("/")[0]
    place = _EARLY.get(obj["kind"], _OTHERS)
    return place, group, obj["kind"], obj["metadata"]["name"]


def _merged_values(description: Description, configuration: Configuration) -> Json:
    """Return the values as istiod's chart has them: those below `pilot` count at the top, too."""
    given = configuration.original_values
    values = trees.merged(description.values(configuration.names), given)
    return trees.merged(values, cast("Json", given["pilot"]))


def _changed(
    one: Described, description: Description, configuration: Configuration, values: Json
) -> Iterator[Json]:
    obj = one.object
    if one.component == PILOT:
        if not _is_wanted(obj, values):
            return
        change = _CHANGES.get(obj["kind"])
        if change is not None:
            change(obj, values)
        if obj["kind"] == "Deployment":
            _patch_deployment(obj, configuration)
        if obj["kind"] == "ConfigMap":
            obj["data"] = _data(obj["metadata"]["name"], description, configuration, values)
    elif obj["kind"] == "Deployment":
        _set_pull_policy(obj, values)
    yield obj


def _is_wanted(obj: Json, values: Json) -> bool:
    if obj["kind"] == "HorizontalPodAutoscaler":
        return bool(values["autoscaleEnabled"])
    if obj["kind"] == "PodDisruptionBudget":
        key = "autoscaleMin" if values["autoscaleEnabled"] else "replicaCount"
        is_enabled = trees.at(values, "global.defaultPodDisruptionBudget.enabled")
        return bool(is_enabled) and int(values[key]) > 1
    return True


def _change_deployment(obj: Json, values: Json) -> None:
    spec = obj["spec"]
    if not values["autoscaleEnabled"]:
        spec["replicas"] = values["replicaCount"]
    container = spec["template"]["spec"]["containers"][0]
    container["resources"] = values["resources"]
    if image := _pilot_image(values):
        container["image"] = image
    chosen = [
        {"name": name, "value": str(value)}
        for name, value in sorted(cast("Mapping[str, object]", values["env"]).items())
    ]
    names = [one["name"] for one in container["env"]]
    place = names.index(_TRACING)
    container["env"][place:place] = chosen
    _set_pull_policy(obj, values)


def _patch_deployment(obj: Json, configuration: Configuration) -> None:
    """Lay over it what the spec says of istiod's Deployment itself, as is done after rendering."""
    wanted = cast("Json", trees.at(configuration.spec, "components.pilot.k8s") or {})
    container = obj["spec"]["template"]["spec"]["containers"][0]
    if "replicaCount" in wanted:
        obj["spec"]["replicas"] = wanted["replicaCount"]
    if "resources" in wanted:
        container["resources"] = trees.merged(container["resources"], wanted["resources"])
    given = {one["name"] for one in wanted.get("env") or ()}
    kept = [one for one in container["env"] if one["name"] not in given]
    container["env"] = [*(wanted.get("env") or ()), *kept]


def _pilot_image(values: Json) -> str:
    """Return an image that was chosen for istiod alone."""
    image = str(values["image"])
    if "/" in image:
        return image
    hub, tag = (values[key] or trees.at(values, f"global.{key}") for key in ("hub", "tag"))
    variant = trees.at(values, "global.variant")
    return f"{hub}/{image}:{tag}" + (f"-{variant}" if variant else "")


def _set_pull_policy(obj: Json, values: Json) -> None:
    if policy := trees.at(values, "global.imagePullPolicy"):
        for container in obj["spec"]["template"]["spec"]["containers"]:
            container["imagePullPolicy"] = policy


def _change_autoscaler(obj: Json, values: Json) -> None:
    obj["spec"] |= {
        "minReplicas": values["autoscaleMin"],
        "maxReplicas": values["autoscaleMax"],
    }


def _change_injector(obj: Json, values: Json) -> None:
    namespace = trees.at(values, "global.istioNamespace")
    if namespace != USUAL_NAMESPACE:
        obj["metadata"]["name"] += f"-{namespace}"
    policy = trees.at(values, "sidecarInjectorWebhook.reinvocationPolicy")
    for hook in obj["webhooks"]:
        hook["reinvocationPolicy"] = policy
    if trees.at(values, "sidecarInjectorWebhook.enableNamespacesByDefault") and len(
        obj["webhooks"]
    ) > len(tag_objects.OWN_PREFIXES):
        obj["webhooks"].append(tag_objects.for_every_namespace(obj["webhooks"][0]))


_CHANGES: Final[Mapping[str, Callable[[Json, Json], None]]] = {
    "Deployment": _change_deployment,
    "HorizontalPodAutoscaler": _change_autoscaler,
    "MutatingWebhookConfiguration": _change_injector,
}


def _data(
    name: str, description: Description, configuration: Configuration, values: Json
) -> dict[str, str]:
    names = configuration.names
    stem = name.removesuffix(f"-{names.revision}") if names.revision else name
    if stem == "values":
        return {"merged-values": _json(values), "original-values": _json(
            configuration.original_values
        )}  # fmt: skip
    if stem == "istio":
        mesh = _mesh(description, configuration, values)
        networks: Json = {"networks": trees.at(values, "global.meshNetworks") or {}}
        return {"mesh": _yaml(mesh), "meshNetworks": _yaml(networks)}
    return {"config": _injection(values), "values": _json(_injector_values(values))}


def _mesh(description: Description, configuration: Configuration, values: Json) -> Json:
    mesh = description.mesh(configuration.names)
    if variant := trees.at(values, "global.variant"):
        mesh["defaultConfig"]["image"] = {"imageType": variant}
    if not trees.at(values, "telemetry.enabled"):
        del mesh["defaultProviders"]
    return trees.merged(mesh, cast("Json", values.get("meshConfig") or {}))


def _injector_values(values: Json) -> Json:
    found = {key: values[key] for key in _INJECTOR_PARTS}
    found["gateways"] = {
        key: value for key, value in values["gateways"].items() if not key.startswith("istio-")
    }
    pilot = {"cni": values["cni"], "env": values["env"]}
    return {**found, "pilot": pilot, "revision": values["revision"]}


def _injection(values: Json) -> str:
    """Return what decides about injection; the templates themselves are Istio's own text."""
    webhook = cast("Json", values["sidecarInjectorWebhook"])
    decides = ("alwaysInjectSelector", "defaultTemplates", "injectedAnnotations")
    config = {key: webhook[key] for key in (*decides, "neverInjectSelector")}
    config["policy"] = trees.at(values, "global.proxy.autoInject")
    config["templates"] = dict.fromkeys(("gateway", "sidecar"), "")
    return _yaml(config)


def _tags(
    description: Description, configuration: Configuration, values: Json
) -> Iterator[Described]:
    """Yield the tags that the values ask for, which belong to the install."""
    for tag in cast("Sequence[str]", values.get("revisionTags") or ()):
        for obj in tag_objects.of_chart(description, str(tag), configuration.names):
            yield Described(component=PILOT, object=obj)


def _json(tree: Json) -> str:
    return json.dumps(tree, indent=2, sort_keys=True)


def _yaml(tree: Json) -> str:
    return yaml.safe_dump(tree, default_flow_style=False).rstrip("\n")
