"""
Junk: bodies that are JSON, and yet nothing of what they should be.

The real server decodes into typed structs and so notices every wrong type. Here the fields that
somebody reads are looked at, by name: a wrong type elsewhere is kept as it is.
"""

from collections.abc import Callable, Mapping
from typing import Final, cast

from deployments.rehearsal.cluster.errors import bad_request
from deployments.rehearsal.cluster.objects import Json, object_in
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import CONFIGMAPS, SECRETS

_Is = Callable[[object], bool]


def _is_map(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(one, str) for one in cast("Json", value).values()
    )


def _is_objects(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, dict) for one in cast("list[object]", value)
    )


def is_texts(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, str) for one in cast("list[object]", value)
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


_METADATA: Final[Mapping[str, _Is]] = {
    "annotations": _is_map,
    "finalizers": is_texts,
    "generateName": _is_text,
    "labels": _is_map,
    "managedFields": _is_objects,
    "name": _is_text,
    "namespace": _is_text,
    "ownerReferences": _is_objects,
    "resourceVersion": _is_text,
    "uid": _is_text,
}
_BUILT_IN: Final[Mapping[str, _Is]] = {
    "clientConfig": _is_object,
    "containers": _is_objects,
    "data": _is_object,
    "env": _is_objects,
    "ephemeralContainers": _is_objects,
    "hard": _is_object,
    "initContainers": _is_objects,
    "jobTemplate": _is_object,
    "matchExpressions": _is_objects,
    "matchLabels": _is_map,
    "metadata": _is_object,
    "names": _is_object,
    "namespaceSelector": _is_object,
    "objectSelector": _is_object,
    "ports": _is_objects,
    "replicas": is_number,
    "resources": lambda value: isinstance(value, dict | list),
    "roleRef": _is_object,
    "rules": _is_objects,
    "selector": _is_object,
    "spec": _is_object,
    "status": lambda value: isinstance(value, dict | str),
    "subjects": _is_objects,
    "template": _is_object,
    "versions": _is_objects,
    "volumes": _is_objects,
    "webhooks": _is_objects,
}


_TEXTS: Final = frozenset({CONFIGMAPS, SECRETS})
# What is in these are names that somebody else chose.
_OPAQUE: Final = frozenset({"data", "matchLabels", "openAPIV3Schema"})


def check_shape(resource: Resource, body: object) -> Json:
    """Return a body, unless something known in it has the wrong type. Raises ApiError (400)."""
    if not isinstance(body, dict):
        raise _refused(resource, body, "")
    obj = cast("Json", body)
    _check_shape(resource, obj)
    return obj


def _check_shape(resource: Resource, body: Json) -> None:
    if not isinstance(body.get("metadata", {}), dict | None):
        raise _refused(resource, body["metadata"], "metadata")
    for name, is_right in _METADATA.items():
        value = object_in(body, "metadata").get(name)
        if value is not None and not is_right(value):
            raise _refused(resource, value, f"metadata.{name}")
    if resource.is_custom:
        return
    for name, value in body.items():
        if name != "metadata":
            _check(resource, name, value, name)
    if resource in _TEXTS:
        _check_texts(resource, body)


def _check_texts(resource: Resource, body: Json) -> None:
    for field in ("data", "binaryData", "stringData"):
        for value in object_in(body, field).values():
            if not isinstance(value, str | None):
                raise _refused(resource, value, field, wanted="string")


def _check(resource: Resource, name: str, value: object, path: str) -> None:
    is_right = _BUILT_IN.get(name)
    if value is not None and is_right is not None and not is_right(value):
        raise _refused(resource, value, path)
    if isinstance(value, dict) and name not in _OPAQUE:
        for inner, one in cast("Json", value).items():
            _check(resource, inner, one, f"{path}.{inner}")
    items = cast("list[object]", value) if isinstance(value, list) else []
    for one in items:
        if isinstance(one, dict):
            _check(resource, "", cast("Json", one), path)


_GO_NAMES: Final = {
    "bool": "bool",
    "float": "number",
    "int": "number",
    "list": "array",
    "str": "string",
}


def _refused(resource: Resource, value: object, path: str, *, wanted: str = "") -> Exception:
    kind = f" of type {wanted}" if wanted else ""
    given = _GO_NAMES.get(type(value).__name__, "object")
    return bad_request(
        f'{resource.kind} in version "{resource.version}" cannot be handled as a '
        f"{resource.kind}: json: cannot unmarshal {given} into Go struct field "
        f"{resource.kind}.{path}{kind}"
    )
