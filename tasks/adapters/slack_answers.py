"""
Answers to whoever clicked or typed, by the `response_url` that came with it.

Such an address is as good as a token for half an hour, and arrives from outside: it is neither
shown nor trusted.
"""

import asyncio
import json
import math
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import SplitResult, urlsplit

import aiohttp
from slack_sdk.webhook.async_client import AsyncWebhookClient

from tasks.adapters.slack_calls import SLACK, is_loopback, parse_base, silent
from tasks.domain.errors import RefusedError, TransientError, UpgradeError

_Origin = tuple[str, str | None, int | None]

_HOOKS: Final[_Origin] = ("https", "hooks.slack.com", None)
_LATE: Final = frozenset({"expired_url", "used_url"})
# Each has a connection of its own, and a process not so many.
_AT_ONCE: Final = 50
_GONE: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


class ResponseUrls:
    """Sends text that only one person sees."""

    def __init__(self, *, base_url: str, timeout: timedelta) -> None:
        self._timeout = math.ceil(timeout.total_seconds())
        # The rehearsal's Slack hands out addresses of its own.
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._allowed: set[_Origin] = {_HOOKS}
        if base_url != SLACK:
            self._allowed.add(_origin(parse_base(base_url)))

    async def send(self, response_url: str, text: str, *, thread: str | None) -> bool:
        """Answer; False when Slack takes no more answers there."""
        address = self._parsed(response_url)
        client = AsyncWebhookClient(
            response_url, timeout=self._timeout, logger=silent(), retry_handlers=[]
        )
        if is_loopback(address):
            client.proxy = None
        failure: UpgradeError
        try:
            async with self._places:
                answer = await client.send_dict(_body(text, thread))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            failure = TransientError("Slack could not be told an answer: the connection failed")
        else:
            status = answer.status_code
            if (word := _error(answer.body)) is None and status == HTTPStatus.OK:
                return True
            if status in _GONE or word in _LATE:
                return False
            failure = _failed(status)
        raise failure

    def _parsed(self, response_url: str) -> SplitResult:
        try:
            address = urlsplit(response_url)
            is_allowed = _origin(address) in self._allowed and "@" not in address.netloc
        except ValueError:
            is_allowed, address = False, SplitResult("", "", "", "", "")
        if not is_allowed:
            raise RefusedError("an answer was to go to an address that is not Slack's")
        return address


def _body(text: str, thread: str | None) -> dict[str, Any]:
    body = {"text": text, "response_type": "ephemeral", "replace_original": False}
    return body if thread is None else body | {"thread_ts": thread}


def _origin(address: SplitResult) -> _Origin:
    return address.scheme, address.hostname, address.port


def _failed(status: int) -> UpgradeError:
    said = f"Slack answered an answer with {status}"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return TransientError(said)
    return RefusedError(said)


def _error(body: str) -> str | None:
    """Return the word in an answer that says no; the usual one is no JSON but `ok`."""
    try:
        said = json.loads(body)
    except ValueError:
        return None
    if not isinstance(said, dict) or (fields := cast("dict[str, Any]", said)).get("ok") is True:
        return None
    return str(fields.get("error", "unknown"))
