"""
Webhook configurations and tag Services as JSON: what they call, and how one becomes another.

No requests are made here. What istiod writes into these objects by itself (CA bundles, a
validator's failure policy) is no difference between two of them.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from tasks.adapters.kubernetes_objects import Metadata
from tasks.domain.inventory import WebhookKind
from tasks.domain.snapshot import ObjectSnapshot

SERVICE: Final = "Service"
# kubectl's copy of what was applied; it says nothing that the object does not.
_MANAGED: Final = frozenset({"kubectl.kubernetes.io/last-applied-configuration"})
# Given out by the API server, and not to be asked for again.
_ALLOCATED: Final = frozenset({"clusterIP", "clusterIPs", "healthCheckNodePort"})

_Json = dict[str, object]


class _Called(msgspec.Struct, frozen=True):
    namespace: str = ""
    name: str = ""


class _ClientConfig(msgspec.Struct, frozen=True, rename={"ca_bundle": "caBundle"}):
    service: _Called | None = None
    ca_bundle: str = ""


class _Hook(msgspec.Struct, frozen=True, rename="camel"):
    client_config: _ClientConfig = _ClientConfig()


class _OpenHook(msgspec.Struct, frozen=True, rename={"client_config": "clientConfig"}):
    client_config: _Json = {}


class Object(msgspec.Struct, frozen=True, kw_only=True):
    """A webhook configuration or a Service, as the API gives it."""

    metadata: Metadata = Metadata()
    webhooks: msgspec.Raw = msgspec.Raw(b"[]")
    spec: msgspec.Raw = msgspec.Raw(b"{}")

    def snapshot(self, kind: str) -> ObjectSnapshot:
        """Return what of it can be put back."""
        return ObjectSnapshot(
            kind=kind,
            name=self.metadata.name,
            namespace=self.metadata.namespace,
            labels=dict(self.metadata.labels or {}),
            annotations=_own(self.metadata.annotations or {}),
            payload=msgspec.Raw(bytes(self.spec if kind == SERVICE else self.webhooks)),
        )


_hooks: Final = msgspec.json.Decoder(list[_Hook])
_open_hooks: Final = msgspec.json.Decoder(list[_Json])
_open_spec: Final = msgspec.json.Decoder(_Json)


def ca_bundles(configuration: ObjectSnapshot) -> Mapping[str, str]:
    """Return the Services that a configuration calls, as `namespace/name`, with its CA bundles."""
    return {
        f"{hook.client_config.service.namespace}/{hook.client_config.service.name}": (
            hook.client_config.ca_bundle
        )
        for hook in _hooks.decode(configuration.payload)
        if hook.client_config.service is not None
    }


def with_ca_bundles(configuration: ObjectSnapshot, bundles: Mapping[str, str]) -> ObjectSnapshot:
    """Return the configuration with these CA bundles where it calls these Services."""
    hooks = _open_hooks.decode(configuration.payload)
    for hook, called in zip(hooks, _hooks.decode(configuration.payload), strict=True):
        service = called.client_config.service
        bundle = bundles.get(f"{service.namespace}/{service.name}") if service else None
        if bundle:
            hook["clientConfig"] = {**_client_config(hook), "caBundle": bundle}
    return msgspec.structs.replace(configuration, payload=msgspec.Raw(msgspec.json.encode(hooks)))


def difference(current: ObjectSnapshot, wanted: ObjectSnapshot) -> Mapping[str, object]:
    """Return the merge patch that makes one object the other; empty when they are the same."""
    patch: _Json = {}
    metadata = {
        "labels": _changes(current.labels, wanted.labels),
        "annotations": _changes(current.annotations, wanted.annotations),
    }
    if changed := {key: value for key, value in metadata.items() if value}:
        patch["metadata"] = changed
    if wanted.kind == SERVICE:
        if changed_spec := _spec_changes(current.payload, wanted.payload):
            patch["spec"] = changed_spec
    elif _compared(current) != _compared(wanted):
        patch["webhooks"] = wanted.payload
    return patch


def made_anew(wanted: ObjectSnapshot) -> Mapping[str, object]:
    """Return the whole object, to be created."""
    is_service = wanted.kind == SERVICE
    return {
        "apiVersion": "v1" if is_service else "admissionregistration.k8s.io/v1",
        "kind": wanted.kind,
        "metadata": Metadata(
            name=wanted.name,
            namespace=wanted.namespace,
            labels=wanted.labels,
            annotations=wanted.annotations,
        ),
        **({"spec": _new_spec(wanted)} if is_service else {"webhooks": wanted.payload}),
    }


def _own(annotations: Mapping[str, str]) -> Mapping[str, str]:
    return {key: value for key, value in annotations.items() if key not in _MANAGED}


def _changes(current: Mapping[str, object], wanted: Mapping[str, object]) -> _Json:
    changed: _Json = {key: value for key, value in wanted.items() if current.get(key) != value}
    return changed | dict.fromkeys(current.keys() - wanted.keys())


def _compared(configuration: ObjectSnapshot) -> Sequence[_Json]:
    hooks = _open_hooks.decode(configuration.payload)
    for hook in hooks:
        hook["clientConfig"] = {
            key: value for key, value in _client_config(hook).items() if key != "caBundle"
        }
        if configuration.kind == WebhookKind.VALIDATING:
            hook.pop("failurePolicy", None)
    return hooks


def _client_config(hook: _Json) -> _Json:
    return msgspec.convert(hook, _OpenHook).client_config


def _spec_changes(current: msgspec.Raw, wanted: msgspec.Raw) -> _Json:
    now, then = _open_spec.decode(current), _open_spec.decode(wanted)
    changes: _Json = {}
    if selector := _changes(_selector(now), _selector(then)):
        changes["selector"] = selector
    if now.get("ports") != then.get("ports"):
        changes["ports"] = then.get("ports")
    return changes


def _selector(spec: _Json) -> Mapping[str, str]:
    return msgspec.convert(spec.get("selector") or {}, dict[str, str])


def _new_spec(service: ObjectSnapshot) -> _Json:
    spec = _open_spec.decode(service.payload)
    if spec.get("clusterIP") == "None":
        return spec
    return {key: value for key, value in spec.items() if key not in _ALLOCATED}
