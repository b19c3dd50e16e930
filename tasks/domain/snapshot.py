"""Cluster-wide objects as they were before a run changed them, enough to put them back."""

from collections.abc import Mapping

import msgspec


class ObjectSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """
    One webhook configuration or tag Service.

    `exists` False records that there was none, so that putting back means to delete. `payload` is
    the part that Istio's tag commands rewrite: `webhooks` of a configuration, `spec` of a Service,
    as the API gave it.
    """

    kind: str  # MutatingWebhookConfiguration, ValidatingWebhookConfiguration, Service
    name: str
    namespace: str = ""
    exists: bool = True
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    payload: msgspec.Raw = msgspec.Raw(b"null")
