"""A watch's answer, line by line, which another thread can end."""

import contextlib
from collections.abc import Iterator
from typing import Final, Self

import urllib3
import urllib3.exceptions

from tasks.adapters.kubernetes_errors import breakdown

_CHUNK: Final = 65536


class Lines:
    """The lines of a streamed answer."""

    def __init__(self, response: urllib3.BaseHTTPResponse, *, host: str) -> None:
        self._response = response
        self._host = host
        self._lines = self._read()
        self._is_stopped = False

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        return next(self._lines)

    def stop(self) -> None:
        """End the iteration, from any thread, also while another waits in it."""
        self._is_stopped = True
        # Not close(): it would wait for the reader. What has ended has nothing to shut down.
        with contextlib.suppress(ValueError, RuntimeError, OSError):
            self._response.shutdown()

    def _read(self) -> Iterator[bytes]:
        rest = b""
        try:
            for chunk in self._response.stream(_CHUNK):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (line for line in lines if line)
        except ValueError:
            # What a TLS connection says when it is shut down while it is read.
            if not self._is_stopped:
                raise
        except urllib3.exceptions.HTTPError as error:
            if not self._is_stopped:
                raise breakdown(error, host=self._host) from error
        if rest and not self._is_stopped:
            yield rest
