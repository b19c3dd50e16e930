import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from slack_sdk.web import WebClient
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from deployments.rehearsal.slack.running import RunningSlack
from tests.rehearsal.slack_at_work import (
    CHANNEL,
    COMMAND,
    WHO,
    Hand,
    app_on,
    ask,
    at_work,
    client,
)

Story = Callable[[], Awaitable[None]]


def run(story: Story) -> None:
    async def told() -> None:
        await asyncio.wait_for(story(), 60)

    asyncio.run(told())


def _address(slack: RunningSlack) -> str:
    answer = WebClient(base_url=slack.api_url).apps_connections_open(app_token=slack.app.app_token)
    return str(answer["url"])


def _socket(slack: RunningSlack) -> connect:
    return connect(_address(slack), proxy=None)


async def _next(socket: ClientConnection) -> dict[str, object]:
    async with asyncio.timeout(3):
        found: dict[str, object] = json.loads(await socket.recv())
        return found


def test_a_connection_is_greeted_with_hello() -> None:
    async def story() -> None:
        with at_work() as slack:
            async with _socket(slack) as socket:
                hello = await _next(socket)

        assert hello["type"] == "hello"
        assert hello["num_connections"] == 1
        assert hello["connection_info"] == {"app_id": slack.app.id}

    run(story)


def test_a_ticket_is_good_for_one_connection_and_for_half_a_minute() -> None:
    async def story() -> None:
        now = Hand()
        with at_work(now=now) as slack:
            used, old = _address(slack), _address(slack)
            async with connect(used, proxy=None):
                with pytest.raises(InvalidStatus):
                    await connect(used, proxy=None)
            now.time += 31
            with pytest.raises(InvalidStatus):
                await connect(old, proxy=None)

    run(story)


def test_an_app_has_at_most_ten_connections() -> None:
    async def story() -> None:
        with at_work() as slack:
            sockets = [await _socket(slack) for _ in range(10)]
            with pytest.raises(InvalidStatus):
                await _socket(slack)
            for one in sockets:
                await one.close()

    run(story)


def test_a_press_comes_in_an_envelope_and_is_acknowledged_by_its_id() -> None:
    async def story() -> None:
        with at_work() as slack:
            ts = ask(slack)
            async with app_on(slack) as app:
                outcome = await asyncio.to_thread(slack.press, WHO, CHANNEL, ts, "go")

        assert outcome.acknowledged
        assert [one.type for one in app.told] == ["interactive"]
        assert app.told[0].payload == outcome.payload
        assert app.told[0].accepts_response_payload

    run(story)


def test_only_one_of_several_connections_is_told() -> None:
    async def story() -> None:
        with at_work() as slack:
            ts = ask(slack)
            async with app_on(slack) as one, app_on(slack) as other:
                for _ in range(4):
                    await asyncio.to_thread(slack.press, WHO, CHANNEL, ts, "go")

        assert len(one.told) == len(other.told) == 2

    run(story)


def test_what_is_not_acknowledged_in_time_is_lost_and_the_person_is_told() -> None:
    async def story() -> None:
        with at_work(patience=0.1) as slack:
            ts = ask(slack)
            async with _socket(slack) as socket:
                await _next(socket)
                outcome = await asyncio.to_thread(slack.press, WHO, CHANNEL, ts, "go")
                envelope = await _next(socket)
                await socket.send(json.dumps({"envelope_id": envelope["envelope_id"]}))
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(socket.recv(), 0.2)

            assert not outcome.acknowledged
            assert slack.warnings(WHO) == ["rehearsed did not respond"]

    run(story)


def test_without_a_connection_nothing_is_kept_for_later() -> None:
    async def story() -> None:
        with at_work(patience=0.05) as slack:
            ts = ask(slack)
            assert not (await asyncio.to_thread(slack.press, WHO, CHANNEL, ts, "go")).acknowledged
            async with app_on(slack) as app:
                await asyncio.sleep(0.1)
                assert not app.told

    run(story)


def test_an_envelope_can_come_twice() -> None:
    async def story() -> None:
        with at_work() as slack:
            ts = ask(slack)
            async with app_on(slack) as app:
                slack.duplicate()
                await asyncio.to_thread(slack.press, WHO, CHANNEL, ts, "go")
                await asyncio.to_thread(slack.press, WHO, CHANNEL, ts, "go")
                await slack.until(lambda: len(app.told) == 3)

        ids = [one.envelope_id for one in app.told]
        assert ids[0] == ids[1] != ids[2]

    run(story)


def test_envelopes_can_come_in_reverse() -> None:
    async def story() -> None:
        with at_work() as slack:
            async with app_on(slack) as app:
                slack.reorder(2)
                first = asyncio.to_thread(slack.command, WHO, CHANNEL, COMMAND, "1")
                done = asyncio.create_task(first)
                await slack.until(lambda: slack.slack.hub.held)
                await asyncio.to_thread(slack.command, WHO, CHANNEL, COMMAND, "2")
                await done

        assert [one.payload["text"] for one in app.told] == ["2", "1"]

    run(story)


def test_one_envelope_does_not_wait_for_another_for_ever() -> None:
    async def story() -> None:
        with at_work() as slack:
            async with app_on(slack):
                slack.reorder(2)
                outcome = await asyncio.to_thread(slack.command, WHO, CHANNEL, COMMAND, "1")

        assert outcome.acknowledged

    run(story)


def test_a_socket_can_be_cut_without_a_word() -> None:
    async def story() -> None:
        with at_work() as slack:
            async with _socket(slack) as socket:
                await _next(socket)
                slack.cut()
                with pytest.raises(ConnectionClosed) as raised:
                    await socket.recv()

        assert raised.value.rcvd is None

    run(story)


@pytest.mark.parametrize("reason", ["refresh_requested", "warning", "link_disabled"])
def test_slack_says_before_it_ends_a_connection(reason: str) -> None:
    async def story() -> None:
        with at_work() as slack:
            async with _socket(slack) as socket:
                await _next(socket)
                slack.disconnect(reason)
                assert (await _next(socket))["reason"] == reason
                if reason != "warning":
                    with pytest.raises(ConnectionClosed):
                        await socket.recv()

    run(story)


def test_slack_s_own_client_comes_back_when_it_is_asked_to() -> None:
    async def story() -> None:
        with at_work(patience=2) as slack:
            ts = ask(slack)
            async with app_on(slack, ping_interval=1) as app:
                slack.disconnect()
                await slack.until(lambda: slack.slack.hub.opened >= 2, seconds=15)
                await slack.until(lambda: slack.connections() >= 1, seconds=15)
                # The client may still change connections once more; what goes to the one that it
                # leaves is lost, and the person presses again.
                outcome = await asyncio.to_thread(slack.press, WHO, CHANNEL, ts, "go")
                for _ in range(9):
                    if not outcome.acknowledged:
                        outcome = await asyncio.to_thread(slack.press, WHO, CHANNEL, ts, "go")

        assert outcome.acknowledged
        assert app.told

    run(story)


def test_a_silent_socket_answers_no_ping_and_brings_nothing() -> None:
    async def story() -> None:
        with at_work(patience=0.1) as slack:
            ts = ask(slack)
            async with _socket(slack) as socket:
                await _next(socket)
                slack.silence()
                pong = await socket.ping()
                outcome = await asyncio.to_thread(slack.press, WHO, CHANNEL, ts, "go")
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(asyncio.shield(pong), 0.2)
                async with _socket(slack) as other:
                    with pytest.raises(TimeoutError):
                        await asyncio.wait_for(other.recv(), 0.2)
                    slack.silence(on=False)
                await asyncio.wait_for(pong, 2)

        assert not outcome.acknowledged

    run(story)


def test_an_event_is_repeated_once() -> None:
    async def story() -> None:
        with at_work(patience=0.1) as slack:
            async with _socket(slack) as socket:
                await _next(socket)
                done = asyncio.create_task(asyncio.to_thread(slack.event, {"type": "app_mention"}))
                attempts = [(await _next(socket))["retry_attempt"] for _ in range(2)]
                outcome = await done

        assert attempts == [0, 1]
        assert not outcome.acknowledged

    run(story)


def test_while_slack_is_down_nobody_comes_in() -> None:
    async def story() -> None:
        with at_work() as slack:
            address = _address(slack)
            async with _socket(slack) as socket:
                await _next(socket)
                slack.go_down()
                with pytest.raises(ConnectionClosed):
                    await socket.recv()
                with pytest.raises((ConnectionResetError, InvalidMessage)):
                    await connect(address, proxy=None)
            slack.heal()
            assert client(slack).auth_test()["ok"]

    run(story)
