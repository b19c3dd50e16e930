"""
What is to be installed: profile under files under flags, as one IstioOperator tree.

Hub, tag, revision and mesh configuration are copied into the values, where the charts look.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

import yaml

from deployments.rehearsal.istioctl import trees
from deployments.rehearsal.istioctl.descriptions import DEFAULT, USUAL_NAMESPACE, Names
from deployments.rehearsal.istioctl.errors import CommandError

Json = dict[str, Any]

HUB: Final = "docker.io/istio"
_PROFILES: Final[Mapping[str, Json]] = {
    "default": {},
    "minimal": {"ingressGateways": [{"name": "istio-ingressgateway", "enabled": False}]},
    "empty": {
        "base": {"enabled": False},
        "pilot": {"enabled": False},
        "ingressGateways": [{"name": "istio-ingressgateway", "enabled": False}],
    },
}
_COMPONENTS: Final[Json] = {
    "base": {"enabled": True},
    "pilot": {"enabled": True},
    "ingressGateways": [{"name": "istio-ingressgateway", "enabled": True}],
}
# What the charts' values hold beside what everybody chooses.
_VALUES: Final[Json] = {
    "defaultRevision": "",
    "global": {"configValidation": True},
    "gateways": {"istio-egressgateway": {}, "istio-ingressgateway": {}},
    "ztunnel": {"resourceName": "ztunnel"},
}
_SPEC: Final = frozenset({
    "profile", "installPackagePath", "hub", "tag", "resourceSuffix", "namespace", "revision",
    "compatibilityVersion", "defaultRevision", "meshConfig", "components", "values",
    "unvalidatedValues", "addonComponents",
})  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """One merged IstioOperator."""

    profile: str
    spec: Json
    namespace: str
    original_values: Json

    @property
    def names(self) -> Names:
        given = self.original_values
        return Names(
            revision=str(given.get("revision") or ""),
            namespace=self.namespace,
            hub=str(trees.at(given, "global.hub")),
            tag=str(trees.at(given, "global.tag")),
        )

    def is_enabled(self, component: str) -> bool:
        """Say whether a component is to be installed, by its name in the spec."""
        found = trees.at(self.spec, f"components.{component}")
        if isinstance(found, list):
            return any(one.get("enabled") for one in cast("list[Json]", found))
        return bool(cast("Json", found or {}).get("enabled"))


def configuration(
    *, version: str, files: Sequence[str], settings: Sequence[str], revision: str
) -> Configuration:
    """Merge everything that was given. Raises CommandError."""
    given: Json = {}
    for file in files:
        given = trees.merged(given, _overlay(file))
    if revision and revision != DEFAULT:
        settings = [*settings, f"revision={revision}"]
    for setting in settings:
        given = trees.with_setting(given, f"spec.{setting}")
    chosen = cast("Json", given.get("spec") or {})
    _check(chosen)
    profile = str(chosen.get("profile") or "default")
    if profile not in _PROFILES:
        raise CommandError(
            f'merge inputs: profile "{profile}" not found: '
            f"open profiles/{profile}.yaml: file does not exist"
        )
    base = {
        "hub": HUB,
        "tag": version,
        "components": trees.merged(_COMPONENTS, _PROFILES[profile]),
    }
    spec = trees.merged(base, chosen)
    values = _values(spec)
    namespace = trees.at(values, "global.istioNamespace")
    return Configuration(
        profile=profile, spec=spec, namespace=str(namespace), original_values=values
    )


def _values(spec: Json) -> Json:
    """Return the values that were chosen, those that the spec says elsewhere included."""
    shared = {"istioNamespace": USUAL_NAMESPACE, "hub": spec["hub"], "tag": str(spec["tag"])}
    values = trees.merged(_VALUES, {"global": shared})
    pilot = {"enabled": bool(trees.at(spec, "components.pilot.enabled")), "cni": {"enabled": False}}
    values = trees.merged(values, {"pilot": pilot})
    for name in ("revision", "meshConfig", "compatibilityVersion"):
        if spec.get(name):
            values = trees.merged(values, {name: spec[name]})
    values = trees.merged(values, cast("Json", spec.get("values") or {}))
    return trees.merged(values, cast("Json", spec.get("unvalidatedValues") or {}))


def _overlay(file: str) -> Json:
    try:
        text = sys.stdin.read() if file == "-" else Path(file.strip()).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CommandError(f"merge inputs: open {file}: no such file or directory") from None
    except OSError as error:
        raise CommandError(f"merge inputs: open {file}: {error.strerror}") from error
    try:
        documents: list[object] = [one for one in yaml.safe_load_all(text) if one is not None]
    except yaml.YAMLError as error:
        raise CommandError(f"merge inputs: unable to parse file: {error}") from error
    if len(documents) > 1:
        raise CommandError(
            "merge inputs: contains multiple IstioOperator CRs, only one per file is supported"
        )
    if documents and not isinstance(documents[0], dict):
        raise CommandError("merge inputs: unable to parse file: it is no IstioOperator")
    overlay = cast("Json", documents[0] if documents else {})
    return {key: value for key, value in overlay.items() if key != "spec" or value is not None}


def _check(spec: Json) -> None:
    for key in spec:
        if key not in _SPEC:
            raise CommandError(f'could not unmarshal: json: unknown field "{key}"')
