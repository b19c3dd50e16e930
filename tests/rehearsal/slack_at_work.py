"""A Slack for one test, and Slack's own clients, which judge it."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import cast

from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.handler import RetryHandler
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web import WebClient
from slack_sdk.web.async_client import AsyncWebClient

from deployments.rehearsal.slack.objects import Json
from deployments.rehearsal.slack.running import RunningSlack
from deployments.rehearsal.slack.serving import serving
from deployments.rehearsal.slack.state import Slack
from deployments.rehearsal.slack.workspace import (
    ALICE,
    BOB,
    MALLORY,
    RANDOM,
    UPGRADES,
    Workspace,
    default_workspace,
)
from deployments.rehearsal.slack.workspace import App as Application

CHANNEL, ELSEWHERE = UPGRADES.id, RANDOM.id
WHO, OTHER, STRANGER = ALICE.id, BOB.id, MALLORY.id
COMMAND = "/istio-canary"


class Hand:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.time = 1_732_500_000.0

    def __call__(self) -> float:
        return self.time


@contextmanager
def at_work(
    *,
    workspace: Workspace | None = None,
    rates: float | None = None,
    now: Hand | None = None,
    patience: float = 3.0,
) -> Iterator[RunningSlack]:
    """Serve a Slack that limits nobody unless it is told to."""
    slack = (
        Slack(workspace, rates=rates, patience=patience, now=now)
        if now
        else Slack(workspace, rates=rates, patience=patience)
    )
    with serving(slack) as running:
        yield running


def with_app(app: Application) -> Workspace:
    return replace(default_workspace(), app=app)


def client(
    slack: RunningSlack, *, token: str | None = None, retrying: list[RetryHandler] | None = None
) -> WebClient:
    """Return Slack's client, which repeats nothing by itself unless it is told to."""
    return WebClient(
        token=slack.app.bot_token if token is None else token,
        base_url=slack.api_url,
        retry_handlers=retrying or [],
    )


def refused(call: Callable[[], object]) -> Json:
    """Return what Slack said no with."""
    try:
        call()
    except SlackApiError as error:
        return cast("Json", error.response.data)
    raise AssertionError("it was not refused")


def text(words: str) -> Json:
    return {"type": "plain_text", "text": words}


def button(action_id: str = "go", **more: object) -> Json:
    return {"type": "button", "text": text("Go"), "action_id": action_id, "value": "1"} | more


def actions(*elements: Json) -> Json:
    return {"type": "actions", "block_id": "votes", "elements": list(elements)}


def ask(slack: RunningSlack, *elements: Json) -> str:
    """Post a message with a button, or with what is given; return its ts."""
    answer = client(slack).chat_postMessage(
        channel=CHANNEL, text="Go?", blocks=[actions(*(elements or (button(),)))]
    )
    return str(answer["ts"])


class App:
    """An app that acknowledges what it is told, and remembers it."""

    def __init__(self, answer: Callable[[SocketModeRequest], Json | None]) -> None:
        self.told: list[SocketModeRequest] = []
        self._answer = answer

    async def listen(self, speaker: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        self.told.append(request)
        answer = SocketModeResponse(envelope_id=request.envelope_id, payload=self._answer(request))
        await speaker.send_socket_mode_response(answer)


def _nothing(_: SocketModeRequest) -> Json | None:
    return None


@asynccontextmanager
async def app_on(
    slack: RunningSlack,
    answer: Callable[[SocketModeRequest], Json | None] = _nothing,
    *,
    ping_interval: float = 5,
) -> AsyncIterator[App]:
    """Connect an app with Slack's own Socket Mode client."""
    web = AsyncWebClient(token=slack.app.bot_token, base_url=slack.api_url)
    speaker = SocketModeClient(
        app_token=slack.app.app_token, web_client=web, ping_interval=ping_interval
    )
    app = App(answer)
    speaker.socket_mode_request_listeners.append(app.listen)
    before = slack.connections()
    await speaker.connect()  # type: ignore[no-untyped-call]
    try:
        await slack.until(lambda: slack.connections() > before)
        yield app
    finally:
        await speaker.close()  # type: ignore[no-untyped-call]
