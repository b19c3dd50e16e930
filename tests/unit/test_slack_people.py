"""Slack's people and ourselves, and what no error may show."""

import asyncio
import traceback

import pytest

from tasks.adapters.slack import SlackApi
from tasks.domain.errors import (
    BadInputError,
    RefusedError,
    TransientError,
    UpgradeError,
)
from tests.unit.slack_server import (
    BOT,
    LOST,
    OK,
    POSTED,
    TEAM,
    TOKEN,
    US,
    USER,
    Call,
    Reply,
    against,
    error,
    heads,
    limited,
    members,
    modal,
    post,
    serving,
    whisper,
)


def test_a_group_has_members() -> None:
    async def call(api: SlackApi) -> None:
        assert await api.members("S0MESH") == {"U1", "U2"}

    against(call, usergroups_users_list=[Reply({"ok": True, "users": ["U1", "U2", "U1"]})])


@pytest.mark.parametrize(
    "reply",
    [
        error("no_such_subteam"),
        error("plan_upgrade_required"),
        error("missing_scope", needed="usergroups:read"),
        Reply({"ok": True}),
        Reply({"ok": True, "users": [1]}),
        Reply({"ok": True, "users": "U1"}),
    ],
)
def test_a_group_that_slack_cannot_name_has_no_members_at_all(reply: Reply) -> None:
    async def call(api: SlackApi) -> None:
        with pytest.raises(UpgradeError):
            await members(api)

    against(call, usergroups_users_list=[reply])


def test_who_we_are_comes_with_our_scopes() -> None:
    async def call(api: SlackApi) -> None:
        us = await api.auth_test()
        assert (us.team, us.user, us.bot) == (TEAM, USER, BOT)
        assert us.scopes == {"chat:write", "commands"}

    against(call, auth_test=[Reply(US, headers={"x-oauth-scopes": "chat:write, commands"})])


def test_a_persons_token_is_refused() -> None:
    async def call(api: SlackApi) -> None:
        with pytest.raises(RefusedError, match="xoxb-"):
            await api.auth_test()

    against(call, auth_test=[Reply({"ok": True, "team_id": "T", "user_id": "U"})])


@pytest.mark.parametrize(
    ("reply", "is_heard"),
    [
        (Reply(text="ok", content_type="text/plain"), True),
        (OK, True),
        (Reply({"ok": False, "error": "expired_url"}, status=404), False),
        (error("used_url"), False),
        (Reply(text="gone", status=410, content_type="text/plain"), False),
    ],
)
def test_an_answer_is_for_one_person_and_may_come_too_late(reply: Reply, is_heard: bool) -> None:
    async def run() -> None:
        async with serving() as slack:
            slack.script("/actions/T/1/secret", reply)
            assert (
                await slack.api().answer(
                    f"{slack.url}/actions/T/1/secret", "no", thread="1700000000.000100"
                )
                is is_heard
            )
            (asked,) = slack.asked
            assert asked.arguments == {
                "thread_ts": "1700000000.000100",
                "text": "no",
                "response_type": "ephemeral",
                "replace_original": False,
            }

    asyncio.run(run())


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (LOST, TransientError),
        (Reply(text="", status=500), TransientError),
        (limited(), TransientError),
        (Reply(text="", status=400), RefusedError),
        (error("invalid_payload"), RefusedError),
    ],
)
def test_an_answer_may_fail(reply: Reply, kind: type[UpgradeError]) -> None:
    async def run() -> None:
        async with serving() as slack:
            slack.script(f"/actions/{TOKEN}", reply)
            with pytest.raises(kind) as caught:
                await slack.api().answer(f"{slack.url}/actions/{TOKEN}", "no", thread=None)
            assert TOKEN not in "".join(traceback.format_exception(caught.value))

    asyncio.run(run())


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/x",
        "http://hooks.slack.com/x",
        "https://hooks.slack.com.evil.example/x",
        "https://hooks.slack.com@evil.example/x",
        "https://evil@hooks.slack.com/x",
        "https://hooks.slack.com:8443/x",
        "http://127.0.0.1:1/x",
        "https://[/x",
        "https://hooks.slack.com:port/x",
        "file:///etc/passwd",
        "",
    ],
)
def test_an_answer_goes_to_slack_alone(url: str) -> None:
    with pytest.raises(RefusedError, match="not Slack's"):
        asyncio.run(SlackApi(TOKEN).answer(url, "no", thread=None))


@pytest.mark.parametrize(
    "url", ["http://slack.example/api/", "ftp://x", "https://u:p@slack.com/api/", "https://[", ""]
)
def test_a_token_goes_over_no_address_that_others_could_hear(url: str) -> None:
    with pytest.raises(BadInputError, match="address of Slack's API"):
        SlackApi(TOKEN, base_url=url)


def test_no_proxy_stands_between_us_and_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert len(against(post, chat_postMessage=[POSTED]).asked) == 1


@pytest.mark.parametrize(
    "reply",
    [
        LOST,
        error("invalid_auth", hint=TOKEN),
        error(TOKEN),
        Reply(text=f"{{{TOKEN}"),
        Reply(text=TOKEN, status=500, content_type="text/html"),
        Reply(text=TOKEN, content_type="text/plain"),
        Reply({"ok": False, "text": TOKEN}),
        Reply({"ok": True, "ts": [TOKEN]}),
    ],
)
@pytest.mark.parametrize("call", [post, heads, members, whisper, modal])
def test_no_token_and_no_body_reaches_an_error_or_a_log(
    call: Call, reply: Reply, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)

    async def careful(api: SlackApi) -> None:
        try:
            await call(api)
        except UpgradeError as caught:
            shown = [*traceback.format_exception(caught)]
            seen: BaseException | None = caught
            while seen is not None:
                shown += [str(seen), repr(seen)]
                seen = seen.__cause__ or seen.__context__
            assert "never-shown" not in "".join(shown)

    names = ("chat.postMessage", "conversations.history", "usergroups.users.list", "views.open")
    against(careful, **{name: [reply] * 4 for name in (*names, "chat.postEphemeral")})
    assert "never-shown" not in caplog.text
