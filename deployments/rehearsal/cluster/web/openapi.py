"""
OpenAPI v3, as far as kubectl looks at it before it writes: that PATCH takes `fieldValidation`.

No schemas: kubectl then leaves validation to the server, and makes its patches from the types that
it was built with.
"""

from typing import Final

from starlette.responses import Response

from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.web.answers import told
from deployments.rehearsal.cluster.web.discovery import Discovery

_ROOT: Final = "/openapi/v3"
_INFO: Final = {"title": "Kubernetes", "version": "v1.34.4"}
# The old document, which kubectl asks for before it applies a List: version, title, and no kinds.
_V2: Final = b"\n\x032.0\x12\x15\n\nKubernetes\x12\x07v1.34.4"
_V2_TYPE: Final = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_PARAMETERS: Final = tuple(
    {"name": name, "in": "query", "schema": {"type": "string"}}
    for name in ("dryRun", "fieldManager", "fieldValidation")
)


def openapi(discovery: Discovery, path: str) -> Response | None:
    """Answer a request for OpenAPI, None if there is nothing at that path."""
    if path == "/openapi/v2":
        return Response(_V2, media_type=_V2_TYPE)
    if path == _ROOT:
        paths = {
            _path(group, version): {
                "serverRelativeURL": f"{_ROOT}/{_path(group, version)}?hash={version}"
            }
            for group, version in discovery.groups()
        }
        return told({"paths": paths})
    match path.removeprefix(f"{_ROOT}/").split("/"):
        case ["api", version]:
            return _document(discovery, "", version)
        case ["apis", group, version]:
            return _document(discovery, group, version)
        case _:
            return None


def _path(group: str, version: str) -> str:
    return f"apis/{group}/{version}" if group else f"api/{version}"


def _document(discovery: Discovery, group: str, version: str) -> Response | None:
    resources = discovery.resources(group, version)
    if not resources:
        return None
    paths = {_url(one, version): {"patch": _patch(one, version)} for one in resources}
    return told({"openapi": "3.0.0", "info": _INFO, "paths": paths, "components": {"schemas": {}}})


def _url(resource: Resource, version: str) -> str:
    place = "/namespaces/{namespace}" if resource.namespaced else ""
    return f"/{_path(resource.group, version)}{place}/{resource.plural}/{{name}}"


def _patch(resource: Resource, version: str) -> Json:
    kind = {"group": resource.group, "version": version, "kind": resource.kind}
    return {
        "parameters": list(_PARAMETERS),
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": kind,
    }
