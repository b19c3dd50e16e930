"""Istio's own words: labels, annotations, how a revision names its objects."""

import re
from typing import Final

from deployments.rehearsal.cluster.objects import Json, labels_of, spec_of

DEFAULT: Final = "default"
SYSTEM: Final = "istio-system"
PROXY: Final = "istio-proxy"
INIT: Final = "istio-init"
REVISION: Final = "istio.io/rev"
TAG: Final = "istio.io/tag"
INJECT: Final = "sidecar.istio.io/inject"
STATUS: Final = "sidecar.istio.io/status"
TEMPLATES: Final = "inject.istio.io/templates"
OVERRIDES: Final = "proxy.istio.io/overrides"
MANAGER: Final = "pilot-discovery"
# Istio leaves these alone, whatever their labels say.
IGNORED_NAMESPACES: Final = frozenset({
    "kube-system", "kube-public", "kube-node-lease", "local-path-storage",
})  # fmt: skip
_TAGGED: Final = re.compile(r"/(?P<name>[^/:@]+):(?P<tag>[^/:@]+)$")


def named(stem: str, revision: str) -> str:
    """Return the name of a revision's object: one without a revision has no suffix."""
    return stem if revision in {"", DEFAULT} else f"{stem}-{revision}"


def image(container: Json) -> tuple[str, str]:
    """Return a container image's last name and its tag; both empty if it has no tag."""
    match = _TAGGED.search(f"/{container.get('image', '')}")
    return (match["name"], match["tag"]) if match else ("", "")


def containers(pod: Json) -> list[Json]:
    """Return a pod's containers, its native sidecars and other init containers included."""
    spec = spec_of(pod)
    return [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]


def container(pod: Json, name: str) -> Json | None:
    return next((one for one in containers(pod) if one.get("name") == name), None)


def environment(one: Json) -> dict[str, str]:
    """Return the variables of a container that have a value of their own."""
    variables: list[Json] = one.get("env") or []
    return {str(each["name"]): str(each["value"]) for each in variables if "value" in each}


def revision_of(obj: Json) -> str:
    return labels_of(obj).get(REVISION) or DEFAULT
