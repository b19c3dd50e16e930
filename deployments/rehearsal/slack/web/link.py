"""The WebSockets of Socket Mode."""

import contextlib
import json

from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from deployments.rehearsal.slack.errors import Refused
from deployments.rehearsal.slack.objects import Json, object_of
from deployments.rehearsal.slack.state import Slack
from deployments.rehearsal.slack.web.hanging_up import hang_up, transport_of

_GONE = (WebSocketDisconnect, RuntimeError)  # what comes of speaking to one who has left


class Link:
    """Lets apps in that have a ticket."""

    def __init__(self, slack: Slack) -> None:
        self._slack = slack

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        websocket = WebSocket(scope, receive, send)
        if self._slack.faults.is_down:
            hang_up(receive)
            return
        try:
            self._slack.hub.redeem(websocket.query_params.get("ticket", ""))
        except Refused:
            await websocket.close()  # before it was accepted: the answer is 403
            return
        await websocket.accept()
        await self._serve(websocket, receive)

    async def _serve(self, websocket: WebSocket, receive: Receive) -> None:
        hub = self._slack.hub
        number = await hub.join(Line(websocket, receive))
        try:
            while True:
                text = await websocket.receive_text()
                with contextlib.suppress(ValueError):
                    hub.acknowledge(object_of(json.loads(text)))
        except _GONE:
            return
        finally:
            hub.leave(number)


class Line:
    """One connection."""

    def __init__(self, websocket: WebSocket, receive: Receive) -> None:
        self._websocket = websocket
        self._transport = transport_of(receive)

    async def send(self, document: Json) -> None:
        with contextlib.suppress(*_GONE):
            await self._websocket.send_text(json.dumps(document))

    async def close(self) -> None:
        with contextlib.suppress(*_GONE):
            await self._websocket.close()

    def abort(self) -> None:
        self._transport.abort()

    def mute(self) -> None:
        """Read nothing any more: not even pings, so that nothing answers them."""
        self._transport.pause_reading()

    def unmute(self) -> None:
        self._transport.resume_reading()
