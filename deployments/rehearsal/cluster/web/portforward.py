"""
Port-forwarding over a WebSocket, in the protocol of the Python client: `v4.channel.k8s.io`.

Two channels a port, one for its bytes and one for an error text; each begins with the port's number.
kubectl and istioctl speak SPDY instead, in a WebSocket or without one, which is not spoken here.
"""

from typing import Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from deployments.rehearsal.cluster.errors import bad_request
from deployments.rehearsal.cluster.objects import Json, uid_of
from deployments.rehearsal.cluster.programs import Programs
from deployments.rehearsal.cluster.web.tunnels import Tunnel

PROTOCOL: Final = "v4.channel.k8s.io"
_MOST: Final = 65535


def ports_of(websocket: WebSocket) -> list[int]:
    """Return the ports that are asked for. Raises ApiError (400)."""
    texts = [part for one in websocket.query_params.getlist("ports") for part in one.split(",")]
    if not texts:
        raise bad_request('query parameter "ports" is required')
    for text in texts:
        if not text.isdigit() or not 0 < int(text) <= _MOST:
            raise bad_request(f'unable to parse "{text}" as a port number')
    return [int(text) for text in texts]


async def forward(websocket: WebSocket, programs: Programs, pod: Json) -> None:
    """Carry bytes until one of the two sides ends."""
    ports = ports_of(websocket)
    await websocket.accept(PROTOCOL)
    for place, port in enumerate(ports):
        for channel in (2 * place, 2 * place + 1):
            await websocket.send_bytes(bytes([channel]) + port.to_bytes(2, "little"))
    carrying = _Carrying(websocket, programs, pod, ports)
    try:
        while await carrying.take(await websocket.receive_bytes()):
            pass
    except WebSocketDisconnect:
        return
    await websocket.close()


class _Carrying:
    def __init__(
        self, websocket: WebSocket, programs: Programs, pod: Json, ports: list[int]
    ) -> None:
        self._websocket = websocket
        self._programs = programs
        self._program = programs.of(pod)
        self._pod = pod
        self._ports = ports
        self._tunnels = (
            [Tunnel(self._program, port) for port in ports] if self._program is not None else []
        )

    async def take(self, message: bytes) -> bool:
        """Pass a message on, and say whether the connection goes on."""
        channel, data = message[:1], message[1:]
        if not data:  # to h11, no bytes would be the end of the connection
            return True
        place, is_error = divmod(channel[0], 2)
        if is_error or place >= len(self._ports):
            return True
        if self._program is None or self._programs.of(self._pod) is not self._program:
            await self._fail(place, "container is not running")
            return False
        tunnel = self._tunnels[place]
        try:
            async for answer in tunnel.answers(data):
                await self._websocket.send_bytes(bytes([2 * place]) + answer)
        except ConnectionRefusedError:
            await self._fail(
                place, f"dial tcp4 127.0.0.1:{self._ports[place]}: connect: connection refused"
            )
            return False
        except TimeoutError:
            return False
        return not tunnel.is_closed

    async def _fail(self, place: int, why: str) -> None:
        port, uid = self._ports[place], uid_of(self._pod)
        text = (
            f"error forwarding port {port} to pod {uid}, uid : failed to execute portforward in "
            f'network namespace "{uid}": failed to connect to localhost:{port} inside namespace '
            f'"{uid}": {why}'
        )
        await self._websocket.send_bytes(bytes([2 * place + 1]) + text.encode())
