"""Our messages in a channel, with slack-sdk over HTTP against a Slack that misbehaves."""

import asyncio
from datetime import timedelta
from itertools import pairwise

import pytest

from tasks.adapters.slack import SlackApi
from tasks.domain.errors import (
    RefusedError,
    TransientError,
)
from tasks.domain.slack import AnswerLostError, Message, MessageGoneError, Posted
from tests.unit.slack_server import (
    BOT,
    CHANNEL,
    LABEL,
    LOST,
    MESSAGE,
    OK,
    POSTED,
    SINCE,
    TOKEN,
    Call,
    FakeSlack,
    Reply,
    against,
    error,
    heads,
    limited,
    members,
    modal,
    post,
    update,
    whisper,
)


def message(
    ts: str, *, key: str = "head", bot: str | None = BOT, **more: object
) -> dict[str, object]:
    payload = {"cluster": "east", "run": "r1", "key": key, "fingerprint": "f"}
    metadata = {"event_type": "istio_canary", "event_payload": payload}
    return {"type": "message", "ts": ts, "bot_id": bot, "metadata": metadata, **more}


def page(*messages: object, cursor: str = "") -> Reply:
    more = {"response_metadata": {"next_cursor": cursor}} if cursor else {}
    return Reply({"ok": True, "messages": list(messages), **more})


def test_a_message_carries_its_label_and_its_thread() -> None:
    async def call(api: SlackApi) -> None:
        posted = await api.post(CHANNEL, MESSAGE, label=LABEL, thread="1.000001")
        assert posted == Posted(ts="1767225600.000100", label=LABEL)

    (asked,) = against(call, chat_postMessage=[POSTED]).asked
    assert asked.token == TOKEN
    assert asked.arguments == {
        "channel": CHANNEL,
        "text": "hello",
        "blocks": [{"type": "divider"}],
        "thread_ts": "1.000001",
        "unfurl_links": False,
        "unfurl_media": False,
        "metadata": {
            "event_type": "istio_canary",
            "event_payload": {
                "cluster": "east",
                "run": "r1",
                "key": "head",
                "fingerprint": MESSAGE.fingerprint,
            },
        },
    }


def test_an_update_says_everything_again_so_that_nothing_old_stays() -> None:
    async def call(api: SlackApi) -> None:
        await api.update(CHANNEL, "1.000001", Message(text="over"), label=LABEL)

    (asked,) = against(call, chat_update=[OK]).asked
    assert asked.arguments["ts"] == "1.000001"
    assert asked.arguments["blocks"] == []
    assert asked.arguments["metadata"]["event_payload"]["key"] == "head"


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(LOST, id="the connection was cut"),
        pytest.param(Reply({"ok": False, "error": "internal_error"}), id="Slack is not sure"),
        pytest.param(Reply(text="oops", status=502, content_type="text/html"), id="a gateway"),
        pytest.param(Reply(text="{", status=200), id="cut JSON"),
        pytest.param(Reply(text="hi", content_type="text/plain"), id="plain text"),
        pytest.param(Reply([1]), id="a list"),
        pytest.param(Reply({"ok": True}), id="no ts"),
    ],
)
def test_a_post_whose_answer_was_lost_is_never_repeated(reply: Reply) -> None:
    async def call(api: SlackApi) -> None:
        with pytest.raises(AnswerLostError):
            await post(api)

    assert len(against(call, chat_postMessage=[reply]).asked) == 1


def test_a_post_that_takes_too_long_may_have_been_posted() -> None:
    async def run() -> None:
        async def stall(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(1.5)
            writer.close()

        async with await asyncio.start_server(stall, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            url = f"http://127.0.0.1:{port}/api/"
            with pytest.raises(AnswerLostError, match="gave no answer"):
                await post(SlackApi(TOKEN, base_url=url, timeout=timedelta(seconds=1)))

    asyncio.run(run())


def test_a_post_that_reached_nobody_is_sent_again() -> None:
    async def run() -> None:
        slack = FakeSlack()
        slack.url = "http://127.0.0.1:9"  # discard: nobody listens
        with pytest.raises(TransientError, match="cannot be reached") as caught:
            await post(slack.api())
        assert not isinstance(caught.value, AnswerLostError)
        assert sum(slack.time.rests) >= 0.5 + 1 + 2

    asyncio.run(run())


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (update, "chat.update"),
        (heads, "conversations.history"),
        (members, "usergroups.users.list"),
    ],
)
@pytest.mark.parametrize("reply", [LOST, Reply(text="", status=503), error("fatal_error")])
def test_what_may_be_done_twice_is(call: Call, name: str, reply: Reply) -> None:
    fine = {"ok": True, "messages": [], "users": []}
    slack = against(call, **{name: [reply, reply, Reply(fine)]})
    assert len(slack.of(name)) == 3


@pytest.mark.parametrize(("call", "name"), [(whisper, "chat.postEphemeral"), (modal, "views.open")])
def test_a_whisper_and_a_modal_are_not_repeated(call: Call, name: str) -> None:
    async def once(api: SlackApi) -> None:
        with pytest.raises(TransientError):
            await call(api)

    assert len(against(once, **{name: [LOST]}).of(name)) == 1


def test_posts_and_updates_of_a_channel_are_a_second_apart_and_news_comes_first() -> None:
    async def call(api: SlackApi) -> None:
        await asyncio.gather(post(api), update(api), update(api), post(api))

    asked = against(call, chat_postMessage=[POSTED] * 2).asked
    assert [one.method for one in asked] == [
        "chat.postMessage",
        "chat.postMessage",
        "chat.update",
        "chat.update",
    ]
    gaps = [later.at - one.at for one, later in pairwise(asked)]
    assert min(gaps) >= 1.0


def test_channels_do_not_wait_for_one_another() -> None:
    async def call(api: SlackApi) -> None:
        posts = (api.post(c, MESSAGE, label=LABEL, thread=None) for c in ("C1", "C2", "C3"))
        await asyncio.gather(*posts)

    assert against(call, chat_postMessage=[POSTED] * 3).time.rests == []


@pytest.mark.parametrize(
    ("after", "seconds"), [("7", 7), ("0", 1), (None, 30), ("soon", 30), ("nan", 30)]
)
def test_retry_after_is_obeyed(after: str | None, seconds: int) -> None:
    slack = against(post, chat_postMessage=[limited(after), POSTED])
    first, second = slack.of("chat.postMessage")
    assert second.at - first.at == pytest.approx(seconds)


def test_everybody_waits_when_a_method_is_limited() -> None:
    async def call(api: SlackApi) -> None:
        await members(api)
        await members(api)

    fine = Reply({"ok": True, "users": ["U1"]})
    slack = against(call, usergroups_users_list=[limited("9"), fine, fine])
    assert [one.at - 1000 for one in slack.asked] == [0, 9, 9]


def test_a_limit_that_lasts_too_long_is_left_to_the_caller() -> None:
    async def call(api: SlackApi) -> None:
        with pytest.raises(TransientError, match="in 3600 s"):
            await post(api)
        with pytest.raises(TransientError, match="Slack limits"):
            await post(api)  # without asking

    slack = against(call, chat_postMessage=[limited("3600")])
    assert len(slack.asked) == 1
    assert slack.time.rests == []


def test_a_modal_waits_for_no_limit() -> None:
    async def call(api: SlackApi) -> None:
        with pytest.raises(TransientError, match="Slack limits"):
            await modal(api)

    assert against(call, views_open=[limited("5")]).time.rests == []


@pytest.mark.parametrize("word", ["message_not_found", "cant_update_message", "edit_window_closed"])
def test_a_message_that_cannot_be_changed_is_told_apart(word: str) -> None:
    async def call(api: SlackApi) -> None:
        with pytest.raises(MessageGoneError, match="posted anew"):
            await update(api)

    against(call, chat_update=[error(word)])


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        (error("not_in_channel"), "for C0MESH with not_in_channel; invite the bot"),
        (error("channel_not_found"), "by its id"),
        (error("is_archived"), "unarchive"),
        (error("invalid_auth"), "install the app again"),
        (error("token_revoked"), "install the app again"),
        (error("account_inactive"), "install the app again"),
        (error("missing_scope", needed="chat:write", provided="x"), r"needed: chat:write\); add"),
        (error("missing_scope", needed="<script>"), "missing_scope; add"),
        (error("some_new_one"), "with some_new_one$"),
        (error("Bad stuff\n" * 40), "an error without a name$"),
        (Reply(text="<html>", status=404, content_type="text/html"), "is not Slack's API"),
    ],
)
def test_a_refusal_says_what_to_do(reply: Reply, says: str) -> None:
    async def call(api: SlackApi) -> None:
        with pytest.raises(RefusedError, match=says):
            await whisper(api)

    against(call, chat_postEphemeral=[reply])


def test_only_our_own_labelled_messages_are_found_oldest_first() -> None:
    async def call(api: SlackApi) -> None:
        found = await api.heads(CHANNEL, since=SINCE)
        assert [(one.ts, one.label.key) for one in found] == [
            ("5.1", "first"),
            ("9.000002", "head"),
        ]

    unlabelled = {"type": "message", "ts": "4.1", "bot_id": BOT, "text": "hi"}
    foreign = message("3.1") | {"metadata": {"event_type": "other", "event_payload": {}}}
    halved = message("2.1") | {
        "metadata": {"event_type": "istio_canary", "event_payload": {"cluster": "east"}}
    }
    against(
        call,
        conversations_history=[
            page(
                message("9.000002"),
                message("8.1", bot="B0OTHER"),
                message("7.1", bot=None),
                message("6.1", thread_ts="5.1", subtype="thread_broadcast"),
                message("5.1", key="first", thread_ts="5.1"),
                unlabelled,
                foreign,
                halved,
                message("not a ts"),
                "junk",
                None,
                {"ts": 7},
            )
        ],
    )


def test_every_page_is_read_and_a_head_on_each_of_them_counts_once() -> None:
    async def call(api: SlackApi) -> None:
        found = await api.thread(CHANNEL, "1.1")
        assert [one.ts for one in found] == ["1.1", "2.1", "10.1"]

    slack = against(
        call,
        conversations_replies=[
            page(message("1.1"), message("2.1"), cursor="dXM="),
            page(message("1.1"), message("10.1")),
        ],
    )
    first, second = slack.of("conversations.replies")
    assert first.arguments == {
        "channel": CHANNEL,
        "ts": "1.1",
        "limit": "200",
        "include_all_metadata": "true",
    }
    assert second.arguments["cursor"] == "dXM="


def test_a_channel_without_end_is_refused_rather_than_read_in_part() -> None:
    async def call(api: SlackApi) -> None:
        with pytest.raises(RefusedError, match="less busy"):
            await heads(api)

    slack = against(call, conversations_history=[page(cursor="again")] * 60)
    assert len(slack.of("conversations.history")) == 50


def test_a_thread_that_was_deleted_is_empty() -> None:
    async def call(api: SlackApi) -> None:
        assert await api.thread(CHANNEL, "1.1") == ()

    against(call, conversations_replies=[error("thread_not_found")])
