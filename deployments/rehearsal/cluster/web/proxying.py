"""The API server's own proxy to pods and Services, for reading."""

from dataclasses import dataclass
from typing import Final

from starlette.responses import Response

from deployments.rehearsal.cluster.errors import bad_request, not_found, unavailable
from deployments.rehearsal.cluster.network import SERVER_ADDRESS, NoEndpoint
from deployments.rehearsal.cluster.objects import Json, name_of, objects_in, ports_of, spec_of
from deployments.rehearsal.cluster.programs import Request
from deployments.rehearsal.cluster.programs import Response as Answer
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import PODS, SERVICES
from deployments.rehearsal.cluster.web.asks import Ask

_TIMEOUT: Final = 30.0
_HOP: Final = frozenset({"connection", "content-length", "transfer-encoding"})


@dataclass(frozen=True, slots=True)
class _Target:
    """What stands before `/proxy`: `name`, `name:port` or `scheme:name:port`."""

    name: str
    port: str


async def proxy(ask: Ask) -> Response:
    """Answer with what a pod, or a pod behind a Service, answers."""
    target = _target(ask.place.name)
    query = ask.connection.url.query
    request = Request(
        port=0,
        method="GET",
        path=f"/{ask.place.rest}{'?' if query else ''}{query}",
        headers={k: v for k, v in ask.connection.headers.items() if k != "authorization"},
        peer=SERVER_ADDRESS,
    )
    try:
        if ask.resource == SERVICES:
            answer = await _from_service(ask, target, request)
        else:
            answer = await _from_pod(ask, target, request)
    except NoEndpoint as error:
        raise unavailable(str(error)) from error
    except OSError as error:
        text = f"error trying to reach service: dial tcp: connect: connection refused ({error})"
        raise unavailable(text) from error
    headers = {k: v for k, v in answer.headers.items() if k.lower() not in _HOP}
    return Response(answer.body, status_code=answer.status, headers=headers)


def _target(text: str) -> _Target:
    parts = text.split(":")
    if len(parts) == 3:
        parts = parts[1:]
    name, port = (*parts, "")[:2]
    return _Target(name, port)


async def _from_service(ask: Ask, target: _Target, request: Request) -> Answer:
    service = _found(ask, SERVICES, target.name)
    for one in ports_of(spec_of(service)):
        if target.port in {"", str(one["port"]), one.get("name")}:
            network = ask.server.network
            namespace, port = ask.place.namespace, int(one["port"])
            return await network.call(target.name, namespace, port, request, timeout=_TIMEOUT)
    raise unavailable(f'no service port "{target.port}" found for service "{target.name}"')


async def _from_pod(ask: Ask, target: _Target, request: Request) -> Answer:
    pod = _found(ask, PODS, target.name)
    program = ask.server.programs.of(pod)
    if program is None:
        raise ConnectionRefusedError(f"nothing runs in {name_of(pod)}")
    port = _port(pod, target.port)
    own = Request(
        port=port, method="GET", path=request.path, headers=request.headers, peer=request.peer
    )
    return await program.answer(own)


def _port(pod: Json, text: str) -> int:
    if text.isdigit():
        return int(text)
    if text:
        raise bad_request(f"invalid port {text!r}")
    for container in objects_in(spec_of(pod), "containers"):
        for port in ports_of(container):
            return int(port["containerPort"])
    return 80


def _found(ask: Ask, resource: Resource, name: str) -> Json:
    found = ask.server.store.get(resource, name, ask.place.namespace)
    if found is None:
        raise not_found(resource, name)
    return found
