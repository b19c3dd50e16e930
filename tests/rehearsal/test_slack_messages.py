import pytest

from deployments.rehearsal.slack.errors import UnknownPlace
from deployments.rehearsal.slack.workspace import Channel
from tests.rehearsal.slack_at_work import (
    CHANNEL,
    ELSEWHERE,
    OTHER,
    STRANGER,
    WHO,
    actions,
    ask,
    at_work,
    button,
    client,
    refused,
)

METADATA = {"event_type": "gate", "event_payload": {"run": "1"}}
NOWHERE = "1.000001"


def test_a_message_is_told_as_it_was_sent() -> None:
    with at_work() as slack:
        answer = client(slack).chat_postMessage(
            channel=CHANNEL,
            text="a &lt;b&gt; *c*",
            blocks=[actions(button())],
            metadata=METADATA,
            unfurl_links=False,
            unfurl_media=False,
        )
        found = slack.messages(CHANNEL)

    assert answer["message"] == found[0]
    assert found[0]["text"] == "a &lt;b&gt; *c*"
    assert found[0]["metadata"] == METADATA
    assert found[0]["ts"] == answer["ts"]
    assert found[0]["bot_id"] == "B0BOT"


def test_blocks_without_names_are_given_some() -> None:
    bare = {"type": "actions", "elements": [{"type": "button", "text": button()["text"]}]}
    with at_work() as slack:
        client(slack).chat_postMessage(channel=CHANNEL, text="x", blocks=[bare])
        block = slack.messages(CHANNEL)[0]["blocks"][0]

    assert block["block_id"]
    assert block["elements"][0]["action_id"]


def test_a_channel_may_be_named_as_people_do() -> None:
    with at_work() as slack:
        answer = client(slack).chat_postMessage(channel="#mesh-upgrades", text="x")

    assert answer["channel"] == CHANNEL


def test_people_speak_only_where_they_are() -> None:
    with at_work() as slack, pytest.raises(UnknownPlace):
        slack.say(WHO, "C0NONE", "x")


def test_timestamps_only_ever_grow() -> None:
    with at_work() as slack:
        names = [
            str(client(slack).chat_postMessage(channel=CHANNEL, text="x")["ts"]) for _ in range(20)
        ]

    assert names == sorted(set(names))


def test_a_reply_to_a_reply_is_in_the_same_thread() -> None:
    with at_work() as slack:
        api = client(slack)
        root = ask(slack)
        reply = api.chat_postMessage(channel=CHANNEL, text="1", thread_ts=root)["ts"]
        api.chat_postMessage(channel=CHANNEL, text="2", thread_ts=reply)
        found = slack.messages(CHANNEL)

    assert [one.get("thread_ts") for one in found] == [root, root, root]
    assert found[0]["reply_count"] == 2


def test_a_text_alone_takes_the_blocks_away_and_keeps_the_metadata() -> None:
    with at_work() as slack:
        api = client(slack)
        posted = api.chat_postMessage(
            channel=CHANNEL, text="x", blocks=[actions(button())], metadata=METADATA
        )
        answer = api.chat_update(channel=CHANNEL, ts=str(posted["ts"]), text="done")

    assert answer["text"] == "done"
    assert "blocks" not in answer["message"]
    assert "edited" in answer["message"]
    assert answer["message"]["metadata"] == METADATA


def test_new_blocks_replace_the_old_ones_without_a_word_of_it() -> None:
    with at_work() as slack:
        ts = ask(slack)
        answer = client(slack).chat_update(
            channel=CHANNEL, ts=ts, text="y", blocks=[actions(button("other"))]
        )

    assert answer["message"]["blocks"][0]["elements"][0]["action_id"] == "other"
    assert "edited" not in answer["message"]


def test_only_one_person_sees_an_ephemeral_message() -> None:
    with at_work() as slack:
        client(slack).chat_postEphemeral(channel=CHANNEL, user=WHO, text="psst")
        seen, others, everybody = (
            slack.ephemerals(WHO),
            slack.ephemerals(OTHER),
            slack.messages(CHANNEL),
        )

    assert [one["text"] for one in seen] == ["psst"]
    assert not others
    assert not everybody


def test_a_deleted_message_is_gone_unless_a_thread_hangs_on_it() -> None:
    with at_work() as slack:
        api = client(slack)
        alone, root = ask(slack), ask(slack)
        api.chat_postMessage(channel=CHANNEL, text="1", thread_ts=root)
        api.chat_delete(channel=CHANNEL, ts=alone)
        api.chat_delete(channel=CHANNEL, ts=root)
        found = slack.messages(CHANNEL)
        again = refused(lambda: api.chat_update(channel=CHANNEL, ts=root, text="x"))

    assert [one.get("subtype") for one in found] == ["tombstone", None]
    assert again["error"] == "message_not_found"


def test_a_long_text_is_cut_when_posted_and_refused_when_updated() -> None:
    with at_work() as slack:
        api = client(slack)
        posted = api.chat_postMessage(channel=CHANNEL, text="x" * 40_001)
        error = refused(
            lambda: api.chat_update(channel=CHANNEL, ts=str(posted["ts"]), text="x" * 40_001)
        )

    assert len(posted["message"]["text"]) == 40_000
    assert error["error"] == "msg_too_long"


def test_what_people_said_is_not_the_bot_s_to_change() -> None:
    with at_work() as slack:
        api = client(slack)
        ts = slack.say(WHO, CHANNEL, "mine")
        update = refused(lambda: api.chat_update(channel=CHANNEL, ts=ts, text="yours"))
        delete = refused(lambda: api.chat_delete(channel=CHANNEL, ts=ts))

    assert update["error"] == "cant_update_message"
    assert delete["error"] == "cant_delete_message"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param({"channel": "C0NONE", "text": "x"}, "channel_not_found", id="no such channel"),
        pytest.param(
            {"channel": "C0HIDDEN", "text": "x"}, "channel_not_found", id="a hidden channel"
        ),
        pytest.param({"channel": ELSEWHERE, "text": "x"}, "not_in_channel", id="not invited"),
        pytest.param({"channel": CHANNEL, "text": " "}, "no_text", id="nothing to say"),
        pytest.param(
            {"channel": CHANNEL, "text": "x", "thread_ts": NOWHERE},
            "thread_not_found",
            id="no such thread",
        ),
        pytest.param(
            {"channel": CHANNEL, "text": "x", "metadata": {"event_type": "x"}},
            "invalid_metadata_schema",
            id="half of metadata",
        ),
        pytest.param(
            {"channel": CHANNEL, "blocks": "{", "text": "x"}, "invalid_blocks_format", id="no JSON"
        ),
        pytest.param({"text": "x"}, "invalid_arguments", id="no channel at all"),
    ],
)
def test_a_message_that_makes_no_sense_is_refused(arguments: dict[str, object], error: str) -> None:
    with at_work() as slack:
        slack.slack.directory.add(
            Channel(id="C0HIDDEN", name="hidden", has_bot=False, is_private=True)
        )
        api = client(slack)
        found = refused(lambda: api.api_call("chat.postMessage", json=arguments))
        said = slack.messages(CHANNEL)

    assert found["error"] == error
    assert not said


def test_nobody_is_whispered_to_who_is_not_there() -> None:
    with at_work() as slack:
        slack.slack.directory.add(Channel(id="C0FEW", name="few", members=(WHO,)))
        api = client(slack)
        error = refused(lambda: api.chat_postEphemeral(channel="C0FEW", user=STRANGER, text="x"))

    assert error["error"] == "user_not_in_channel"


def test_a_form_is_understood_like_json() -> None:
    with at_work() as slack:
        client(slack).api_call(
            "chat.postMessage",
            data={"channel": CHANNEL, "text": "x", "blocks": '[{"type": "divider"}]'},
        )
        found = slack.messages(CHANNEL)

    assert found[0]["blocks"][0]["type"] == "divider"


def test_a_reaction_is_given_once() -> None:
    with at_work() as slack:
        api, ts = client(slack), ask(slack)
        api.reactions_add(channel=CHANNEL, timestamp=ts, name="eyes")
        again = refused(lambda: api.reactions_add(channel=CHANNEL, timestamp=ts, name="eyes"))
        nowhere = refused(lambda: api.reactions_add(channel=CHANNEL, timestamp=NOWHERE, name="x"))
        found = slack.messages(CHANNEL)

    assert found[0]["reactions"] == [{"name": "eyes", "users": ["U0BOT"], "count": 1}]
    assert (again["error"], nowhere["error"]) == ("already_reacted", "message_not_found")
