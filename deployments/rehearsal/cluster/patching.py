"""The ways to say what of an object is to become different: JSON patch, merge patch, strategic merge."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, cast

import jsonpatch

from deployments.rehearsal.cluster.errors import ApiError, bad_request
from deployments.rehearsal.cluster.objects import Json, copied, listed
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.strategic import strategic_merge

_UNDECODABLE: Final = "error decoding patch: json: cannot unmarshal"


class PatchKind(StrEnum):
    """The content types of patches."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


def patched(resource: Resource, obj: Json, patch: Any, kind: PatchKind) -> Json:
    """Return an object as a patch makes it; not for APPLY, which needs to know who asks."""
    if kind is PatchKind.JSON:
        return json_patched(obj, patch)
    if not isinstance(patch, dict):
        raise bad_request(f"{_UNDECODABLE} array into Go value of type map[string]interface {{}}")
    changes = cast("Json", patch)
    if kind is PatchKind.MERGE:
        return merged(obj, changes)
    return strategic_merge(resource, obj, changes)


def merged(obj: Json, patch: Mapping[str, Any]) -> Json:
    """Return a JSON merge patch's outcome: null removes, objects merge, the rest replaces."""
    result = dict(obj)
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict):
            inner = result.get(key)
            base = cast("Json", inner) if isinstance(inner, dict) else {}
            result[key] = merged(base, cast("Json", value))
        else:
            result[key] = value
    return result


_PATCH_ERRORS: Final = (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException)


def json_patched(obj: Json, patch: Any) -> Json:
    """Return a JSON patch's outcome. Raises ApiError: 400 if it is none, 422 if it does not fit."""
    if not isinstance(cast("object", patch), list):
        raise bad_request(f"{_UNDECODABLE} object into Go value of type []handlers.jsonPatchOp")
    try:
        operations = jsonpatch.JsonPatch(listed(patch))
    except (jsonpatch.InvalidJsonPatch, TypeError) as error:
        raise bad_request(f"the patch is not a JSON patch: {error}") from error
    except jsonpatch.JsonPointerException as error:
        raise _rejected() from error
    try:
        found: object = operations.apply(copied(obj))
    except (*_PATCH_ERRORS, TypeError) as error:
        raise _rejected() from error
    if not isinstance(found, dict):
        raise _rejected()
    return cast("Json", found)


def _rejected() -> ApiError:
    text = "the server rejected our request due to an error in our request"
    return ApiError(422, "Invalid", text, details={})
