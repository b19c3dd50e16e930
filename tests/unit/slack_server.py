"""
A Slack that answers as a test says, over real HTTP: one answer after the other for each method.

For what a well-behaved Slack seldom does; the rehearsal has one that behaves.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple

from aiohttp import web
from aiohttp.test_utils import TestServer

from tasks.adapters.slack import SlackApi
from tasks.domain.slack import Label, Message, Posted

TOKEN = "xoxb-1-never-shown"
TEAM, BOT, USER = "T0HOME", "B0OURS", "U0OURS"
US = {"ok": True, "team_id": TEAM, "user_id": USER, "bot_id": BOT}


class Reply(NamedTuple):
    """What to answer; or nothing, with a closed connection."""

    said: object = None
    status: int = 200
    headers: Mapping[str, str] = {}
    text: str | None = None  # instead of JSON
    content_type: str = "application/json"
    hangs_up: bool = False


OK = Reply({"ok": True})
LOST = Reply(hangs_up=True)


def error(word: str, **more: object) -> Reply:
    return Reply({"ok": False, "error": word, **more})


def limited(after: str | None = "7") -> Reply:
    return Reply(
        {"ok": False, "error": "ratelimited"},
        status=429,
        headers={} if after is None else {"Retry-After": after},
    )


class FakeTime:
    """Seconds that pass only where somebody waits."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.rests: list[float] = []

    def now(self) -> float:
        return self.seconds

    async def rest(self, seconds: float) -> None:
        self.rests.append(seconds)
        for _ in range(5):  # meanwhile others begin what they want to
            await asyncio.sleep(0)
        self.seconds += seconds


class Asked(NamedTuple):
    method: str
    arguments: Mapping[str, Any]
    at: float
    token: str


class FakeSlack:
    """Remembers what was asked, and when."""

    def __init__(self) -> None:
        self.time = FakeTime()
        self.asked: list[Asked] = []
        self.answers: defaultdict[str, list[Reply]] = defaultdict(list)
        self.url = ""

    def script(self, method: str, *replies: Reply) -> None:
        self.answers[method].extend(replies)

    def of(self, method: str) -> list[Asked]:
        return [one for one in self.asked if one.method == method]

    def api(self) -> SlackApi:
        base_url = f"{self.url}/api/"
        return SlackApi(TOKEN, base_url=base_url, now=self.time.now, rest=self.time.rest)

    async def respond(self, request: web.Request) -> web.StreamResponse:
        method = request.path.removeprefix("/api/")
        body = await request.text()
        arguments = json.loads(body) if body else dict(request.query)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.asked.append(Asked(method, arguments, self.time.now(), token))
        waiting = self.answers[method]
        reply = waiting.pop(0) if waiting else Reply(US if method == "auth.test" else {"ok": True})
        if reply.hangs_up:
            assert request.transport is not None
            request.transport.close()
        return web.Response(
            text=json.dumps(reply.said) if reply.text is None else reply.text,
            status=reply.status,
            headers=reply.headers,
            content_type=reply.content_type,
        )


@asynccontextmanager
async def serving() -> AsyncGenerator[FakeSlack]:
    slack = FakeSlack()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", slack.respond)
    async with TestServer(app) as server:
        slack.url = str(server.make_url("")).rstrip("/")
        yield slack


CHANNEL = "C0MESH"
MESSAGE = Message(text="hello", blocks=({"type": "divider"},))
LABEL = Label(cluster="east", run="r1", key="head", fingerprint=MESSAGE.fingerprint)
SINCE = datetime(2026, 1, 1, tzinfo=UTC)
POSTED = Reply({"ok": True, "channel": CHANNEL, "ts": "1767225600.000100"})

Call = Callable[[SlackApi], Awaitable[object]]


def post(api: SlackApi) -> Awaitable[Posted]:
    return api.post(CHANNEL, MESSAGE, label=LABEL, thread=None)


def update(api: SlackApi) -> Awaitable[None]:
    return api.update(CHANNEL, "1767225600.000100", MESSAGE, label=LABEL)


def heads(api: SlackApi) -> Awaitable[object]:
    return api.heads(CHANNEL, since=SINCE)


def members(api: SlackApi) -> Awaitable[object]:
    return api.members("S0MESH")


def whisper(api: SlackApi) -> Awaitable[None]:
    return api.whisper(CHANNEL, "U0ANN", "no", thread="1.2")


def modal(api: SlackApi) -> Awaitable[None]:
    return api.open_modal("1.2.trigger", {"type": "modal"})


def against(call: Call, **scripts: list[Reply]) -> FakeSlack:
    """Run one call against a Slack with a script; methods are named with `_` for `.`."""

    async def run() -> FakeSlack:
        async with serving() as slack:
            for method, replies in scripts.items():
                slack.script(method.replace("_", "."), *replies)
            await call(slack.api())
            return slack

    return asyncio.run(run())
