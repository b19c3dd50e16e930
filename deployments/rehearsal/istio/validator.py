"""
Answers AdmissionReviews for Istio's own configuration: what is plainly wrong is denied.

Of the real one's many rules, those that people meet first; all else is allowed.
"""

from collections.abc import Iterator, Mapping
from typing import Final, cast

from deployments.rehearsal.cluster.objects import Json, annotations_of, spec_of

_REJECTED: Final = "internal.istio.io/webhook-always-reject"
_FRAGILE: Final = (
    "EnvoyFilter exposes internal implementation details that may change at any time. "
    "Prefer other APIs if possible, and exercise extreme caution, especially around upgrades."
)


def response(uid: str, obj: Json) -> Json:
    """Return the AdmissionReview that answers."""
    errors = list(_errors(obj))
    answer: Json = {"uid": uid, "allowed": not errors}
    if errors:
        answer["status"] = {
            "metadata": {},
            "status": "Failure",
            "reason": "BadRequest",
            "message": f"configuration is invalid: {_joined(errors)}",
            "code": 400,
        }
    elif obj.get("kind") == "EnvoyFilter":
        answer["warnings"] = [_FRAGILE]
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": answer}


def _joined(errors: list[str]) -> str:
    if len(errors) == 1:
        return errors[0]
    points = "\n\t".join(f"* {one}" for one in errors)
    return f"{len(errors)} errors occurred:\n\t{points}\n\n"


def _errors(obj: Json) -> Iterator[str]:
    if annotations_of(obj).get(_REJECTED) == "true":
        yield f'"{_REJECTED}" annotation found, rejecting'
    spec = spec_of(obj)
    if obj.get("kind") == "VirtualService":
        yield from _of_virtual_service(spec)
    elif obj.get("kind") == "DestinationRule" and not spec.get("host"):
        yield "host must be provided in destination rule"
    elif obj.get("kind") == "Gateway" and not spec.get("servers"):
        yield "gateway must have at least one server"


def _of_virtual_service(spec: Mapping[str, object]) -> Iterator[str]:
    if not spec.get("hosts"):
        yield "virtual service must have at least one host"
    protocols = [cast("list[Json]", spec.get(one) or []) for one in ("http", "tcp", "tls")]
    if not any(protocols):
        yield "http, tcp or tls must be provided in virtual service"
    for rule in (one for rules in protocols for one in rules):
        yield from _of_destinations(cast("list[Json]", rule.get("route") or []))


def _of_destinations(destinations: list[Json]) -> Iterator[str]:
    weights = [int(one.get("weight") or 0) for one in destinations]
    negative = [weight for weight in weights if weight < 0]
    for weight in negative:
        yield f"weight {weight} < 0"
    if len(weights) > 1 and not negative and not sum(weights):
        yield "total destination weight = 0"
