"""The istiods of a revision, and what each says of its proxies."""

import json
from collections.abc import Iterator
from typing import Any, Final

from deployments.rehearsal.istioctl.context import Context
from deployments.rehearsal.istioctl.descriptions import DEFAULT
from deployments.rehearsal.istioctl.errors import CommandError
from deployments.rehearsal.istioctl.paths import path_of
from deployments.rehearsal.istioctl.tag_objects import REVISION_LABEL, TAG_LABEL

Json = dict[str, Any]

MONITORING: Final = 15014
_INJECTORS: Final = path_of("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration")


def revision_or_default(context: Context) -> str:
    """Return the revision that was named, else the one that is the default."""
    if given := context.options.text("revision"):
        return given
    found = context.api.items(_INJECTORS, labelSelector=f"{TAG_LABEL}={DEFAULT}")
    for one in found:
        return str(one["metadata"]["labels"].get(REVISION_LABEL, DEFAULT))
    return DEFAULT


def running(context: Context, *, revision: str, selector: str = "app=istiod") -> list[Json]:
    """Return the running istiod pods of a revision, of all where none is named."""
    if revision:
        selector += f",{REVISION_LABEL}={revision}"
    path = path_of("v1", "Pod", namespace=context.istio_namespace)
    found = context.api.items(path, labelSelector=selector, fieldSelector="status.phase=Running")
    return list(found)


def ask(context: Context, pod: Json, path: str, *, as_proxy: bool = False) -> bytes:
    """Ask one istiod as its own loopback would. Raises CommandError."""
    timeout = context.options.seconds("timeout", 30.0)
    return context.api.fetch(pod, port=MONITORING, path=path, timeout=timeout, as_proxy=as_proxy)


def syncz(
    context: Context, *, revision: str, as_proxy: bool = False
) -> Iterator[tuple[str, list[Json]]]:
    """Yield each istiod's name and rows. Raises CommandError if one does not answer."""
    selector = context.options.text("xds-label", "app=istiod")
    pods = running(context, revision=revision, selector=selector)
    if not pods:
        raise CommandError(f'no running Istio pods in "{context.istio_namespace}"')
    for pod in pods:
        name = pod["metadata"]["name"]
        try:
            answer = ask(context, pod, "/debug/syncz", as_proxy=as_proxy)
        except CommandError as error:
            raise CommandError(f'could not get XDS from discovery pod "{name}": {error}') from error
        yield name, json.loads(answer) or []


def rows(context: Context, *, revision: str) -> list[Json]:
    """Return all proxies of a revision's istiods."""
    return [row for _, found in syncz(context, revision=revision) for row in found]
