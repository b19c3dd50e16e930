import asyncio
import time
from http.client import RemoteDisconnected

import pytest
from aiohttp import ServerDisconnectedError
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import (
    ConnectionErrorRetryHandler,
    RateLimitErrorRetryHandler,
)
from slack_sdk.web.async_client import AsyncWebClient

from tests.rehearsal.slack_at_work import CHANNEL, Hand, at_work, client, refused


def test_an_answer_can_be_lost_after_the_message_was_posted() -> None:
    with at_work() as slack:
        slack.fail("lose-answer", "chat.postMessage", times=1)
        with pytest.raises(RemoteDisconnected):
            client(slack).chat_postMessage(channel=CHANNEL, text="x")

        assert [one["text"] for one in slack.messages(CHANNEL)] == ["x"]
        assert [(one.status, one.error) for one in slack.calls()] == [(0, "no_answer")]


def test_a_client_that_repeats_a_lost_call_posts_twice() -> None:
    with at_work() as slack:
        slack.fail("lose-answer", "chat.postMessage", times=1)
        api = client(slack, retrying=[ConnectionErrorRetryHandler()])
        api.chat_postMessage(channel=CHANNEL, text="x")

        assert len(slack.messages(CHANNEL)) == 2


def test_a_refused_connection_has_no_effect() -> None:
    with at_work() as slack:
        slack.fail("refuse", times=1)
        with pytest.raises(RemoteDisconnected):
            client(slack).chat_postMessage(channel=CHANNEL, text="x")

        assert not slack.messages(CHANNEL)


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_error_has_no_effect(status: int) -> None:
    with at_work() as slack:
        slack.fail("status", "chat.postMessage", status=status, times=1)
        with pytest.raises(SlackApiError) as raised:
            client(slack).chat_postMessage(channel=CHANNEL, text="x")

        assert raised.value.response.status_code == status
        assert not slack.messages(CHANNEL)
        assert client(slack).auth_test()["ok"]


def test_an_error_of_choice_is_answered() -> None:
    with at_work() as slack:
        slack.fail("error", "chat.update", error="edit_window_closed")

        assert (
            refused(lambda: client(slack).chat_update(channel=CHANNEL, ts="1.0", text="x"))["error"]
            == "edit_window_closed"
        )


def test_a_limit_of_choice_is_obeyed_by_slack_s_own_client() -> None:
    with at_work() as slack:
        slack.fail("ratelimited", "auth.test", seconds=1, times=1)
        api = client(slack, retrying=[RateLimitErrorRetryHandler()])
        before = time.monotonic()

        assert api.auth_test()["ok"]
        assert time.monotonic() - before >= 1


def test_calls_can_be_slow() -> None:
    with at_work() as slack:
        slack.fail("delay", "auth.test", seconds=0.2)
        before = time.monotonic()
        client(slack).auth_test()

        assert time.monotonic() - before >= 0.2


def test_slack_can_be_down_and_come_back() -> None:
    async def story() -> None:
        with at_work() as slack:
            api = AsyncWebClient(
                token=slack.app.bot_token, base_url=slack.api_url, retry_handlers=[]
            )
            slack.go_down()
            with pytest.raises(ServerDisconnectedError):
                await api.auth_test()
            slack.heal()
            assert (await api.auth_test())["ok"]

    asyncio.run(story())


def test_a_method_has_a_rate_and_says_when_to_come_back() -> None:
    now = Hand()
    with at_work(rates=1, now=now) as slack:
        api = client(slack)
        for _ in range(20):
            api.usergroups_users_list(usergroup="S0ADMINS")
        now.time += 10
        with pytest.raises(SlackApiError) as raised:
            api.usergroups_users_list(usergroup="S0ADMINS")
        api.users_info(user="U0BOB")
        now.time += 50
        api.usergroups_users_list(usergroup="S0ADMINS")

    assert raised.value.response.status_code == 429
    assert raised.value.response.headers["Retry-After"] == "50"
    assert raised.value.response["error"] == "ratelimited"


def test_a_channel_takes_a_message_a_second_and_a_few_at_once() -> None:
    now = Hand()
    with at_work(rates=1, now=now) as slack:
        api = client(slack)
        for _ in range(5):
            api.chat_postMessage(channel=CHANNEL, text="x")
        error = refused(lambda: api.chat_postMessage(channel=CHANNEL, text="x"))
        now.time += 1
        api.chat_postMessage(channel=CHANNEL, text="x")
        again = refused(lambda: api.chat_postMessage(channel=CHANNEL, text="x"))

        assert error["error"] == again["error"] == "ratelimited"
        assert len(slack.messages(CHANNEL)) == 6


def test_rates_can_be_harsh_and_be_turned_off() -> None:
    with at_work(rates=0.02) as slack:
        api = client(slack)
        api.chat_update(channel=CHANNEL, ts=slack.slack.post(CHANNEL, text="x").ts, text="y")
        error = refused(lambda: api.chat_update(channel=CHANNEL, ts="1.0", text="y"))
        slack.limit(None)
        free = refused(lambda: api.chat_update(channel=CHANNEL, ts="1.0", text="y"))

    assert (error["error"], free["error"]) == ("ratelimited", "message_not_found")
