"""What an istiod reads about itself from its revision's ConfigMaps, again whenever they change."""

from dataclasses import dataclass
from typing import Any, Final, cast

import yaml

from deployments.rehearsal.cluster.objects import Json, version_of
from deployments.rehearsal.cluster.resources import CONFIGMAPS
from deployments.rehearsal.cluster.store import Store
from deployments.rehearsal.istio import names

_HUB: Final = "docker.io/istio"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The mesh configuration, and the values that decide about injection."""

    mesh: Json
    values: Json
    injection: Json

    def value(self, path: str) -> Any:
        """Return the value at a dotted path, None if there is none."""
        found: Any = self.values
        for step in path.split("."):
            if not isinstance(found, dict):
                return None
            found = cast("Json", found).get(step)
        return found

    @property
    def trust_domain(self) -> str:
        return str(self.mesh.get("trustDomain") or "cluster.local")

    def proxy_image(self, version: str) -> str:
        hub = self.value("global.hub") or _HUB
        tag = self.value("global.tag") or version
        image = str(self.value("global.proxy.image") or "proxyv2")
        variant = self.value("global.variant")
        return image if "/" in image else f"{hub}/{image}:{tag}{f'-{variant}' if variant else ''}"


class SettingsReader:
    """Reads one revision's settings; YAML is parsed again only when an object has changed."""

    def __init__(self, store: Store, *, revision: str, namespace: str) -> None:
        self._store = store
        self._revision = revision
        self._namespace = namespace
        self._seen = ("", "")
        self._settings = Settings(mesh={}, values={}, injection={})

    def read(self) -> Settings:
        mesh, injector = (self._found("istio"), self._found("istio-sidecar-injector"))
        seen = (version_of(mesh), version_of(injector))
        if seen != self._seen:
            self._seen = seen
            self._settings = Settings(
                mesh=_parsed(mesh, "mesh"),
                values=_parsed(injector, "values"),
                injection=_parsed(injector, "config"),
            )
        return self._settings

    def _found(self, stem: str) -> Json:
        name = names.named(stem, self._revision)
        return self._store.get(CONFIGMAPS, name, self._namespace) or {}


def _parsed(config_map: Json, key: str) -> Json:
    text = cast("Json", config_map.get("data") or {}).get(key) or ""
    try:
        found = yaml.safe_load(str(text))
    except yaml.YAMLError:
        return {}  # the real one goes on with what it had; nobody can tell the difference here
    return cast("Json", found) if isinstance(found, dict) else {}
