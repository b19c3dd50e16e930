import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from slack_sdk.socket_mode.request import SocketModeRequest

from deployments.rehearsal.slack.directory import Directory
from deployments.rehearsal.slack.objects import Json
from deployments.rehearsal.slack.running import RunningSlack
from deployments.rehearsal.slack.web.mrkdwn import Rendering
from deployments.rehearsal.slack.workspace import default_workspace
from tests.rehearsal.slack_at_work import (
    CHANNEL,
    COMMAND,
    OTHER,
    WHO,
    App,
    actions,
    app_on,
    ask,
    at_work,
    button,
    client,
    text,
)
from tests.rehearsal.slack_browser import Browser
from tests.rehearsal.test_slack_interactions import OPTIONS, VIEW

CONFIRM = {
    "title": text("Sure?"),
    "text": text("It stops."),
    "confirm": text("Stop"),
    "deny": text("No"),
}
EVIL = "<script>alert(1)</script>"


@contextmanager
def app_beside(
    slack: RunningSlack, answer: Callable[[SocketModeRequest], Json | None] = lambda _: None
) -> Iterator[App]:
    """Run an app in a thread of its own, while the test looks at the page."""
    ready, leave, apps = threading.Event(), threading.Event(), list[App]()

    async def live() -> None:
        async with app_on(slack, answer) as app:
            apps.append(app)
            ready.set()
            await asyncio.to_thread(leave.wait)

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    try:
        assert ready.wait(5)
        yield apps[0]
    finally:
        leave.set()
        thread.join()


def looking(slack: RunningSlack, user: str = WHO) -> Browser:
    browser = Browser(slack.page)
    browser.become(user)
    return browser


def test_the_page_asks_who_one_is() -> None:
    with at_work() as slack:
        browser = Browser(slack.page)
        assert "Who are you?" in browser.html
        browser.become(WHO)

    assert "mesh-upgrades" in browser.html


def test_the_page_says_who_is_in_a_group_for_groups_decide() -> None:
    with at_work() as slack:
        browser = Browser(slack.page)
        assert browser.html.count("in @mesh-admins") == 2
        slack.change_group("mesh-admins", [WHO])
        browser.become(WHO)

    assert browser.html.count("<small>@mesh-admins</small>") == 1


def test_a_button_is_pressed_by_whoever_one_is() -> None:
    with at_work() as slack, app_beside(slack) as app:
        ask(slack)
        browser = looking(slack, OTHER)
        browser.send("/page/press", "press", "votes:go")

        assert browser.status == 200
        assert app.told[0].payload["user"]["id"] == OTHER
        assert app.told[0].payload["actions"][0]["value"] == "1"


def test_buttons_of_one_name_are_told_apart_by_their_blocks() -> None:
    blocks = [actions(button()) | {"block_id": name} for name in ("a", "b:c &d")]
    with at_work() as slack, app_beside(slack) as app:
        client(slack).chat_postMessage(channel=CHANNEL, text="x", blocks=blocks)
        looking(slack).send("/page/press", "press", "b%3Ac%20%26d:go")

        assert app.told[0].payload["actions"][0]["block_id"] == "b:c &d"


def test_a_button_that_asks_first_shows_what_it_asks() -> None:
    with at_work() as slack, app_beside(slack) as app:
        ask(slack, button("stop", style="danger", confirm=CONFIRM))
        browser = looking(slack)
        assert "Sure?" in browser.html
        assert "It stops." in browser.html
        browser.send("/page/press", "press", "votes:stop")

        assert app.told[0].payload["actions"][0]["action_id"] == "stop"


def test_a_button_may_lead_elsewhere_and_the_app_is_told() -> None:
    with at_work() as slack, app_beside(slack) as app:
        ask(slack, button("plan", url=f"{slack.url}/api/api.test"))
        browser = looking(slack)
        browser.open(next(one for one in browser.links if one.startswith("/page/visit")))
        assert '"ok":true' in browser.html

        async def told() -> None:
            await slack.until(lambda: app.told)

        asyncio.run(told())
        assert app.told[0].payload["actions"][0]["action_id"] == "plan"


def test_a_press_that_nobody_takes_leaves_a_warning_until_it_is_dismissed() -> None:
    with at_work(patience=0.05) as slack:
        ask(slack)
        browser = looking(slack)
        browser.send("/page/press", "press", "votes:go")
        assert "rehearsed did not respond" in browser.html
        browser.send("/page/dismiss")

    assert "rehearsed did not respond" not in browser.html


def test_an_old_page_presses_what_is_gone_and_says_so() -> None:
    with at_work() as slack:
        ts = ask(slack)
        browser = looking(slack)
        client(slack).chat_update(channel=CHANNEL, ts=ts, text="over")
        browser.send("/page/press", "press", "votes:go")

    assert "alice sees no go" in browser.html


def test_a_command_is_typed_and_answered_to_one_person() -> None:
    with at_work() as slack, app_beside(slack, lambda _: {"text": "on its way"}) as app:
        browser, other = looking(slack), looking(slack, OTHER)
        browser.send("/page/type", text=f"{COMMAND} status all")
        other.open("/")

        assert app.told[0].payload["text"] == "status all"
        assert "on its way" in browser.html
        assert "Only visible to you" in browser.html
        assert "on its way" not in other.html


def test_what_is_said_is_said_in_the_thread_that_is_open() -> None:
    with at_work() as slack:
        ts = ask(slack)
        browser = looking(slack)
        browser.open(f"/?channel={CHANNEL}&thread={ts}")
        form = next(one for one in browser.forms if "thread_ts" in one.fields)
        browser.send("/page/type", text="fine & <good>", thread_ts=form.fields["thread_ts"])
        found = slack.messages(CHANNEL)[-1]

        assert found["text"] == "fine &amp; &lt;good&gt;"
        assert found["thread_ts"] == ts
        assert "fine &amp; &lt;good&gt;" in browser.html
        browser.send("/page/type", text=COMMAND, thread_ts=ts)
        assert "not supported in threads" in browser.html


def test_a_modal_is_filled_in_on_the_page() -> None:
    def answered(request: SocketModeRequest) -> Json | None:
        if request.payload.get("type") != "view_submission":
            return None
        why = request.payload["view"]["state"]["values"]["why"]["reason"]["value"]
        errors = {"response_action": "errors", "errors": {"why": "Say more."}}
        return errors if len(why) < 5 else None

    with at_work() as slack, app_beside(slack, answered) as app:
        browser = looking(slack)
        browser.send("/page/type", text=COMMAND)
        client(slack).views_open(trigger_id=app.told[0].payload["trigger_id"], view=VIEW)
        browser.open("/")
        browser.send("/page/submit", **{"v:why:reason": "no"})
        assert "Say more." in browser.html
        browser.send("/page/submit", **{"v:why:reason": "too late"})

        assert not slack.views(WHO)
        assert 'role="dialog"' not in browser.html


CHOICES: Json = VIEW | {
    "blocks": [
        *VIEW["blocks"],
        *(
            {
                "type": "input",
                "block_id": kind,
                "label": text(kind),
                "element": {"type": kind, "action_id": "choice", "options": OPTIONS},
            }
            for kind in ("static_select", "radio_buttons", "checkboxes")
        ),
    ]
}


def test_what_was_filled_in_is_told_and_stays_until_the_app_is_content() -> None:
    def answered(request: SocketModeRequest) -> Json | None:
        if request.payload.get("type") != "view_submission":
            return None
        return {"response_action": "errors", "errors": {"why": "Say more."}}

    with at_work() as slack, app_beside(slack, answered) as app:
        browser = looking(slack)
        browser.send("/page/type", text=COMMAND)
        client(slack).views_open(trigger_id=app.told[0].payload["trigger_id"], view=CHOICES)
        browser.open("/")
        chosen = {
            "v:why:reason": "because",
            "v:static_select:choice": "a",
            "v:radio_buttons:choice": "b",
            "v:checkboxes:choice[]": "b",
        }
        browser.send("/page/submit", **chosen)
        told = app.told[-1].payload["view"]["state"]["values"]

        assert told["static_select"]["choice"]["selected_option"] == OPTIONS[0]
        assert told["radio_buttons"]["choice"]["selected_option"] == OPTIONS[1]
        assert told["checkboxes"]["choice"]["selected_options"] == [OPTIONS[1]]
        assert 'value="because"' in browser.html
        assert 'value="a" selected' in browser.html
        assert browser.html.count('value="b" checked') == 2


def test_a_modal_is_closed_on_the_page() -> None:
    with at_work() as slack, app_beside(slack) as app:
        browser = looking(slack)
        browser.send("/page/type", text=COMMAND)
        client(slack).views_open(trigger_id=app.told[0].payload["trigger_id"], view=VIEW)
        browser.open("/")
        view = slack.views(WHO)[0]
        form = next(one for one in browser.forms if one.action == "/page/submit")
        body = f"word={form.fields['word']}&view_id={view['id']}&channel={CHANNEL}"
        browser.open("/page/close", body.encode())

        assert not slack.views(WHO)


def test_a_form_from_elsewhere_does_nothing() -> None:
    with at_work(patience=0.05) as slack:
        ts = ask(slack)
        browser, other = looking(slack), looking(slack, OTHER)
        for word in ("", "0" * 64, other.forms[0].fields["word"]):
            body = f"word={word}&channel={CHANNEL}&ts={ts}&press=votes:go"
            browser.open("/page/press", body.encode())
            assert browser.status == 403
        browser.open(f"/page/visit?channel={CHANNEL}&ts={ts}&press=votes:go")
        assert browser.status == 403
        assert not slack.warnings(WHO)


def test_what_people_and_apps_say_is_never_markup() -> None:
    blocks: list[Json] = [
        {"type": "header", "text": text(EVIL)},
        {"type": "section", "text": {"type": "mrkdwn", "text": f"*{EVIL}* `{EVIL}`"}},
        {"type": "section", "fields": [text(EVIL)]},
        actions(button(text=text(EVIL), value=EVIL)),
    ]
    with at_work() as slack:
        metadata = {"event_type": "said", "event_payload": {"key": f"{EVIL}' onclick='"}}
        client(slack).chat_postMessage(channel=CHANNEL, text="x", blocks=blocks, metadata=metadata)
        slack.say(WHO, CHANNEL, f"{EVIL} <javascript:alert(1)|click>")
        html = looking(slack).html

    assert EVIL not in html
    assert "javascript:" not in html
    assert html.count("&lt;script&gt;") == 4
    assert "onclick='" not in html


def test_the_page_loads_nothing_from_elsewhere_and_runs_only_its_own_script() -> None:
    with at_work() as slack:
        one, other = looking(slack), looking(slack)
    policies = [browser.policy for browser in (one, other)]
    nonces = [re.findall(r"script-src 'nonce-([^']+)'", policy)[0] for policy in policies]

    assert policies[0].startswith("default-src 'none'; ")
    assert f'<script nonce="{nonces[0]}">' in one.html
    assert nonces[0] != nonces[1]


def test_the_page_knows_when_it_is_out_of_date() -> None:
    with at_work() as slack:
        browser = looking(slack)
        shown = re.findall(r'const shown = "(\w+)"', browser.html)[0]
        browser.open("/page/digest")
        same = browser.html
        ask(slack)
        browser.open("/page/digest")

    assert shown == same != browser.html


def test_a_name_that_is_not_of_this_machine_leads_nowhere() -> None:
    with at_work() as slack:
        browser = looking(slack)
        browser.open("/", host="evil.example")

    assert browser.status == 400


@pytest.mark.parametrize(
    ("said", "html"),
    [
        ("*b* _i_ ~s~", "<b>b</b> <i>i</i> <s>s</s>"),
        ("a*b*c 2 * 3 * 4", "a*b*c 2 * 3 * 4"),
        ("`*b*`", "<code>*b*</code>"),
        ("```x &lt; y\n*b*```", "<pre>x &lt; y\n*b*</pre>"),
        ("a &amp;lt; b", "a &amp;lt; b"),
        ("one\ntwo", "one<br>two"),
        ("&gt; said\nfine", "<blockquote>said</blockquote>fine"),
        (":rocket: :unknown:", "🚀 :unknown:"),
        ("<@U0ALICE>", '<span class="mention">@alice</span>'),
        ("<#C0UPGRADES>", '<span class="mention">#mesh-upgrades</span>'),
        ("<!subteam^S0ADMINS>", '<span class="mention">@mesh-admins</span>'),
        ("<!here>", '<span class="mention">@here</span>'),
        ("<!date^1^{date}|then>", "then"),
        (
            "<mailto:a@b.c|a>",
            '<a href="mailto:a@b.c" target="_blank" rel="noopener noreferrer">a</a>',
        ),
    ],
)
def test_slack_s_markup_is_shown_as_html(said: str, html: str) -> None:
    assert Rendering(Directory(default_workspace())).mrkdwn(said) == html
