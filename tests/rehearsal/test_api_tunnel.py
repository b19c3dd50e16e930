import asyncio
from collections.abc import Sequence

from deployments.rehearsal.cluster.programs import Request, Response
from deployments.rehearsal.cluster.web.tunnels import Tunnel


class Mirror:
    is_ready = True

    def start(self) -> None: ...

    def stop(self) -> None: ...

    async def answer(self, request: Request) -> Response:
        return Response(headers={"Connection": "x"}, body=request.method.encode() + request.body)

    async def run(self, command: Sequence[str]) -> tuple[int, bytes, bytes]:
        return 0, b"", b""


def through(*pieces: bytes) -> tuple[bytes, bool]:
    """Return what comes back, and whether the connection is over."""

    async def run() -> tuple[bytes, bool]:
        tunnel = Tunnel(Mirror(), 80)
        answers = [answer for piece in pieces async for answer in tunnel.answers(piece)]
        return b"".join(answers), tunnel.is_closed

    return asyncio.run(run())


def test_a_request_may_come_in_pieces_and_another_may_follow() -> None:
    answer, is_closed = through(
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Le",
        b"ngth: 2\r\n\r\na",
        b"b",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    )
    assert answer.count(b"HTTP/1.1 200") == 2
    assert b"POSTab" in answer
    assert not is_closed


def test_a_request_that_says_so_is_the_last() -> None:
    answer, is_closed = through(b"GET / HTTP/1.0\r\n\r\n")
    assert answer.endswith(b"GET")
    assert is_closed


def test_what_is_not_http_is_answered_and_ends_it() -> None:
    answer, is_closed = through(b"\x16\x03\x01\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert is_closed
