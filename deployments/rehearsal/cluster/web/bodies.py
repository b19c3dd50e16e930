"""What a body must say besides being an object of the right shape."""

from deployments.rehearsal.cluster.deletion import Propagation
from deployments.rehearsal.cluster.errors import Cause, bad_request, invalid_options
from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.cluster.shapes import is_number, is_texts
from deployments.rehearsal.cluster.web.asks import Ask


def check_kind(ask: Ask, body: Json, *, is_strict: bool = False) -> None:
    """Refuse a body of another kind or version than the URL names. Raises ApiError (400)."""
    kind, version = body.get("kind"), body.get("apiVersion")
    if is_strict and not (kind and version):
        missing = "Kind" if not kind else "apiVersion"
        raise bad_request(f"Object '{missing}' is missing in the applied configuration")
    if kind not in {None, "", ask.resource.kind}:
        raise bad_request(
            f'{kind} in version "{ask.place.version}" cannot be handled as a '
            f'{ask.resource.kind}: no kind "{kind}" is registered for version '
            f'"{version or ask.api_version}" in scheme'
        )
    if version not in {None, "", ask.api_version}:
        raise bad_request(
            f"the API version in the data ({version}) does not match the expected API version "
            f"({ask.api_version})"
        )


def check_delete_options(options: Json) -> None:
    """Refuse DeleteOptions of the wrong types, and policies that are none. Raises ApiError."""
    grace = options.get("gracePeriodSeconds")
    if grace is not None and not is_number(grace):
        raise bad_request("json: cannot unmarshal into DeleteOptions.gracePeriodSeconds")
    if not isinstance(options.get("preconditions") or {}, dict):
        raise bad_request("json: cannot unmarshal into DeleteOptions.preconditions")
    if not is_texts(options.get("dryRun") or []):
        raise bad_request("json: cannot unmarshal into DeleteOptions.dryRun")
    policy = options.get("propagationPolicy")
    if policy is not None and policy not in set(Propagation):
        cause = Cause.unsupported("propagationPolicy", str(policy), [*Propagation, "nil"])
        raise invalid_options("DeleteOptions", cause)
