"""One TCP connection into a pod, as it looks from the pod: HTTP/1.1 requests, answered one by one."""

from collections.abc import AsyncIterator
from typing import Final

import h11

from deployments.rehearsal.cluster.programs import Program, Request, Response

_BAD_REQUEST: Final = 400
_HOP: Final = frozenset({"connection", "content-length", "transfer-encoding"})


class Tunnel:
    """Bytes in, bytes out; the program behind the port answers."""

    def __init__(self, program: Program, port: int) -> None:
        self._program = program
        self._port = port
        self._connection = h11.Connection(h11.SERVER)
        self._request: h11.Request | None = None
        self._body = b""
        self.is_closed = False

    async def answers(self, data: bytes) -> AsyncIterator[bytes]:
        """
        Yield what comes back for some bytes. An empty piece is the end of the connection.

        Raises ConnectionRefusedError if nothing listens on the port.
        """
        self._connection.receive_data(data)
        while True:
            try:
                event = self._connection.next_event()
            except h11.RemoteProtocolError as error:
                answer = Response(status=_BAD_REQUEST, body=str(error).encode())
                yield self._written(answer)
                self.is_closed = True
                return
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return
            if isinstance(event, h11.ConnectionClosed):
                self.is_closed = True
                return
            if isinstance(event, h11.EndOfMessage):
                yield self._written(await self._answered())
                if self._connection.our_state is h11.MUST_CLOSE:
                    self.is_closed = True
                    return
                self._connection.start_next_cycle()
            else:
                self._take(event)

    def _take(self, event: object) -> None:
        if isinstance(event, h11.Request):
            self._request, self._body = event, b""
        elif isinstance(event, h11.Data):
            self._body += bytes(event.data)

    async def _answered(self) -> Response:
        request = self._request
        if request is None:
            raise ValueError("a message ended that never began")
        return await self._program.answer(
            Request(
                port=self._port,
                method=request.method.decode(),
                path=request.target.decode(),
                headers={name.decode(): value.decode() for name, value in request.headers},
                body=self._body,
            )
        )

    def _written(self, response: Response) -> bytes:
        headers = [(k, v) for k, v in response.headers.items() if k.lower() not in _HOP]
        headers.append(("Content-Length", str(len(response.body))))
        parts = (
            self._connection.send(h11.Response(status_code=response.status, headers=headers)),
            self._connection.send(h11.Data(data=response.body)),
            self._connection.send(h11.EndOfMessage()),
        )
        return b"".join(part or b"" for part in parts)
