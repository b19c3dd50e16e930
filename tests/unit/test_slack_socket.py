"""What people do in Slack, heard over real WebSockets from the rehearsal's Slack."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from deployments.rehearsal.slack.objects import Outcome
from deployments.rehearsal.slack.running import RunningSlack
from deployments.rehearsal.slack.serving import serving
from deployments.rehearsal.slack.workspace import ALICE, UPGRADES
from tasks.adapters.slack_socket import SocketMode
from tasks.domain.errors import RefusedError, TransientError
from tests.unit import slack_server

Payload = Mapping[str, Any]
PING = 0.2
COMMAND = "/istio-canary"


@pytest.fixture
def slack() -> Iterator[RunningSlack]:
    with serving() as running:
        yield running


class Heard:
    """What was heard, and what is answered."""

    def __init__(self) -> None:
        self.all: list[tuple[str, Payload]] = []
        self.answer: Payload | None = None
        self.error: Exception | None = None
        self.waited: list[float] = []

    def __call__(self, kind: str, payload: Payload) -> Payload | None:
        self.all.append((kind, payload))
        if self.error is not None:
            raise self.error
        return self.answer

    def texts(self) -> list[str]:
        return [str(payload.get("text")) for _, payload in self.all]


def socket_of(slack: RunningSlack, heard: Heard, *, token: str | None = None) -> SocketMode:
    return SocketMode(
        slack.app.app_token if token is None else token,
        hear=heard,
        acknowledged=heard.waited.append,
        base_url=slack.api_url,
        ping=PING,
    )


@asynccontextmanager
async def connected(slack: RunningSlack, heard: Heard) -> AsyncGenerator[SocketMode]:
    socket = socket_of(slack, heard)
    await socket.connect()
    try:
        yield socket
    finally:
        await socket.close()


def during(
    slack: RunningSlack, heard: Heard, script: Callable[[SocketMode], Awaitable[None]]
) -> SocketMode:
    """Run a script while connected; leave nothing running behind."""

    async def run() -> SocketMode:
        async with connected(slack, heard) as socket:
            await script(socket)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=3)
        assert not [one for one in others if not one.done()]
        return socket

    return asyncio.run(run())


async def typed(slack: RunningSlack, text: str) -> Outcome:
    return await asyncio.to_thread(slack.command, ALICE.id, UPGRADES.id, COMMAND, text)


async def acknowledged(slack: RunningSlack) -> None:
    """Type until it is heard: slack-sdk may connect twice, and what is typed meanwhile is lost."""
    async with asyncio.timeout(10):
        while not (await typed(slack, "status")).acknowledged:
            pass


async def delivered(slack: RunningSlack, kind: str, payload: object) -> Payload | None:
    """Send an envelope as it is, and return what it was acknowledged with."""
    sending = slack.slack.hub.deliver(kind, payload, patience=0.7)  # type: ignore[arg-type]
    future = asyncio.run_coroutine_threadsafe(sending, slack.loop)
    return await asyncio.wrap_future(future)


async def sent(slack: RunningSlack, *texts: str) -> None:
    """Send texts as they are, JSON or not."""
    await slack.until(lambda: slack.connections() == 1)
    line: Any = next(iter(slack.slack.hub.lines.values()))

    async def send() -> None:
        for text in texts:
            await line._websocket.send_text(text)  # noqa: SLF001 - a Slack of our own sends JSON

    await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(send(), slack.loop))


def test_a_command_is_acknowledged_and_heard(slack: RunningSlack) -> None:
    heard = Heard()

    async def script(socket: SocketMode) -> None:
        outcome = await typed(slack, "status")
        assert outcome.acknowledged
        await slack.until(lambda: heard.texts() == ["status"])
        assert heard.all[0][0] == "slash_commands"
        assert len(heard.waited) == 1
        assert socket.silent_for() < 1

    during(slack, heard, script)


def test_a_click_is_acknowledged_whatever_becomes_of_it(
    slack: RunningSlack, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard()
    heard.error = KeyError("words of somebody")

    async def script(_: SocketMode) -> None:
        assert await delivered(slack, "interactive", {"type": "block_actions"}) == {}
        await slack.until(lambda: "a bug, KeyError" in caplog.text)
        assert "words of somebody" not in caplog.text

    during(slack, heard, script)


def test_a_modal_is_told_what_was_wrong_with_it(slack: RunningSlack) -> None:
    heard = Heard()
    heard.answer = {"response_action": "errors", "errors": {"reason": "say why"}}

    async def script(_: SocketMode) -> None:
        got = await delivered(slack, "interactive", {"type": "view_submission"})
        assert got == heard.answer

    during(slack, heard, script)


def test_a_modal_that_nobody_could_take_is_not_acknowledged(slack: RunningSlack) -> None:
    heard = Heard()
    heard.error = KeyError()

    async def script(_: SocketMode) -> None:
        assert await delivered(slack, "interactive", {"type": "view_submission"}) is None

    during(slack, heard, script)


@pytest.mark.parametrize("kind", ["block_actions", "view_submission"])
def test_what_comes_twice_is_acknowledged_twice_and_heard_once(
    slack: RunningSlack, kind: str
) -> None:
    heard = Heard()
    heard.answer = {"response_action": "clear"}
    slack.duplicate(1)

    async def script(_: SocketMode) -> None:
        await delivered(slack, "interactive", {"type": kind})
        await slack.until(lambda: len(heard.waited) == 2)
        assert len(heard.all) == 1

    during(slack, heard, script)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        ("events_api", {"event": {}}),
        ("interactive", "text"),
        ("interactive", None),
        ("slash_commands", [1]),
        ("of tomorrow", {}),
    ],
)
def test_what_we_did_not_ask_for_is_acknowledged_and_counted(
    slack: RunningSlack, kind: str, payload: object
) -> None:
    heard = Heard()

    async def script(_: SocketMode) -> None:
        assert await delivered(slack, kind, payload) == {}

    assert during(slack, heard, script).junk == 1
    assert heard.all == []


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"type": 7}', '{"type": "x"}', "[" * 100_000, '{"envelope_id": 1}'],
)
def test_junk_is_counted_and_what_follows_is_heard(slack: RunningSlack, text: str) -> None:
    heard = Heard()

    async def script(_: SocketMode) -> None:
        await sent(slack, text)
        await typed(slack, "status")
        await slack.until(lambda: heard.texts() == ["status"])

    assert during(slack, heard, script).junk == 1


@pytest.mark.parametrize("reason", ["refresh_requested", "warning"])
def test_it_connects_anew_when_slack_asks_for_it(slack: RunningSlack, reason: str) -> None:
    heard = Heard()

    async def script(_: SocketMode) -> None:
        await asyncio.to_thread(slack.disconnect, reason)
        await slack.until(lambda: slack.slack.hub.opened > 1 and slack.connections() == 1)
        await acknowledged(slack)

    during(slack, heard, script)


def test_it_connects_anew_when_the_connection_is_lost(slack: RunningSlack) -> None:
    heard = Heard()

    async def script(socket: SocketMode) -> None:
        await asyncio.to_thread(slack.cut)
        await slack.until(lambda: slack.connections() == 1 and slack.slack.hub.opened > 1)
        await acknowledged(slack)
        assert socket.silent_for() < 1

    during(slack, heard, script)


def test_silence_is_noticed_and_ends_when_slack_speaks_again(slack: RunningSlack) -> None:
    heard = Heard()

    async def script(socket: SocketMode) -> None:
        await asyncio.to_thread(slack.silence)
        await slack.until(lambda: socket.silent_for() > 10 * PING, seconds=15)
        await asyncio.to_thread(slack.silence, on=False)
        await slack.until(lambda: socket.silent_for() < 3 * PING, seconds=15)
        await acknowledged(slack)

    during(slack, heard, script)


def test_it_comes_back_after_slack_was_away_with_an_old_address_in_hand(
    slack: RunningSlack, caplog: pytest.LogCaptureFixture
) -> None:
    heard = Heard()
    caplog.set_level(0)

    async def script(socket: SocketMode) -> None:
        await asyncio.to_thread(slack.go_down)
        await slack.until(lambda: socket.silent_for() > 10 * PING, seconds=15)
        await asyncio.to_thread(slack.heal)
        await slack.until(lambda: socket.silent_for() < 2 * PING, seconds=15)

    during(slack, heard, script)
    assert slack.app.app_token not in caplog.text
    assert "ticket" not in caplog.text


def test_it_goes_on_trying_while_slack_refuses_and_says_why(
    slack: RunningSlack, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(socket: SocketMode) -> None:
        await asyncio.to_thread(
            slack.fail, "error", "apps.connections.open", error="account_inactive"
        )
        await asyncio.to_thread(slack.cut)
        await slack.until(
            lambda: "with account_inactive; make an app-level" in caplog.text, seconds=15
        )
        assert socket.silent_for() > 5 * PING
        await asyncio.to_thread(slack.heal)
        await slack.until(lambda: socket.silent_for() < 2 * PING, seconds=15)

    during(slack, Heard(), script)


def test_an_address_that_leads_nowhere_is_not_tried_for_ever() -> None:
    async def run() -> None:
        async with slack_server.serving() as fake:
            url = f"{fake.url}/link".replace("http://", "ws://")
            fake.script("apps.connections.open", slack_server.Reply({"ok": True, "url": url}))
            socket = SocketMode("xapp-1", hear=Heard(), base_url=f"{fake.url}/api/", ping=PING)
            with pytest.raises(TransientError, match="no socket"):
                await socket.connect()
            await socket.close()

    asyncio.run(run())


def test_pongs_alone_are_signs_of_life(slack: RunningSlack) -> None:
    async def script(socket: SocketMode) -> None:
        for _ in range(8):
            await asyncio.sleep(PING)
            assert socket.silent_for() < 4 * PING
        assert slack.slack.hub.opened == 1

    during(slack, Heard(), script)


def test_a_token_that_slack_does_not_take_fails_at_once_with_a_sentence(
    slack: RunningSlack, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)

    async def run() -> None:
        socket = socket_of(slack, Heard(), token="xapp-never-shown")
        with pytest.raises(RefusedError, match=r"apps\.connections\.open with .*; ") as caught:
            await socket.connect()
        assert "never-shown" not in repr(caught.value)
        await socket.close()

    asyncio.run(run())
    assert "never-shown" not in caplog.text


def test_a_slack_that_is_away_fails_the_first_connection(slack: RunningSlack) -> None:
    slack.go_down()

    async def run() -> None:
        socket = socket_of(slack, Heard())
        with pytest.raises(TransientError):
            await socket.connect()
        await socket.close()

    asyncio.run(run())


def test_an_address_that_is_no_socket_is_not_followed() -> None:
    async def run() -> None:
        async with slack_server.serving() as fake:
            for url in ("ws://evil.example/x", "http://127.0.0.1/x", None, 7):
                reply = slack_server.Reply({"ok": True, "url": url})
                fake.script("apps.connections.open", reply)
                socket = SocketMode("xapp-1", hear=Heard(), base_url=f"{fake.url}/api/")
                with pytest.raises(RefusedError, match="no address"):
                    await socket.connect()
                await socket.close()

    asyncio.run(run())


def test_only_the_newest_envelopes_are_remembered(slack: RunningSlack) -> None:
    heard = Heard()
    envelopes = [
        json.dumps({"type": "slash_commands", "envelope_id": str(number), "payload": {}})
        for number in range(1100)
    ]

    async def script(_: SocketMode) -> None:
        await sent(slack, *envelopes, envelopes[-1], envelopes[0])
        await slack.until(lambda: len(heard.waited) == 1102, seconds=20)
        assert len(heard.all) == 1101

    during(slack, heard, script)


def test_what_decides_something_is_acknowledged_once_it_is_done(slack: RunningSlack) -> None:
    async def script() -> None:
        done = asyncio.get_running_loop().create_future()
        socket = SocketMode(
            slack.app.app_token, hear=lambda *_: done, base_url=slack.api_url, ping=PING
        )
        await socket.connect()
        try:
            click = asyncio.create_task(patiently_delivered(slack, "block_actions"))
            await asyncio.sleep(0.3)
            assert not click.done()
            done.set_result(None)
            assert await click == {}
        finally:
            await socket.close()

    asyncio.run(script())


@pytest.mark.parametrize("kind", ["block_actions", "view_submission"])
def test_what_failed_or_takes_too_long_is_not_acknowledged(slack: RunningSlack, kind: str) -> None:
    async def script() -> None:
        done = asyncio.get_running_loop().create_future()
        socket = SocketMode(
            slack.app.app_token, hear=lambda *_: done, base_url=slack.api_url, ping=PING
        )
        await socket.connect()
        try:
            click = asyncio.create_task(patiently_delivered(slack, kind))
            await asyncio.sleep(0.1)
            done.set_exception(KeyError())
            assert await click is None
        finally:
            await socket.close()

    asyncio.run(script())


async def patiently_delivered(slack: RunningSlack, kind: str) -> Payload | None:
    sending = slack.slack.hub.deliver("interactive", {"type": kind}, patience=3)
    return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(sending, slack.loop))
