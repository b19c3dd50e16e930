"""
exec over a WebSocket, as kubectl and the Python client ask for it: `v5.channel.k8s.io` and `v4`.

Channel 1 is stdout, 2 is stderr, 3 says how it ended. Nothing here reads stdin.
"""

from typing import Final

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from deployments.rehearsal.cluster.errors import bad_request
from deployments.rehearsal.cluster.objects import Json, name_of, objects_in, spec_of, status_of
from deployments.rehearsal.cluster.programs import Program

PROTOCOLS: Final = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_STDOUT, _STDERR, _STATUS = (bytes([channel]) for channel in (1, 2, 3))
_OVER: Final = frozenset({"Succeeded", "Failed"})
_NOT_FOUND: Final = 126


def check(websocket: WebSocket, pod: Json) -> list[str]:
    """Return the command. Raises ApiError (400) if it cannot be run."""
    command = websocket.query_params.getlist("command")
    if not command:
        raise bad_request("you must specify at least 1 command for the container")
    container = websocket.query_params.get("container", "")
    spec = spec_of(pod)
    known = [one["name"] for kind in _KINDS for one in objects_in(spec, kind)]
    if container and container not in known:
        raise bad_request(f"container {container} is not valid for pod {name_of(pod)}")
    phase = status_of(pod).get("phase")
    if phase in _OVER:
        raise bad_request(
            f"cannot exec into a container in a completed pod; current phase is {phase}"
        )
    return command


_KINDS: Final = ("containers", "initContainers", "ephemeralContainers")


async def execute(
    websocket: WebSocket, program: Program | None, command: list[str], protocol: str
) -> None:
    """Run a command, and tell how it ended."""
    await websocket.accept(protocol)
    code, stdout, stderr = _NOT_FOUND, b"", b"nothing runs in this pod\n"
    if program is not None:
        code, stdout, stderr = await program.run(command)
    try:
        await websocket.send_bytes(_STDOUT)  # empty: the connection is there
        for channel, name, output in ((_STDOUT, "stdout", stdout), (_STDERR, "stderr", stderr)):
            if output and websocket.query_params.get(name, "") in {"true", "1"}:
                await websocket.send_bytes(channel + output)
        await websocket.send_bytes(_STATUS + msgspec.json.encode(_ended(code)))
        await websocket.close()
    except WebSocketDisconnect:
        return


def _ended(code: int) -> Json:
    if code == 0:
        return {"metadata": {}, "status": "Success"}
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"command terminated with non-zero exit code: command terminated with exit code {code}",
        "reason": "NonZeroExitCode",
        "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
    }
