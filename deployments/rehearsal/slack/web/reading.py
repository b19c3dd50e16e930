"""What a request says, as a form or as JSON."""

import json
from typing import Final, cast
from urllib.parse import parse_qsl

from starlette.requests import Request

from deployments.rehearsal.slack.errors import Refused
from deployments.rehearsal.slack.objects import Json

_BEARER: Final = "bearer "


async def arguments_of(request: Request) -> Json:
    """Return the arguments of a call. Raises Refused."""
    found: Json = dict(request.query_params)
    body = await request.body()
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return found | _json(body)
    return found | form_of(body)


def form_of(body: bytes) -> dict[str, str]:
    """Return a form's fields; of one that comes twice the last."""
    return dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


def token_of(request: Request, arguments: Json) -> str:
    """Return the token of a call, from its header or among its arguments."""
    header = request.headers.get("authorization", "")
    if header.lower().startswith(_BEARER):
        return header[len(_BEARER) :].strip()
    return str(arguments.get("token") or "")


def _json(body: bytes) -> Json:
    if not body.strip():
        return {}
    try:
        found = json.loads(body)
    except ValueError:
        raise Refused("invalid_json") from None
    if not isinstance(found, dict):
        raise Refused("json_not_object")
    return cast("Json", found)
