"""What is asked of `istioctl install`, and what `istioctl manifest generate` says of it."""

import msgspec


class Overlay(msgspec.Struct, frozen=True, kw_only=True):
    """The contents of one IstioOperator file (istioctl's `-f`)."""

    name: str  # the file's name, for messages only
    content: str


class InstallRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One canary install, as istioctl's flags."""

    revision: str
    namespace: str = "istio-system"
    overlays: tuple[Overlay, ...] = ()
    sets: tuple[str, ...] = ()  # `path=value`, in order


class RenderedObject(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One object of the manifest, by name."""

    api_version: str
    kind: str
    name: str
    namespace: str = ""


class Rendered(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest: what it contains, and its digest."""

    sha256: str  # of the manifest's bytes, hexadecimal
    objects: tuple[RenderedObject, ...]
    mesh_config: str | None = None  # YAML of ConfigMap istio-REVISION, key `mesh`
    values: str | None = None  # JSON of ConfigMap values-REVISION, key `merged-values`
    warnings: tuple[str, ...] = ()  # what istioctl printed on stderr
