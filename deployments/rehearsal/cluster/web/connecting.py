"""The connections that pods have over WebSockets: port-forward and exec."""

from collections.abc import Sequence

from starlette.websockets import WebSocket

from deployments.rehearsal.cluster.errors import bad_request, not_found, unknown_path
from deployments.rehearsal.cluster.resources import PODS
from deployments.rehearsal.cluster.verbs import Server
from deployments.rehearsal.cluster.web import execution, portforward
from deployments.rehearsal.cluster.web.paths import Place


async def connect(websocket: WebSocket, server: Server, place: Place) -> None:
    """Serve one connection to its end. Raises ApiError before it has begun."""
    pod = server.store.get(PODS, place.name, place.namespace)
    if pod is None:
        raise not_found(PODS, place.name)
    match place.subresource:
        case "portforward":
            _protocol(websocket, [portforward.PROTOCOL])
            await portforward.forward(websocket, server.programs, pod)
        case "exec":
            protocol = _protocol(websocket, execution.PROTOCOLS)
            command = execution.check(websocket, pod)
            await execution.execute(websocket, server.programs.of(pod), command, protocol)
        case _:
            raise unknown_path()


def _protocol(websocket: WebSocket, spoken: Sequence[str]) -> str:
    """Return the first protocol that both speak. Raises ApiError (400) if there is none."""
    offered: list[str] = websocket.scope["subprotocols"]
    for protocol in spoken:
        if protocol in offered:
            return protocol
    raise bad_request(f"unable to upgrade: no protocol of {offered} is spoken here")
