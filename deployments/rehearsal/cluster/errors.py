"""
What the API server says when it does not do what it was asked: a Status, worded as the real one does.

Clients read these texts, and so do people; where a test in tests/contract disagrees, it is right.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import msgspec

from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.cluster.registry import Resource


@dataclass(frozen=True, slots=True)
class Cause:
    """What is wrong with one field."""

    field: str
    message: str
    reason: str = "FieldValueInvalid"

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"

    @classmethod
    def required(cls, field: str, detail: str = "") -> Self:
        return cls(field, f"Required value{detail and ': '}{detail}", "FieldValueRequired")

    @classmethod
    def invalid(cls, field: str, value: str, detail: str) -> Self:
        """Refuse a value, given as the real one prints it: strings in quotes, objects as JSON."""
        return cls(field, f"Invalid value: {value}: {detail}")

    @classmethod
    def unsupported(cls, field: str, value: str, supported: Sequence[str]) -> Self:
        known = ", ".join(f'"{one}"' for one in supported)
        text = f'Unsupported value: "{value}": supported values: {known}'
        return cls(field, text, "FieldValueNotSupported")

    @classmethod
    def forbidden(cls, field: str, detail: str) -> Self:
        return cls(field, f"Forbidden: {detail}", "FieldValueForbidden")


class ApiError(Exception):
    """A request was not done. `status` is what the client gets."""

    def __init__(
        self, code: int, reason: str, message: str, *, details: Json | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details

    @property
    def status(self) -> Json:
        status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details is not None:
            status["details"] = self.details
        return status | {"code": self.code}


def _details(resource: Resource, name: str) -> Json:
    details: Json = {"name": name} if name else {}
    if resource.group:
        details["group"] = resource.group
    return details | {"kind": resource.plural}


def not_found(resource: Resource, name: str) -> ApiError:
    text = f'{resource.qualified} "{name}" not found'
    return ApiError(404, "NotFound", text, details=_details(resource, name))


def already_exists(resource: Resource, name: str) -> ApiError:
    text = f'{resource.qualified} "{name}" already exists'
    return ApiError(409, "AlreadyExists", text, details=_details(resource, name))


def being_deleted(resource: Resource, name: str) -> ApiError:
    text = f'object is being deleted: {resource.qualified} "{name}" already exists'
    return ApiError(409, "AlreadyExists", text, details=_details(resource, name))


def conflict(resource: Resource, name: str, why: str = "") -> ApiError:
    why = why or (
        "the object has been modified; please apply your changes to the latest version "
        "and try again"
    )
    text = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", text, details=_details(resource, name))


def forbidden(resource: Resource, name: str, why: str) -> ApiError:
    subject = f'{resource.qualified} "{name}"' if name else resource.qualified
    text = f"{subject} is forbidden: {why}"
    return ApiError(403, "Forbidden", text, details=_details(resource, name))


def invalid(resource: Resource, name: str, causes: Sequence[Cause]) -> ApiError:
    texts = list(dict.fromkeys(str(cause) for cause in causes))
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    details: Json = {"name": name} if name else {}
    if resource.group:
        details["group"] = resource.group
    details["kind"] = resource.kind
    details["causes"] = [
        {"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes
    ]
    text = f'{resource.qualified_kind} "{name}" is invalid: {listed}'
    return ApiError(422, "Invalid", text, details=details)


def invalid_options(kind: str, cause: Cause) -> ApiError:
    """Refuse the options of a request, which are an object of their own: `PatchOptions`."""
    causes = [{"reason": cause.reason, "message": cause.message, "field": cause.field}]
    details: Json = {"group": "meta.k8s.io", "kind": kind, "causes": causes}
    text = f'{kind}.meta.k8s.io "" is invalid: {cause}'
    return ApiError(422, "Invalid", text, details=details)


def not_fitting(found: Json, why: str) -> ApiError:
    """Refuse a patch that makes of an object what is none."""
    cause = Cause.invalid(
        "patch", msgspec.json.encode(msgspec.json.encode(found).decode()).decode(), why
    )
    causes = [{"reason": cause.reason, "message": cause.message, "field": cause.field}]
    return ApiError(422, "Invalid", f' "" is invalid: {cause}', details={"causes": causes})


def bad_request(text: str) -> ApiError:
    return ApiError(400, "BadRequest", text)


def unauthorized() -> ApiError:
    return ApiError(401, "Unauthorized", "Unauthorized")


def method_not_allowed() -> ApiError:
    text = "the server does not allow this method on the requested resource"
    return ApiError(405, "MethodNotAllowed", text, details={})


def unknown_path() -> ApiError:
    text = "the server could not find the requested resource"
    return ApiError(404, "NotFound", text, details={})


def not_acceptable(media_types: Sequence[str]) -> ApiError:
    listed = ", ".join(media_types)
    text = f"406: Not Acceptable\n\nAvailable representations: {listed}"
    return ApiError(406, "NotAcceptable", text, details={})


def unsupported_media_type(media_types: Sequence[str]) -> ApiError:
    text = (
        "the body of the request was in an unknown format - accepted media types include: "
        f"{', '.join(media_types)}"
    )
    return ApiError(415, "UnsupportedMediaType", text)


def not_a_patch() -> ApiError:
    return ApiError(415, "UnsupportedMediaType", "415: Unsupported Media Type", details={})


def too_large(limit: int) -> ApiError:
    text = f"Request entity too large: limit is {limit}"
    return ApiError(413, "RequestEntityTooLarge", text)


def too_old(asked: int, oldest: int) -> ApiError:
    return ApiError(410, "Expired", f"too old resource version: {asked} ({oldest})")


def token_too_old() -> ApiError:
    text = (
        "The provided continue parameter is too old to display a consistent list result. You can "
        "start a new list without the continue parameter."
    )
    return ApiError(410, "Expired", text)


def too_new(asked: int, newest: int) -> ApiError:
    why = "Too large resource version"
    details: Json = {"causes": [{"reason": "ResourceVersionTooLarge", "message": why}]}
    text = f"Timeout: {why}: {asked}, current: {newest}"
    return ApiError(504, "Timeout", text, details=details | {"retryAfterSeconds": 1})


def internal(text: str) -> ApiError:
    """Report a failure of the server, or of what it depends on."""
    return ApiError(
        500,
        "InternalError",
        f"Internal error occurred: {text}",
        details={"causes": [{"message": text}]},
    )


def unavailable(text: str) -> ApiError:
    return ApiError(503, "ServiceUnavailable", text)


def too_many_requests(text: str, causes: Sequence[Json] = (), *, retry_after: int = 0) -> ApiError:
    details: Json = {}
    if causes:
        details["causes"] = list(causes)
    if retry_after:
        details["retryAfterSeconds"] = retry_after
    return ApiError(429, "TooManyRequests", text, details=details)
