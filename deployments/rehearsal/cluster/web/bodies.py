"""What a body must say besides being an object of the right shape."""

from collections.abc import Mapping
from typing import Final

from deployments.rehearsal.cluster.deletion import Propagation
from deployments.rehearsal.cluster.errors import ApiError, Cause, bad_request, invalid_options
from deployments.rehearsal.cluster.objects import Json, object_in
from deployments.rehearsal.cluster.shapes import is_number, is_texts
from deployments.rehearsal.cluster.web.asks import Ask

_SCHEME: Final = "pkg/runtime/scheme.go:110"  # where the real one keeps its kinds


def check_kind(ask: Ask, body: Json, *, is_strict: bool = False) -> None:
    """Refuse a body of another kind or version than the URL names. Raises ApiError (400)."""
    kind, version = body.get("kind"), body.get("apiVersion")
    if is_strict and not (kind and version):
        group, _, number = str(version or "/").rpartition("/")
        raise bad_request(f"invalid object type: {group}/{number}, Kind={kind or ''}")
    own = ask.resource.kind, ask.api_version
    given = str(kind or own[0]), str(version or own[1])
    if given != own:
        raise _unconvertible(ask, own, given)


def _unconvertible(ask: Ask, own: tuple[str, str], given: tuple[str, str]) -> ApiError:
    if ask.server.registry.of_kind(given[1], given[0]) is not None:
        why = f"converting ({given[1]}.{given[0]}) to ({own[0]}): unknown conversion"
    else:
        why = f'no kind "{given[0]}" is registered for version "{given[1]}" in scheme "{_SCHEME}"'
    number = given[1].rpartition("/")[2]
    return bad_request(f'{given[0]} in version "{number}" cannot be handled as a {own[0]}: {why}')


def check_known(ask: Ask, body: Json) -> None:
    """Refuse unknown fields, as far as they are known here, where validation is to be strict."""
    if ask.query("fieldValidation") != "Strict" or ask.resource.is_custom:
        return
    known = _METADATA
    unknown = [f"metadata.{name}" for name in object_in(body, "metadata") if name not in known]
    fields = _fields(ask)
    unknown += [name for name in body if fields and name not in fields]
    if unknown:
        named = ", ".join(f'unknown field "{name}"' for name in unknown)
        kind = ask.resource.kind
        raise bad_request(
            f'{kind} in version "{ask.resource.version}" cannot be handled as a {kind}: '
            f"strict decoding error: {named}"
        )


def _fields(ask: Ask) -> frozenset[str]:
    """Return the fields of a kind's objects, none if they are not known here."""
    own = _OWN_FIELDS.get(ask.resource.plural)
    if own is None and ask.resource.has_status:
        own = frozenset({"spec", "status"})
    return own | {"apiVersion", "kind", "metadata"} if own else frozenset()


_OWN_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "clusterroles": frozenset({"aggregationRule", "rules"}),
    "configmaps": frozenset({"binaryData", "data", "immutable"}),
    "leases": frozenset({"spec"}),
    "roles": frozenset({"rules"}),
    "secrets": frozenset({"data", "immutable", "stringData", "type"}),
}
_METADATA: Final = frozenset(
    {
        "annotations",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "labels",
        "managedFields",
        "name",
        "namespace",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)


def check_delete_options(options: Json) -> None:
    """Refuse DeleteOptions of the wrong types, and policies that are none. Raises ApiError."""
    grace = options.get("gracePeriodSeconds")
    if grace is not None and not is_number(grace):
        raise _junk("gracePeriodSeconds", "int64")
    if not isinstance(options.get("preconditions") or {}, dict):
        raise _junk("preconditions", "v1.Preconditions")
    if not is_texts(options.get("dryRun") or []):
        raise _junk("dryRun", "[]string")
    policy = options.get("propagationPolicy")
    if policy is not None and policy not in set(Propagation):
        cause = Cause.unsupported(
            "propagationPolicy", str(policy), ["Foreground", "Background", "Orphan", "nil"]
        )
        raise invalid_options("DeleteOptions", cause)


def _junk(field: str, kind: str) -> ApiError:
    # The real server takes this for a failure of its own.
    text = (
        f"json: cannot unmarshal string into Go struct field DeleteOptions.{field} of type {kind}"
    )
    return ApiError(500, "", text)
