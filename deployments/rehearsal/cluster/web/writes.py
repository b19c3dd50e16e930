"""create, update, patch, delete, deletecollection."""

from typing import Any, Final

from starlette.responses import Response

from deployments.rehearsal.cluster.errors import (
    ApiError,
    Cause,
    bad_request,
    invalid_options,
    not_a_patch,
    unsupported_media_type,
)
from deployments.rehearsal.cluster.objects import (
    Json,
    metadata_of,
    name_of,
    namespace_of,
    object_in,
    uid_of,
)
from deployments.rehearsal.cluster.patching import PatchKind
from deployments.rehearsal.cluster.resources import PODS, SERVICEACCOUNTS, SERVICES
from deployments.rehearsal.cluster.shapes import check_shape
from deployments.rehearsal.cluster.store import Entry
from deployments.rehearsal.cluster.web.answers import encoded, success
from deployments.rehearsal.cluster.web.asks import Ask
from deployments.rehearsal.cluster.web.bodies import (
    check_delete_options,
    check_kind,
    check_known,
)
from deployments.rehearsal.cluster.web.negotiation import Form, media_type
from deployments.rehearsal.cluster.web.pages import Page
from deployments.rehearsal.cluster.web.reads import entries_of, selected
from deployments.rehearsal.cluster.web.telling import listed, teller

_CREATED: Final = 201
_OK: Final = 200
# Of these the deleted object is the answer, of others a Status.
_RETURNED: Final = frozenset({PODS, SERVICES, SERVICEACCOUNTS})


async def create(ask: Ask) -> Response:
    body = await ask.object()
    check_kind(ask, body)
    check_known(ask, body)
    obj = await ask.server.create(
        ask.resource,
        body,
        namespace=ask.place.namespace,
        caller=ask.caller,
        dry_run=ask.is_dry_run,
        manager=ask.manager,
    )
    return _told(ask, obj, status=_CREATED)


async def update(ask: Ask) -> Response:
    body = await ask.object()
    if ask.place.subresource != "scale":
        check_kind(ask, body)
        check_known(ask, body)
    metadata = metadata_of(body)
    if not metadata.get("name"):
        raise bad_request("name must be provided")
    if metadata["name"] != ask.place.name:
        raise bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL "
            f"({ask.place.name})"
        )
    if metadata.get("namespace", ask.place.namespace) != ask.place.namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    obj = await ask.server.update(
        ask.resource,
        body,
        namespace=ask.place.namespace,
        subresource=ask.place.subresource,
        caller=ask.caller,
        dry_run=ask.is_dry_run,
        manager=ask.manager,
    )
    return _told(ask, obj)


async def patch(ask: Ask) -> Response:
    kind = _patch_kind(ask)
    body = await ask.body()
    if kind is PatchKind.APPLY:
        _check_apply(ask, body)
    there = ask.server.store.get(ask.resource, ask.place.name, ask.place.namespace)
    obj = await ask.server.patch(
        ask.resource,
        ask.place.name,
        body,
        namespace=ask.place.namespace,
        kind=kind,
        subresource=ask.place.subresource,
        caller=ask.caller,
        dry_run=ask.is_dry_run,
        manager=ask.manager,
        force=ask.flag("force"),
    )
    return _told(ask, obj, status=_OK if there is not None else _CREATED)


def _patch_kind(ask: Ask) -> PatchKind:
    given = media_type(ask.connection.headers.get("content-type", "")).name
    is_custom = ask.resource.is_custom
    kinds = [one for one in PatchKind if one is not PatchKind.STRATEGIC or not is_custom]
    for kind in kinds:
        if kind.value == given:
            return kind
    if not is_custom:
        raise not_a_patch()
    raise unsupported_media_type([kind.value for kind in kinds])


def _check_apply(ask: Ask, body: Any) -> None:
    if not ask.query("fieldManager"):
        cause = Cause.required("fieldManager", "is required for apply patch")
        raise invalid_options("PatchOptions", cause)
    check_kind(ask, check_shape(ask.resource, body), is_strict=True)


async def delete(ask: Ask) -> Response:
    options = await _delete_options(ask)
    obj = await _deleted(ask, options, ask.place.name, ask.place.namespace)
    is_gone = ask.server.store.get(ask.resource, ask.place.name, ask.place.namespace) is None
    if not is_gone or ask.resource in _RETURNED:
        return _told(ask, obj)
    details: Json = {"name": ask.place.name}
    if ask.resource.group:
        details["group"] = ask.resource.group
    return success(details | {"kind": ask.resource.plural, "uid": uid_of(obj)})


async def delete_collection(ask: Ask) -> Response:
    options = await _delete_options(ask)
    found = entries_of(ask, selected(ask))
    for entry in found:
        try:
            await _deleted(ask, options, name_of(entry.object), namespace_of(entry.object))
        except ApiError as error:
            if error.reason != "NotFound":  # somebody else was first
                raise
    return encoded(listed(ask, Page(found, ask.server.store.version), is_filtered=True))


async def _deleted(ask: Ask, options: Json, name: str, namespace: str) -> Json:
    preconditions = object_in(options, "preconditions")
    return await ask.server.delete(
        ask.resource,
        name,
        namespace=namespace,
        caller=ask.caller,
        dry_run=ask.dry_run(options.get("dryRun") or []) or ask.is_dry_run,
        propagation=_propagation(ask, options),
        grace_seconds=options.get("gracePeriodSeconds", ask.number("gracePeriodSeconds")),
        uid=preconditions.get("uid"),
        resource_version=preconditions.get("resourceVersion"),
    )


async def _delete_options(ask: Ask) -> Json:
    options = await ask.object(default={})
    check_delete_options(options)
    return options


def _propagation(ask: Ask, options: Json) -> str | None:
    given = options.get("propagationPolicy") or ask.query("propagationPolicy")
    check_delete_options({"propagationPolicy": given or None})
    orphans = options.get("orphanDependents", ask.query("orphanDependents") or None)
    if orphans is not None and not given:
        given = "Orphan" if orphans in {True, "true", "1"} else "Background"
    return str(given) if given else None


def _told(ask: Ask, obj: Json, *, status: int = _OK) -> Response:
    if ask.place.subresource == "scale" or ask.form is Form.WHOLE:
        version = {} if ask.place.subresource == "scale" else {"apiVersion": ask.api_version}
        return encoded(Entry(obj | version).encoded, status=status)
    return encoded(teller(ask)(Entry(obj)), status=status)
