"""Discovery: which groups, versions and resources there are, in the old form and in the aggregated."""

from collections.abc import Iterable
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.cluster.registry import Registry, Resource
from deployments.rehearsal.cluster.web.answers import told
from deployments.rehearsal.cluster.web.negotiation import media_types
from deployments.rehearsal.cluster.web.reviews import REVIEWS

_TOGETHER: Final = "deletecollection"
_VERBS: Final = (
    "create",
    "delete",
    _TOGETHER,
    "get",
    "list",
    "patch",
    "update",
    "watch",
)
_VIEWED: Final = ("get", "patch", "update")
_CONNECTED: Final = ("create", "get")
# Subresources that are not the object itself seen differently: their kind, and what can be done.
_SUBRESOURCES: Final = {
    "attach": ("", "v1", "PodAttachOptions", _CONNECTED),
    "binding": ("", "v1", "Binding", ("create",)),
    "eviction": ("policy", "v1", "Eviction", ("create",)),
    "exec": ("", "v1", "PodExecOptions", _CONNECTED),
    "log": ("", "v1", "Pod", ("get",)),
    "portforward": ("", "v1", "PodPortForwardOptions", _CONNECTED),
    "proxy": ("", "v1", "ProxyOptions", ("get",)),
    "scale": ("autoscaling", "v1", "Scale", _VIEWED),
    "token": ("authentication.k8s.io", "v1", "TokenRequest", ("create",)),
}


class Discovery:
    """Tells what is in a registry."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    def answer(self, request: Request) -> Response | None:
        """Answer a request for discovery, None if it is not one."""
        aggregated = _aggregated_version(request.headers.get("accept", ""))
        steps = request.url.path.strip("/").split("/")
        if aggregated and steps in (["api"], ["apis"]):
            return self._aggregated([""] if steps == ["api"] else self._groups(), aggregated)
        body = self._body(steps)
        return told(body) if body is not None else None

    def _body(self, steps: list[str]) -> Json | None:
        body: Json | None = None
        match steps:
            case [""]:
                paths = ["/api", "/api/v1", "/apis", *(f"/apis/{one}" for one in self._groups())]
                body = {
                    "paths": [*paths, "/healthz", "/livez", "/openapi/v3", "/readyz", "/version"]
                }
            case ["api"]:
                body = {"kind": "APIVersions", "versions": ["v1"]} | _ADDRESSES
            case ["apis"]:
                groups = [self._group(group) for group in self._groups()]
                body = {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}
            case ["apis", group] if group in self._groups():
                body = {"kind": "APIGroup", "apiVersion": "v1"} | self._group(group)
            case ["api", "v1"]:
                body = self._resource_list("", "v1")
            case ["apis", group, version] if version in self.versions(group):
                body = self._resource_list(group, version)
            case _:
                pass
        return body

    def resources(self, group: str, version: str) -> list[Resource]:
        found = (*self._registry, *REVIEWS)
        return [one for one in found if one.group == group and version in one.versions]

    def versions(self, group: str) -> list[str]:
        """Return the versions of a group, the newest first."""
        found = {version for one in self._all() if one.group == group for version in one.versions}
        return sorted(found, key=_age)

    def groups(self) -> list[tuple[str, str]]:
        """Return every group and version."""
        return [
            (group, version) for group in ("", *self._groups()) for version in self.versions(group)
        ]

    def _all(self) -> Iterable[Resource]:
        return (*self._registry, *REVIEWS)

    def _groups(self) -> list[str]:
        return list(dict.fromkeys(one.group for one in self._all() if one.group))

    def _group(self, group: str) -> Json:
        versions = [
            {"groupVersion": f"{group}/{version}", "version": version}
            for version in self.versions(group)
        ]
        return {"name": group, "versions": versions, "preferredVersion": versions[0]}

    def _resource_list(self, group: str, version: str) -> Json:
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{group}/{version}" if group else version,
            "resources": [
                entry
                for resource in self.resources(group, version)
                for entry in (_plain(resource), *_plain_subresources(resource, version))
            ],
        }

    def _aggregated(self, groups: Iterable[str], version: str) -> Response:
        items: list[Json] = [
            {
                "metadata": {"name": group, "creationTimestamp": None},
                "versions": [self._aggregated_part(group, one) for one in self.versions(group)],
            }
            for group in groups
        ]
        body: Json = {
            "kind": "APIGroupDiscoveryList",
            "apiVersion": f"apidiscovery.k8s.io/{version}",
            "metadata": {},
            "items": items,
        }
        response = told(body)
        response.headers["Content-Type"] = (
            f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
        )
        return response

    def _aggregated_part(self, group: str, version: str) -> Json:
        resources = [_aggregated(one, version) for one in self.resources(group, version)]
        return {"version": version, "resources": resources, "freshness": "Current"}


_ADDRESSES: Final = {
    "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}]
}


def _aggregated_version(accept: str) -> str:
    """Return in which version the aggregated form is wanted, nothing if it is not."""
    for one in media_types(accept):
        if one.parameters.get("as") == "APIGroupDiscoveryList":
            return one.parameters.get("v", "v2")
        if one.name == "application/json" and "as" not in one.parameters:
            return ""
    return ""


def _age(version: str) -> tuple[int, str]:
    """Order versions as Kubernetes does: v2 before v1, these before v1beta1, that before v1alpha1."""
    for rank, mark in ((2, "alpha"), (1, "beta")):
        if mark in version:
            return rank, _descending(version)
    return 0, _descending(version)


def _descending(version: str) -> str:
    return "".join(chr(0x10FFFF - ord(letter)) for letter in version)


def _verbs(resource: Resource) -> list[str]:
    if resource in REVIEWS:
        return ["create"]
    return [verb for verb in _VERBS if verb != _TOGETHER or resource.is_deleted_together]


def _plain(resource: Resource) -> Json:
    entry: Json = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": _verbs(resource),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    return entry


def _plain_subresources(resource: Resource, version: str) -> Iterable[Json]:
    for name in resource.subresources:
        group, its_version, kind, verbs = _subresource(resource, name, version)
        entry: Json = {
            "name": f"{resource.plural}/{name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            "kind": kind,
            "verbs": list(verbs),
        }
        is_foreign = (group, its_version) != (resource.group, version)
        yield entry | ({"group": group, "version": its_version} if is_foreign else {})


def _subresource(
    resource: Resource, name: str, version: str
) -> tuple[str, str, str, tuple[str, ...]]:
    own = (resource.group, version, resource.kind, _VIEWED)
    return _SUBRESOURCES.get(name, own)


def _aggregated(resource: Resource, version: str) -> Json:
    kind = {"group": resource.group, "version": version, "kind": resource.kind}
    entry: Json = {
        "resource": resource.plural,
        "responseKind": kind,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": _verbs(resource),
    }
    if resource.short_names:
        entry["shortNames"] = list(resource.short_names)
    if resource.categories:
        entry["categories"] = list(resource.categories)
    subresources = [
        _aggregated_subresource(resource, name, version) for name in resource.subresources
    ]
    return entry | ({"subresources": subresources} if subresources else {})


def _aggregated_subresource(resource: Resource, name: str, version: str) -> Json:
    group, its_version, kind, verbs = _subresource(resource, name, version)
    response = {"group": group, "version": its_version, "kind": kind}
    return {"subresource": name, "responseKind": response, "verbs": list(verbs)}
