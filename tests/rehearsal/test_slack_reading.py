from slack_sdk.web import WebClient

from deployments.rehearsal.slack.running import RunningSlack
from tests.rehearsal.slack_at_work import (
    CHANNEL,
    ELSEWHERE,
    OTHER,
    STRANGER,
    WHO,
    at_work,
    client,
    refused,
)


def _said(slack: RunningSlack, count: int) -> list[str]:
    return [slack.say(WHO, CHANNEL, str(number)) for number in range(count)]


def _texts(api: WebClient, **more: object) -> list[str]:
    answer = api.api_call("conversations.history", params={"channel": CHANNEL} | more)
    return [one["text"] for one in answer["messages"]]


def test_the_history_is_told_from_the_newest_on_page_by_page() -> None:
    with at_work() as slack:
        _said(slack, 5)
        pages = [
            [one["text"] for one in page["messages"]]
            for page in client(slack).conversations_history(channel=CHANNEL, limit=2)
        ]

    assert pages == [["4", "3"], ["2", "1"], ["0"]]


def test_the_history_is_told_between_two_moments_only() -> None:
    with at_work() as slack:
        stamps, api = _said(slack, 5), client(slack)
        outside = _texts(api, oldest=stamps[1], latest=stamps[3])
        inside = _texts(api, oldest=stamps[1], latest=stamps[3], inclusive="true")

    assert outside == ["2"]
    assert inside == ["3", "2", "1"]


def test_replies_are_in_the_thread_and_not_in_the_history() -> None:
    with at_work() as slack:
        api, root = client(slack), _said(slack, 1)[0]
        for number in "abc":
            slack.say(OTHER, CHANNEL, number, thread_ts=root)
        history = _texts(api)
        pages = [
            [one["text"] for one in page["messages"]]
            for page in api.conversations_replies(channel=CHANNEL, ts=root, limit=3)
        ]

    assert history == ["0"]
    assert pages == [["0", "a", "b"], ["c"]]


def test_metadata_is_told_to_those_alone_who_ask_for_it() -> None:
    metadata = {"event_type": "gate", "event_payload": {}}
    with at_work() as slack:
        api = client(slack)
        api.chat_postMessage(channel=CHANNEL, text="x", metadata=metadata)
        bare = api.conversations_history(channel=CHANNEL)["messages"][0]
        whole = api.conversations_history(channel=CHANNEL, include_all_metadata=True)["messages"][0]

    assert "metadata" not in bare
    assert whole["metadata"] == metadata


def test_what_was_said_elsewhere_is_not_told() -> None:
    with at_work() as slack:
        api = client(slack)
        elsewhere = refused(lambda: api.conversations_history(channel=ELSEWHERE))
        nowhere = refused(lambda: api.conversations_replies(channel=CHANNEL, ts="1.000001"))
        cursor = refused(lambda: api.conversations_history(channel=CHANNEL, cursor="nonsense"))
        limit = refused(lambda: api.conversations_history(channel=CHANNEL, limit=5000))

    assert elsewhere["error"] == "not_in_channel"
    assert nowhere["error"] == "thread_not_found"
    assert cursor["error"] == "invalid_cursor"
    assert limit["error"] == "invalid_limit"


def test_channels_say_who_is_there() -> None:
    with at_work() as slack:
        api = client(slack)
        here = api.conversations_info(channel=CHANNEL, include_num_members=True)["channel"]
        away = api.conversations_info(channel=ELSEWHERE)["channel"]
        members = api.conversations_members(channel=CHANNEL)["members"]
        listed = api.conversations_list()["channels"]

    assert (here["name"], here["is_member"], here["num_members"]) == ("mesh-upgrades", True, 5)
    assert not away["is_member"]
    assert {WHO, OTHER, STRANGER, "U0BOT"} <= set(members)
    assert [one["id"] for one in listed] == [CHANNEL, ELSEWHERE]


def test_a_group_is_asked_anew_each_time() -> None:
    with at_work() as slack:
        api = client(slack)
        before = api.usergroups_users_list(usergroup="S0ADMINS")["users"]
        slack.change_group("mesh-admins", [OTHER])
        after = api.usergroups_users_list(usergroup="S0ADMINS")["users"]
        listed = api.usergroups_list(include_users=True)["usergroups"][0]
        error = refused(lambda: api.usergroups_users_list(usergroup="S0NONE"))

    assert before == [WHO, OTHER]
    assert after == [OTHER]
    assert (listed["handle"], listed["users"]) == ("mesh-admins", [OTHER])
    assert error["error"] == "no_such_subteam"


def test_people_are_known_by_their_ids() -> None:
    with at_work() as slack:
        api = client(slack)
        found = api.users_info(user=WHO)["user"]
        pages = [one["name"] for page in api.users_list(limit=2) for one in page["members"]]
        error = refused(lambda: api.users_info(user="U0NONE"))

    assert (found["name"], found["is_bot"]) == ("alice", False)
    assert pages == ["alice", "bob", "carol", "mallory", "rehearsed"]
    assert error["error"] == "user_not_found"


def test_a_token_says_whose_it_is() -> None:
    with at_work() as slack:
        answer = client(slack).auth_test()
        error = refused(lambda: client(slack).api_test(error="my_error"))

    assert (answer["user_id"], answer["bot_id"], answer["team_id"]) == (
        "U0BOT",
        "B0BOT",
        "T0REHEARSE",
    )
    assert answer.headers["x-oauth-scopes"].startswith("channels:history,")
    assert error["error"] == "my_error"
