"""
One call of Slack's Web API: waiting for our turn, asking, and knowing what a failure means.

slack-sdk's own retries are off, because they post a message again whose answer was lost. Its errors
hold tokens and bodies, and its log does too: none of them becomes a cause, and it has no log.
"""

import asyncio
import logging
import math
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final, cast
from urllib.parse import SplitResult, urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tasks.adapters.slack_errors import translated, unsure
from tasks.adapters.slack_pacing import Pacer
from tasks.domain.errors import BadInputError, RefusedError, TransientError, UpgradeError
from tasks.domain.slack_methods import Method

Json = Mapping[str, Any]

SLACK: Final = "https://slack.com/api/"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_TRIES: Final = 4
_FIRST_PAUSE: Final = 0.5
_PATIENCE: Final = 60.0  # seconds that one call waits because Slack said Retry-After
_SECONDS: Final = re.compile(r"\d{1,6}")
_UNSAID: Final = 30.0
_LIMITED: Final = frozenset({"ratelimited", "rate_limited"})

# What may be done twice, and looks the same afterwards.
_REPEATABLE: Final = frozenset(Method) - {Method.POST, Method.WHISPER, Method.MODAL}
_GETS: Final = frozenset({Method.HISTORY, Method.REPLIES, Method.MEMBERS})
_PACED: Final = frozenset({Method.POST, Method.UPDATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What to ask of Slack."""

    method: Method
    arguments: Mapping[str, object]
    channel: str = ""
    target: str = ""  # what it is about, for errors; the channel if empty
    patience: float = _PATIENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Slack said, and the scopes of the token that we asked with."""

    json: Json
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    status: int
    json: Json
    headers: Mapping[str, str]


class _Limited(TransientError):
    """Slack wants fewer calls; this one did nothing."""

    def __init__(self, method: Method, after: float) -> None:
        super().__init__(
            f"Slack limits {method.name_in_slack}; it takes the next one in {after:.0f} s"
        )
        self.after = after


class _NotSent(TransientError):
    """Nothing was asked: there was no connection."""


def silent() -> logging.Logger:
    """Return a logger for slack_sdk that drops everything: it would write tokens and bodies."""
    # Of its own, so that no setting of the root's reaches it.
    return logging.Logger("slack_sdk, unheard", level=logging.CRITICAL + 1)  # noqa: LOG001


def parse_base(base_url: str) -> SplitResult:
    """Return the API's address. Raises BadInputError for one that a token must not be sent to."""
    try:
        url = urlsplit(base_url)
        _ = url.port
    except ValueError as error:
        raise BadInputError("the address of Slack's API is no URL") from error
    is_private = url.scheme == "https" or (url.scheme == "http" and url.hostname in _LOOPBACK)
    if not is_private or not url.hostname or "@" in url.netloc or url.query or url.fragment:
        raise BadInputError(f"the address of Slack's API is https://HOST/api/, by default {SLACK}")
    return url


def is_loopback(url: SplitResult) -> bool:
    """Whether a host is this machine: no proxy stands between us and ourselves."""
    return url.hostname in _LOOPBACK


class SlackCalls:
    """Asks Slack, with one token."""

    def __init__(
        self,
        token: str,
        *,
        base_url: str = SLACK,
        timeout: timedelta = timedelta(seconds=10),
        now: Callable[[], float] = time.monotonic,
        rest: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        address = parse_base(base_url)
        self._host = address.hostname or ""
        self._now = now
        self._rest = rest
        self._pacer = Pacer(now=now, rest=rest)
        self._not_before: dict[tuple[Method, str], float] = {}
        # Without a session each call has a connection of its own: one that was idle for long, and
        # that Slack has closed, would look like a lost answer.
        self._client = AsyncWebClient(
            token=token,
            base_url=base_url,
            timeout=math.ceil(timeout.total_seconds()),
            logger=silent(),
            retry_handlers=[],
        )
        if is_loopback(address):
            self._client.proxy = None

    async def ask(self, ask: Ask) -> Answer:
        """Return Slack's answer, however often it takes to get one; a lost post is never repeated."""
        method, patience, tries = ask.method, ask.patience, 0
        while True:
            patience -= await self._wait_for_limit(ask, patience)
            try:
                async with self._turn(ask):
                    return await self._once(ask)
            except _Limited as limited:
                self._not_before[method, ask.channel] = self._now() + limited.after
            except TransientError as error:
                tries += 1
                if tries == _TRIES or not (method in _REPEATABLE or isinstance(error, _NotSent)):
                    raise
                await self._rest(_FIRST_PAUSE * 2 ** (tries - 1))

    async def _wait_for_limit(self, ask: Ask, patience: float) -> float:
        """Wait until Slack takes this again, and return how long that was."""
        start = self._now()
        key = ask.method, ask.channel
        # Others may be limited while we wait, so the moment may move.
        while (pause := self._not_before.get(key, start) - self._now()) > 0:
            if self._now() + pause - start > patience:
                raise _Limited(ask.method, pause)
            await self._rest(pause)
        return self._now() - start

    @asynccontextmanager
    async def _turn(self, ask: Ask) -> AsyncGenerator[None]:
        if ask.method not in _PACED:
            yield
            return
        async with self._pacer.turn(ask.channel, is_update=ask.method is Method.UPDATE):
            yield

    async def _once(self, ask: Ask) -> Answer:
        arguments = dict(ask.arguments)
        name = ask.method.name_in_slack
        try:
            if ask.method in _GETS:
                response = await self._client.api_call(name, http_verb="GET", params=arguments)
            else:
                response = await self._client.api_call(name, json=arguments)
        except SlackApiError as error:
            failure = self._refused(ask, _heard(cast("object", error.response)))
        except aiohttp.ClientConnectorCertificateError:
            failure = RefusedError(f"the certificate of {self._host} is not trusted here")
        except aiohttp.ClientConnectorError:
            failure = _NotSent(f"Slack at {self._host} cannot be reached")
        except (aiohttp.ClientError, OSError, TimeoutError):
            failure = unsure(ask.method, f"Slack at {self._host} gave no answer to {name}")
        except (AttributeError, ValueError):
            # slack_sdk stumbles over an answer that is JSON, or text, but no object.
            failure = self._unfit(ask)
        else:
            heard = _heard(response)
            return Answer(json=heard.json, scopes=_scopes(heard.headers))
        raise failure

    def _refused(self, ask: Ask, heard: _Heard) -> UpgradeError:
        word = heard.json.get("error")
        if heard.status == HTTPStatus.TOO_MANY_REQUESTS or word in _LIMITED:
            return _Limited(ask.method, _after(heard.headers))
        if isinstance(word, str):
            target = ask.target or ask.channel
            return translated(ask.method, word, needed=heard.json.get("needed"), target=target)
        if heard.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            name = ask.method.name_in_slack
            return unsure(ask.method, f"Slack at {self._host} answered {name} with {heard.status}")
        return self._unfit(ask)

    def _unfit(self, ask: Ask) -> UpgradeError:
        said = f"what answers {ask.method.name_in_slack} at {self._host} is not Slack's API"
        return unsure(ask.method, said) if ask.method is Method.POST else RefusedError(said)


def _heard(response: object) -> _Heard:
    # slack_sdk hands over aiohttp's own response when the body was no JSON, though it said so.
    if isinstance(response, aiohttp.ClientResponse):
        return _Heard(status=response.status, json={}, headers=response.headers)
    said = cast("Any", response)  # half of an AsyncSlackResponse has no types
    return _Heard(
        status=said.status_code,
        json=cast("Json", said.data) if isinstance(said.data, dict) else {},  # bytes, for downloads
        headers=said.headers,
    )


def _scopes(headers: Mapping[str, str]) -> frozenset[str]:
    named = headers.get("X-OAuth-Scopes", "").split(",")
    return frozenset(scope.strip() for scope in named if scope.strip())


def _after(headers: Mapping[str, str]) -> float:
    said = headers.get("Retry-After", "").strip()
    return max(1.0, float(said)) if _SECONDS.fullmatch(said) else _UNSAID
