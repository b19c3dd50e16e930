"""
Which configuration no Envoy would take.

Of all that can be wrong, one thing is known here: an EnvoyFilter that sets a negative duration,
which istiod and its validation let pass.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final, cast

from deployments.rehearsal.cluster.objects import Json, labels_of, namespace_of, spec_of
from deployments.rehearsal.istio import names, xds
from deployments.rehearsal.istio.mood import Rejection
from deployments.rehearsal.istio.xds import Client

_NEGATIVE: Final = re.compile(r"-(?P<seconds>\d+)(?:\.\d+)?s")
_TYPES: Final = {
    "CLUSTER": xds.CLUSTER,
    "LISTENER": xds.LISTENER,
    "FILTER_CHAIN": xds.LISTENER,
    "NETWORK_FILTER": xds.LISTENER,
    "HTTP_FILTER": xds.LISTENER,
    "ROUTE_CONFIGURATION": xds.ROUTE,
    "VIRTUAL_HOST": xds.ROUTE,
    "HTTP_ROUTE": xds.ROUTE,
    "EXTENSION_CONFIG": xds.EXTENSION,
}


def of_client(filters: Iterable[Json], client: Client, *, revision: str) -> list[Rejection]:
    """Return what a proxy refuses of these EnvoyFilters, as an istiod of a revision sees them."""
    return [
        rejection
        for one in filters
        if is_seen(one, revision) and _concerns(one, client)
        for rejection in _of_filter(one, client)
    ]


def is_seen(configuration: Json, revision: str) -> bool:
    """Say whether an istiod minds a configuration: one that names a revision is only for that."""
    return labels_of(configuration).get(names.REVISION, revision) == revision


def _concerns(configuration: Json, client: Client) -> bool:
    if namespace_of(configuration) not in {names.SYSTEM, client.namespace}:
        return False
    selector = cast("Json", spec_of(configuration).get("workloadSelector") or {})
    wanted = cast("dict[str, str]", selector.get("labels") or {})
    return all(client.labels.get(key) == value for key, value in wanted.items())


def _of_filter(configuration: Json, client: Client) -> Iterator[Rejection]:
    for patch in cast("list[Json]", spec_of(configuration).get("configPatches") or []):
        url = _TYPES.get(str(patch.get("applyTo")))
        context = str(cast("Json", patch.get("match") or {}).get("context") or "ANY")
        is_gateway = client.kind == xds.ROUTER
        if url is None or (context.startswith("SIDECAR") and is_gateway):
            continue
        if context == "GATEWAY" and not is_gateway:
            continue
        value = cast("Json", patch.get("patch") or {}).get("value")
        for seconds in _negative_durations(value):
            text = f"Invalid duration: Expected positive duration: seconds: -{seconds}\n"
            yield Rejection(type_url=url, error=text)


def _negative_durations(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for one in cast("Json", value).values():
            yield from _negative_durations(one)
    elif isinstance(value, list):
        for one in cast("list[object]", value):
            yield from _negative_durations(one)
    elif isinstance(value, str) and (match := _NEGATIVE.fullmatch(value)):
        yield match["seconds"]
