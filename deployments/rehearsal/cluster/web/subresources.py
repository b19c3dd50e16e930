"""The subresources that are not the object seen differently: eviction, binding, token, log."""

from typing import Final

from starlette.responses import PlainTextResponse, Response

from deployments.rehearsal.cluster.access import Access
from deployments.rehearsal.cluster.errors import bad_request, not_found
from deployments.rehearsal.cluster.objects import (
    Json,
    later_rfc3339,
    metadata_of,
    name_of,
    object_in,
    objects_in,
    spec_of,
)
from deployments.rehearsal.cluster.web.answers import told
from deployments.rehearsal.cluster.web.asks import Ask

_CREATED: Final = 201
_HOUR: Final = 3600
_SHORTEST: Final = 600
_LONGEST: Final = 2**32


async def evict(ask: Ask) -> Response:
    """Delete a pod, if its disruption budgets allow."""
    body = await ask.object()
    pod = _object(ask)
    options = object_in(body, "deleteOptions")
    is_dry_run = ask.dry_run(options.get("dryRun") or []) or ask.is_dry_run
    if ask.server.check_eviction is not None:
        await ask.server.check_eviction(ask.server, pod, dry_run=is_dry_run)
    await ask.server.delete(
        ask.resource,
        name_of(pod),
        namespace=ask.place.namespace,
        caller=ask.caller,
        dry_run=is_dry_run,
        grace_seconds=options.get("gracePeriodSeconds"),
    )
    return _done()


async def bind(ask: Ask) -> Response:
    """Put a pod on a node."""
    body = await ask.object()
    named = body | {"metadata": metadata_of(body) | {"name": ask.place.name}}
    await ask.server.update(
        ask.resource,
        named,
        namespace=ask.place.namespace,
        subresource="binding",
        caller=ask.caller,
        dry_run=ask.is_dry_run,
    )
    return _done()


async def log(ask: Ask) -> Response:
    """Answer with the log of a container, in which nothing ever stands."""
    pod = _object(ask)
    container = ask.query("container")
    spec = spec_of(pod)
    names = [
        one["name"] for one in objects_in(spec, "containers") + objects_in(spec, "initContainers")
    ]
    if container and container not in names:
        raise bad_request(f"container {container} is not valid for pod {name_of(pod)}")
    return PlainTextResponse("")


async def issue_token(ask: Ask, access: Access) -> Response:
    """Give a ServiceAccount a token."""
    body = await ask.object()
    account = _object(ask)
    spec = spec_of(body)
    seconds = int(spec.get("expirationSeconds") or _HOUR)
    if not _SHORTEST <= seconds <= _LONGEST:
        raise bad_request("may not specify a duration less than 10 minutes")
    token = access.tokens.issue(account, seconds=seconds, audiences=spec.get("audiences") or ())
    answer: Json = {
        "kind": "TokenRequest",
        "apiVersion": "authentication.k8s.io/v1",
        "metadata": {"name": ask.place.name, "namespace": ask.place.namespace},
        "spec": spec | {"expirationSeconds": seconds},
        "status": {"token": token, "expirationTimestamp": later_rfc3339(seconds)},
    }
    return told(answer, status=_CREATED)


def _object(ask: Ask) -> Json:
    found = ask.server.store.get(ask.resource, ask.place.name, ask.place.namespace)
    if found is None:
        raise not_found(ask.resource, ask.place.name)
    return found


def _done() -> Response:
    status: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return told(status | {"code": _CREATED}, status=_CREATED)
