"""
Which kinds of object a cluster knows.

Asked when a list is forbidden: without the right to it, the API server answers 403 also for a kind
that does not exist, and what does not exist need not be read.
"""

from typing import Final

import msgspec

from tasks.adapters.kubernetes_api import Api, Missing, decoded


class Resource(msgspec.Struct, frozen=True):
    """One kind, or a part of one (`pods/status`)."""

    name: str = ""
    kind: str = ""
    verbs: tuple[str, ...] | None = None

    @property
    def is_listed(self) -> bool:
        return "/" not in self.name and "list" in (self.verbs or ())


class _Resources(msgspec.Struct, frozen=True):
    resources: tuple[Resource, ...] | None = None


class _Version(msgspec.Struct, frozen=True, rename="camel"):
    group_version: str = ""


class _Group(msgspec.Struct, frozen=True, rename="camel"):
    name: str = ""
    preferred_version: _Version = _Version()


class _Groups(msgspec.Struct, frozen=True):
    groups: tuple[_Group, ...] | None = None


_GROUPS: Final = msgspec.json.Decoder(_Groups)
_RESOURCES: Final = msgspec.json.Decoder(_Resources)


def group_paths(api: Api) -> dict[str, str]:
    """Return the path of every API group's preferred version, by the group's name."""
    found = decoded(api.get("/apis"), _GROUPS, path="/apis").groups or ()
    return {one.name: f"/apis/{one.preferred_version.group_version}" for one in found}


def resources(api: Api, path: str) -> tuple[Resource, ...]:
    """Return the kinds of one version of one group, none if there is no such group."""
    try:
        return decoded(api.get(path), _RESOURCES, path=path).resources or ()
    except Missing:
        return ()


def knows(api: Api, listed: str) -> bool:
    """Whether the cluster knows the kind that a list's path names, in one namespace or in all."""
    parts = listed.split("/")
    version = "/".join(parts[: 3 if parts[1] == "api" else 4])
    return any(one.name == parts[-1] for one in resources(api, version))
