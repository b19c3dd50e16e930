"""Which objects belong to an install or a revision, and their removal."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from deployments.rehearsal.istioctl.context import Context
from deployments.rehearsal.istioctl.errors import ApiError
from deployments.rehearsal.istioctl.objects import labels_of
from deployments.rehearsal.istioctl.paths import path_of

Json = dict[str, Any]

COMPONENT_LABEL: Final = "operator.istio.io/component"
_NAMESPACED: Final = (
    ("apps/v1", "Deployment"), ("apps/v1", "DaemonSet"), ("v1", "Service"), ("v1", "ConfigMap"),
    ("v1", "Pod"), ("v1", "Secret"), ("v1", "ServiceAccount"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"), ("rbac.authorization.k8s.io/v1", "Role"),
    ("policy/v1", "PodDisruptionBudget"), ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("networking.istio.io/v1alpha3", "EnvoyFilter"),
)  # fmt: skip
_CLUSTER_WIDE: Final = (
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
)
_DEFINITIONS: Final = (("apiextensions.k8s.io/v1", "CustomResourceDefinition"),)
# What all revisions share is of no revision.
_COMPONENTS: Final = "(Pilot,IngressGateways,EgressGateways,Cni,Ztunnel)"


def of_revision(context: Context, labels: Mapping[str, str]) -> list[Json]:
    """Return what an uninstall of a revision removes, in that order."""
    selector = f"{_selector(labels)},{COMPONENT_LABEL} in {_COMPONENTS}"
    return list(_found(context, (*_NAMESPACED, *_CLUSTER_WIDE), selector))


def everything(context: Context) -> list[Json]:
    """Return what is of any install."""
    kinds = (*_NAMESPACED, *_CLUSTER_WIDE, *_DEFINITIONS)
    return list(_found(context, kinds, COMPONENT_LABEL))


def prune(context: Context, kept: Sequence[Json], *, labels: Mapping[str, str]) -> None:
    """Remove what an earlier install of the same revision made and this one does not."""
    keys = {_key(one) for one in kept}
    selector = f"{_selector(labels)},{COMPONENT_LABEL}"
    for one in _found(context, (*_NAMESPACED, *_CLUSTER_WIDE), selector):
        is_spared = (
            labels_of(one).get("install.operator.istio.io/owning-resource-not-pruned") == "true"
        )
        if _key(one) not in keys and not is_spared:
            delete(context, one)


def delete(context: Context, obj: Json) -> None:
    """Delete an object in the foreground; it may be gone already."""
    name = shown(obj)
    try:
        context.api.delete(obj, propagation="Foreground")
    except ApiError as error:
        if not error.is_missing:
            raise
        context.terminal.say(f"object: {name} is not being deleted because it no longer exists")
    else:
        context.terminal.say(f"  Removed {name}.")


def shown(obj: Json) -> str:
    """Return an object as Go prints its kind, name and namespace."""
    version: str = obj["apiVersion"]
    group = version if "/" in version else f"/{version}"
    metadata = obj["metadata"]
    return f"{group}, Kind={obj['kind']}/{metadata['name']}.{metadata.get('namespace', '')}"


def _selector(labels: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def _found(context: Context, kinds: Sequence[tuple[str, str]], selector: str) -> Iterator[Json]:
    for api_version, kind in kinds:
        yield from context.api.items(path_of(api_version, kind), labelSelector=selector)


def _key(obj: Json) -> tuple[str, str, str]:
    metadata = obj["metadata"]
    return obj["kind"], metadata.get("namespace", ""), metadata["name"]
