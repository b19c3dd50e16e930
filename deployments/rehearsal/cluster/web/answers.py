"""Answers: JSON, and errors as Status."""

from typing import Final

import msgspec
from starlette.responses import Response

from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.cluster.web.negotiation import JSON

_RETRY_AFTER: Final = "retryAfterSeconds"


def told(body: object, *, status: int = 200) -> Response:
    """Answer with something as JSON."""
    return encoded(msgspec.json.encode(body), status=status)


def encoded(body: bytes, *, status: int = 200) -> Response:
    """Answer with what is JSON already."""
    return Response(body, status_code=status, media_type=JSON)


def refused(error: ApiError) -> Response:
    """Answer with the Status of an error."""
    response = told(error.status, status=error.code)
    seconds = (error.details or {}).get(_RETRY_AFTER)
    if seconds:
        response.headers["Retry-After"] = str(seconds)
    return response


def success(details: Json) -> Response:
    """Answer that something was done, with what it was done to."""
    status: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return told(status | {"details": details})
