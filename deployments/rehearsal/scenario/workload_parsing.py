"""The short way to write a workload: its kind and name, how many pods, and what is odd about it."""

import re
from collections.abc import Mapping
from typing import Final

from deployments.rehearsal.scenario.documents import Place
from deployments.rehearsal.scenario.values import Kind, Workload

_OPTIONS: Final[Mapping[str, str]] = {
    **{str(kind): "the kind, and the name" for kind in Kind},
    "replicas": "",
    "strategy": "",
    "partition": "",
    "paused": "",
    "gateway": "",
    "min_available": "",
    "starts_in_seconds": "",
    "labels": "",
    "annotations": "",
}
# What an option means something for.
_FOR: Final[Mapping[str, tuple[Kind, ...]]] = {
    "replicas": (Kind.DEPLOYMENT, Kind.STATEFUL_SET),
    "strategy": (Kind.DEPLOYMENT, Kind.STATEFUL_SET, Kind.DAEMON_SET),
    "partition": (Kind.STATEFUL_SET,),
    "paused": (Kind.DEPLOYMENT,),
    "gateway": (Kind.DEPLOYMENT, Kind.DAEMON_SET),
    "min_available": (Kind.DEPLOYMENT, Kind.STATEFUL_SET, Kind.DAEMON_SET),
}
_STRATEGIES: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.DEPLOYMENT: ("RollingUpdate", "Recreate"),
    Kind.STATEFUL_SET: ("RollingUpdate", "OnDelete"),
    Kind.DAEMON_SET: ("RollingUpdate", "OnDelete"),
}
_LABEL: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_MOST: Final = 5_000


def dns_label(name: str, place: Place) -> str:
    """Return a name that Kubernetes takes."""
    if not _LABEL.fullmatch(name):
        raise place.wrong(f"{name!r} is no name: lower case letters, digits and dashes, up to 63")
    return name


def parse_workload(place: Place) -> Workload:
    """Read one workload: {deployment: web, replicas: 3}."""
    found = place.closed(_OPTIONS)
    kind = _kind(place, found)
    for option, kinds in _FOR.items():
        if option in found and kind not in kinds:
            raise found[option].wrong(f"is nothing for a {kind}; it is for {_listing(kinds)}")
    replicas = found["replicas"].integer(0, _MOST) if "replicas" in found else 1
    return Workload(
        kind=kind,
        name=dns_label(found[kind].text(), found[kind]),
        replicas=replicas,
        strategy=_strategy(kind, found.get("strategy")),
        partition=found["partition"].integer(0, max(replicas, 0)) if "partition" in found else 0,
        is_paused="paused" in found and found["paused"].flag(),
        is_gateway="gateway" in found and found["gateway"].flag(),
        min_available=_optional(found.get("min_available")),
        starts_in_seconds=_seconds(found.get("starts_in_seconds")),
        labels=found["labels"].texts() if "labels" in found else {},
        annotations=found["annotations"].texts() if "annotations" in found else {},
    )


def _kind(place: Place, found: Mapping[str, Place]) -> Kind:
    kinds = [kind for kind in Kind if kind in found]
    if len(kinds) != 1:
        raise place.wrong(f"takes one of {_listing(tuple(Kind))} with a name, such as "
                          "{deployment: web, replicas: 3}")  # fmt: skip
    return kinds[0]


def _strategy(kind: Kind, place: Place | None) -> str | None:
    if place is None:
        return None
    name = place.text()
    if name not in _STRATEGIES[kind]:
        raise place.wrong(f"a {kind} has {' or '.join(_STRATEGIES[kind])}, not {name!r}")
    return name


def _optional(place: Place | None) -> int | None:
    return place.integer(0, _MOST) if place else None


def _seconds(place: Place | None) -> float:
    return place.number(0, 600) if place else 0.0


def _listing(kinds: tuple[Kind, ...]) -> str:
    return ", ".join(kinds)
