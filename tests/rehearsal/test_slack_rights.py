import json
from urllib.request import Request, urlopen

from deployments.rehearsal.slack.workspace import App
from tests.rehearsal.slack_at_work import CHANNEL, at_work, client, refused, with_app


def test_a_token_is_needed_and_has_to_be_the_right_one() -> None:
    with at_work() as slack:
        none = refused(lambda: client(slack, token="").auth_test())
        wrong = refused(lambda: client(slack, token="xoxb-wrong").auth_test())
        app = refused(lambda: client(slack, token=slack.app.app_token).auth_test())
        bot = refused(lambda: client(slack).apps_connections_open(app_token=slack.app.bot_token))

    assert none["error"] == "not_authed"
    assert wrong["error"] == "invalid_auth"
    assert app["error"] == bot["error"] == "not_allowed_token_type"


def test_a_scope_that_was_not_granted_is_named() -> None:
    with at_work(workspace=with_app(App(bot_scopes=("chat:write", "users:read")))) as slack:
        error = refused(lambda: client(slack).usergroups_users_list(usergroup="S0ADMINS"))

    assert error["error"] == "missing_scope"
    assert error["needed"] == "usergroups:read"
    assert error["provided"] == "chat:write,users:read"


def test_a_token_may_stand_in_the_form() -> None:
    with at_work() as slack:
        body = f"token={slack.app.bot_token}&channel={CHANNEL}&text=x".encode()
        with urlopen(Request(f"{slack.api_url}chat.postMessage", body)) as answer:  # noqa: S310
            found = json.load(answer)
        logged = slack.calls("chat.postMessage")[0]

    assert found["ok"]
    assert "token" not in logged.arguments


def test_a_method_that_does_not_exist_is_unknown() -> None:
    with at_work() as slack:
        error = refused(lambda: client(slack).api_call("chat.shout"))

    assert (error["error"], error["req_method"]) == ("unknown_method", "chat.shout")


def test_tokens_are_made_anew_and_are_not_shown() -> None:
    one, other = App(), App()

    assert one.bot_token != other.bot_token
    assert one.signing_secret not in repr(one)
