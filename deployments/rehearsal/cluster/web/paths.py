"""What a URL names: a group and version, a resource in it, perhaps one object, perhaps a part of it."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

# What follows a namespace's name, when it is not the name of a resource within it.
_OF_NAMESPACES: Final = frozenset({"status", "finalize"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place in the API."""

    group: str
    version: str
    plural: str
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""  # what follows the subresource, for proxies


def place_of(path: str) -> Place | None:
    """Return what a path names, None if it is not a path of resources."""
    steps = [unquote(step) for step in path.strip("/").split("/")]
    match steps:
        case ["api", version, _, *_]:
            return _place("", version, steps[2:])
        case ["apis", group, version, _, *_]:
            return _place(group, version, steps[3:])
        case _:
            return None


def _place(group: str, version: str, steps: list[str]) -> Place:
    namespace = ""
    is_within = steps[0] == "namespaces" and len(steps) > 2
    if is_within and not (len(steps) == 3 and steps[2] in _OF_NAMESPACES):
        namespace, steps = steps[1], steps[2:]
    plural, *more = steps
    name, subresource, *rest = (*more, "", "")[: max(2, len(more))]
    return Place(
        group=group,
        version=version,
        plural=plural,
        namespace=namespace,
        name=name,
        subresource=subresource,
        rest="/".join(rest),
    )
