"""`proxy-status`: which proxies the istiods know, and how they stand."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast

from deployments.rehearsal.istioctl import istiods
from deployments.rehearsal.istioctl.context import Context

Json = dict[str, Any]

_SHORT: Final[Mapping[str, str]] = {
    "type.googleapis.com/envoy.config.cluster.v3.Cluster": "CDS",
    "type.googleapis.com/envoy.config.listener.v3.Listener": "LDS",
    "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment": "EDS",
    "type.googleapis.com/envoy.config.route.v3.RouteConfiguration": "RDS",
    "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig": "ECDS",
    "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret": "SDS",
    "type.googleapis.com/istio.networking.nds.v1.NameTable": "NDS",
    "type.googleapis.com/istio.mesh.v1alpha1.ProxyConfig": "PCDS",
}
_FIRST: Final = ("CDS", "LDS", "EDS", "RDS")
_VERBOSE: Final = ("CDS", "ECDS", "EDS", "LDS", "RDS")
_GAP: Final = 5
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def proxy_status(context: Context) -> None:
    """Print one line a proxy. `-o` is taken and ignored, as by all istioctls before 1.30."""
    revision = istiods.revision_or_default(context)
    found = [
        (istiod, row)
        for istiod, rows in istiods.syncz(context, revision=revision, as_proxy=True)
        for row in rows
        if row.get("cluster_id") and _is_wanted(context, row)
    ]
    found.sort(key=lambda one: str(one[1]["proxy"]))
    is_verbose = context.options.number("verbosity") > 0
    for line in table(found, is_verbose=is_verbose):
        context.terminal.say(line)


def table(found: Sequence[tuple[str, Json]], *, is_verbose: bool) -> list[str]:
    """Return the lines for these rows, each with the istiod that it is from."""
    return _aligned(_verbose(found) if is_verbose else _plain(found))


def _is_wanted(context: Context, row: Json) -> bool:
    namespace = context.namespace
    return not namespace or str(row["proxy"]).endswith(f".{namespace}")


def _plain(found: Sequence[tuple[str, Json]]) -> list[Sequence[str]]:
    lines: list[Sequence[str]] = [("NAME", "CLUSTER", "ISTIOD", "VERSION", "SUBSCRIBED TYPES")]
    for istiod, row in found:
        types = _types(row)
        known = [one for one in _FIRST if one in types] + sorted(types.keys() - set(_FIRST))
        text = f"{len(known)} ({','.join(known)})" if known else "0"
        lines.append((row["proxy"], row["cluster_id"], istiod, row["istio_version"], text))
    return lines


def _verbose(found: Sequence[tuple[str, Json]]) -> list[Sequence[str]]:
    every = {one for _, row in found for one in _types(row)} | set(_VERBOSE)
    # Sorted by the types' full names, not by the short ones.
    order = [short for _, short in sorted(_SHORT.items()) if short in every]
    lines: list[Sequence[str]] = [("NAME", "CLUSTER", *order, "ISTIOD", "VERSION")]
    for istiod, row in found:
        types = _types(row)
        states = [types.get(one, "IGNORED") for one in order]
        lines.append((row["proxy"], row["cluster_id"], *states, istiod, row["istio_version"]))
    return lines


def _types(row: Json) -> dict[str, str]:
    resources = cast("dict[str, Json]", row.get("resources") or {})
    return {_SHORT[url]: _state(one) for url, one in resources.items() if url in _SHORT}


def _state(resource: Json) -> str:
    if not resource.get("sent") and not resource.get("lastError"):
        return "NOT SENT"
    if resource.get("lastError"):
        state = "ERROR"
    elif resource.get("sent") == resource.get("acked"):
        state = "SYNCED"
    else:
        state = "STALE"
    since = _age(str(resource.get("sentTime", "")))
    return f"{state} ({since})" if since else state


def _age(sent: str) -> str:
    try:
        then = datetime.fromisoformat(sent)
    except ValueError:
        return ""
    seconds = max(0, int((datetime.now(UTC) - then).total_seconds()))  # noqa: TID251 - a program of its own
    if seconds < 2 * _MINUTE:
        return f"{seconds}s"
    if seconds < 3 * _HOUR:
        return f"{seconds // _MINUTE}m"
    return f"{seconds // _HOUR}h" if seconds < 2 * _DAY else f"{seconds // _DAY}d"


def _aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Return lines in columns, each as wide as its longest cell and a gap."""
    widths = [max(len(line[column]) for line in lines) + _GAP for column in range(len(lines[0]))]
    return [
        "".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
