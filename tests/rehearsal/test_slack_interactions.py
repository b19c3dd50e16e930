import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.webhook import WebhookClient

from deployments.rehearsal.slack.errors import UnknownPlace
from deployments.rehearsal.slack.objects import Json, Outcome
from deployments.rehearsal.slack.running import RunningSlack
from deployments.rehearsal.slack.workspace import Channel
from tests.rehearsal.slack_at_work import (
    CHANNEL,
    COMMAND,
    OTHER,
    WHO,
    App,
    Hand,
    actions,
    app_on,
    ask,
    at_work,
    button,
    client,
    refused,
    text,
)

INPUT: Json = {
    "type": "input",
    "block_id": "why",
    "label": text("Why?"),
    "element": {"type": "plain_text_input", "action_id": "reason"},
}
VIEW: Json = {
    "type": "modal",
    "callback_id": "reject",
    "private_metadata": "run-1",
    "title": text("Reject"),
    "submit": text("Reject"),
    "blocks": [INPUT],
}
OPTIONS = [{"text": text(one), "value": one} for one in "ab"]


def run(story: Callable[[], Awaitable[None]]) -> None:
    async def told() -> None:
        await asyncio.wait_for(story(), 20)

    asyncio.run(told())


def answering(answer: Json | None) -> Callable[[SocketModeRequest], Json | None]:
    return lambda _: answer


async def pressed(slack: RunningSlack, ts: str, action_id: str = "go", **more: Any) -> Outcome:  # noqa: ANN401
    return await asyncio.to_thread(slack.press, WHO, CHANNEL, ts, action_id, **more)


def test_a_press_tells_who_pressed_what_and_where() -> None:
    async def story() -> None:
        with at_work() as slack:
            ts = ask(slack)
            async with app_on(slack):
                payload = (await pressed(slack, ts)).payload

        assert payload["type"] == "block_actions"
        assert payload["user"]["id"] == WHO
        assert payload["user"]["team_id"] == payload["team"]["id"] == "T0REHEARSE"
        assert payload["channel"] == {"id": CHANNEL, "name": "mesh-upgrades"}
        assert payload["container"]["message_ts"] == payload["message"]["ts"] == ts
        assert not payload["container"]["is_ephemeral"]
        action = payload["actions"][0]
        assert (action["action_id"], action["block_id"], action["value"], action["type"]) == (
            "go",
            "votes",
            "1",
            "button",
        )

    run(story)


def test_what_one_does_not_see_cannot_be_pressed() -> None:
    with at_work() as slack:
        slack.slack.directory.add(Channel(id="C0FEW", name="few", members=(OTHER,)))
        ts = ask(slack)
        hidden = client(slack).chat_postMessage(
            channel="C0FEW", text="x", blocks=[actions(button())]
        )["ts"]
        whisper = client(slack).chat_postEphemeral(
            channel=CHANNEL, user=OTHER, text="x", blocks=[actions(button())]
        )["message_ts"]
        for channel, name, action in (
            (CHANNEL, ts, "other"),
            (CHANNEL, "1.000001", "go"),
            ("C0FEW", str(hidden), "go"),
            (CHANNEL, str(whisper), "go"),
        ):
            with pytest.raises(UnknownPlace):
                slack.press(WHO, channel, name, action)
        client(slack).chat_update(channel=CHANNEL, ts=ts, text="over")
        with pytest.raises(UnknownPlace):
            slack.press(WHO, CHANNEL, ts, "go")


def test_a_menu_tells_what_was_chosen() -> None:
    menu = {"type": "static_select", "action_id": "menu", "options": OPTIONS}

    async def story() -> None:
        with at_work() as slack:
            ts = ask(slack, menu)
            async with app_on(slack):
                outcome = await pressed(slack, ts, "menu", values={"votes": {"menu": "b"}})

        assert outcome.payload["actions"][0]["selected_option"] == OPTIONS[1]
        assert outcome.payload["state"]["values"]["votes"]["menu"]["selected_option"] == OPTIONS[1]

    run(story)


def test_the_message_can_be_replaced_and_deleted_where_it_was_pressed() -> None:
    async def story() -> None:
        with at_work() as slack:
            ts = ask(slack)
            async with app_on(slack):
                hook = WebhookClient((await pressed(slack, ts)).payload["response_url"])
            hook.send(text="done", replace_original=True)
            replaced = slack.messages(CHANNEL)[0]
            hook.send(delete_original=True)

            assert replaced["text"] == "done"
            assert "blocks" not in replaced
            assert not slack.messages(CHANNEL)

    run(story)


def test_an_answer_is_for_one_person_or_for_all() -> None:
    async def story() -> None:
        with at_work() as slack:
            ts = ask(slack)
            async with app_on(slack):
                hook = WebhookClient((await pressed(slack, ts)).payload["response_url"])
            hook.send(text="you", response_type="ephemeral")
            hook.send(text="all", response_type="in_channel")

            assert [one["text"] for one in slack.ephemerals(WHO)] == ["you"]
            assert [one["text"] for one in slack.messages(CHANNEL)] == ["Go?", "all"]

    run(story)


def test_a_whisper_can_be_replaced_only_where_it_was_pressed() -> None:
    async def story() -> None:
        with at_work() as slack:
            api = client(slack)
            ts = str(
                api.chat_postEphemeral(
                    channel=CHANNEL, user=WHO, text="x", blocks=[actions(button())]
                )["message_ts"]
            )
            async with app_on(slack):
                payload = (await pressed(slack, ts)).payload
            updated = refused(lambda: api.chat_update(channel=CHANNEL, ts=ts, text="y"))
            WebhookClient(payload["response_url"]).send(text="z", replace_original=True)

            assert "message" not in payload
            assert payload["container"]["is_ephemeral"]
            assert updated["error"] == "message_not_found"
            assert [one["text"] for one in slack.ephemerals(WHO)] == ["z"]

    run(story)


def test_a_response_url_is_good_for_five_answers_and_half_an_hour() -> None:
    async def story() -> None:
        now = Hand()
        with at_work(now=now) as slack:
            ts = ask(slack)
            async with app_on(slack):
                used = WebhookClient((await pressed(slack, ts)).payload["response_url"])
                old = WebhookClient((await pressed(slack, ts)).payload["response_url"])
            answers = [used.send(text="x").status_code for _ in range(6)]
            now.time += 30 * 60 + 1
            late = old.send(text="x")
            wrong = WebhookClient(f"{slack.url}/responses/1/nonsense").send(text="x")

        assert answers == [200] * 5 + [404]
        assert (late.status_code, "expired_url" in late.body) == (404, True)
        assert wrong.status_code == 404

    run(story)


def test_a_command_tells_what_was_typed_and_shows_the_answer_to_one_person() -> None:
    async def story() -> None:
        with at_work() as slack:
            async with app_on(slack, answering({"text": "on its way"})) as app:
                await asyncio.to_thread(slack.command, WHO, CHANNEL, COMMAND, "status now")
            payload = app.told[0].payload

            assert app.told[0].type == "slash_commands"
            assert (payload["command"], payload["text"]) == (COMMAND, "status now")
            assert (payload["user_id"], payload["channel_id"]) == (WHO, CHANNEL)
            assert [one["text"] for one in slack.ephemerals(WHO)] == ["on its way"]
            with pytest.raises(UnknownPlace):
                slack.command(WHO, CHANNEL, "/other")

    run(story)


def test_a_command_may_be_answered_in_the_channel() -> None:
    async def story() -> None:
        with at_work() as slack:
            answer = {"text": "for all", "response_type": "in_channel"}
            async with app_on(slack, answering(answer)):
                await asyncio.to_thread(slack.command, WHO, CHANNEL, COMMAND)

            assert [one["text"] for one in slack.messages(CHANNEL)] == ["for all"]

    run(story)


async def _opened(slack: RunningSlack, app: App, view: Json = VIEW) -> Json:
    outcome = await asyncio.to_thread(slack.command, WHO, CHANNEL, COMMAND)
    trigger = outcome.payload["trigger_id"]
    answer = await asyncio.to_thread(client(slack).views_open, trigger_id=trigger, view=view)
    assert app.told
    found: Json = answer["view"]
    return found


def test_a_trigger_opens_one_modal_while_it_is_fresh() -> None:
    async def story() -> None:
        now = Hand()
        with at_work(now=now) as slack:
            api = client(slack)
            async with app_on(slack):
                triggers = [
                    (await asyncio.to_thread(slack.command, WHO, CHANNEL, COMMAND)).payload[
                        "trigger_id"
                    ]
                    for _ in range(2)
                ]
            api.views_open(trigger_id=triggers[0], view=VIEW)
            again = refused(lambda: api.views_open(trigger_id=triggers[0], view=VIEW))
            now.time += 3.1
            late = refused(lambda: api.views_open(trigger_id=triggers[1], view=VIEW))
            wrong = refused(lambda: api.views_open(trigger_id="1.2.3", view=VIEW))

        assert again["error"] == "exchanged_trigger_id"
        assert late["error"] == "expired_trigger_id"
        assert wrong["error"] == "invalid_trigger_id"

    run(story)


def test_a_modal_tells_what_was_filled_in_and_goes() -> None:
    async def story() -> None:
        with at_work() as slack:
            async with app_on(slack) as app:
                view = await _opened(slack, app)
                values = {"why": {"reason": "too late"}}
                await asyncio.to_thread(slack.submit, WHO, view["id"], values)
            told = app.told[-1].payload

            assert told["type"] == "view_submission"
            assert told["view"]["callback_id"] == "reject"
            assert told["view"]["private_metadata"] == "run-1"
            assert told["view"]["state"]["values"] == {
                "why": {"reason": {"type": "plain_text_input", "value": "too late"}}
            }
            assert not slack.views(WHO)

    run(story)


UPDATED = VIEW | {"title": text("Sure?")}


@pytest.mark.parametrize(
    ("answer", "titles", "errors"),
    [
        pytest.param(
            {"response_action": "errors", "errors": {"why": "Say more."}},
            ["Reject"],
            {"why": "Say more."},
            id="errors",
        ),
        pytest.param(
            {"response_action": "update", "view": UPDATED}, ["Sure?"], {}, id="another one"
        ),
        pytest.param(
            {"response_action": "push", "view": UPDATED}, ["Reject", "Sure?"], {}, id="one over it"
        ),
        pytest.param({"response_action": "clear"}, [], {}, id="none"),
    ],
)
def test_an_app_says_what_becomes_of_its_modal(
    answer: Json, titles: list[str], errors: dict[str, str]
) -> None:
    def answered(request: SocketModeRequest) -> Json | None:
        return answer if request.payload.get("type") == "view_submission" else None

    async def story() -> None:
        with at_work() as slack:
            async with app_on(slack, answered) as app:
                view = await _opened(slack, app)
                await asyncio.to_thread(slack.submit, WHO, view["id"], {})
            found = slack.views(WHO)

        assert [one["title"]["text"] for one in found] == titles
        assert (found[-1]["errors"] if found else {}) == errors

    run(story)


def test_a_modal_stays_if_the_app_does_not_answer() -> None:
    async def story() -> None:
        with at_work(patience=0.5) as slack:
            async with app_on(slack) as app:
                view = await _opened(slack, app)
            await asyncio.to_thread(slack.submit, WHO, view["id"], {})

            assert len(slack.views(WHO)) == 1
            assert slack.warnings(WHO)

    run(story)


def test_a_modal_is_updated_unless_it_has_changed_meanwhile() -> None:
    async def story() -> None:
        with at_work() as slack:
            api = client(slack)
            async with app_on(slack) as app:
                view = await _opened(slack, app)
            api.views_update(view_id=view["id"], hash=view["hash"], view=UPDATED)
            error = refused(
                lambda: api.views_update(view_id=view["id"], hash=view["hash"], view=VIEW)
            )
            unknown = refused(lambda: api.views_update(view_id="V0NONE", view=VIEW))

            assert slack.views(WHO)[0]["title"]["text"] == "Sure?"
            assert (error["error"], unknown["error"]) == ("hash_conflict", "not_found")

    run(story)


def test_at_most_three_modals_lie_on_one_another() -> None:
    async def story() -> None:
        with at_work() as slack:
            api = client(slack)
            triggers = [slack.slack.passes.trigger(WHO) for _ in range(4)]
            root = api.views_open(trigger_id=triggers[0], view=VIEW)["view"]
            pushed = [api.views_push(trigger_id=one, view=UPDATED)["view"] for one in triggers[1:3]]
            error = refused(lambda: api.views_push(trigger_id=triggers[3], view=UPDATED))

        assert {one["root_view_id"] for one in pushed} == {root["id"]}
        assert error["error"] == "push_limit_reached"

    run(story)


def test_closing_a_modal_is_told_to_those_who_want_to_know() -> None:
    async def story() -> None:
        with at_work() as slack:
            async with app_on(slack) as app:
                silent = await _opened(slack, app)
                assert await asyncio.to_thread(slack.close, WHO, silent["id"]) is None
                view = await _opened(slack, app, VIEW | {"notify_on_close": True})
                outcome = await asyncio.to_thread(slack.close, WHO, view["id"])

            assert outcome
            assert outcome.payload["type"] == "view_closed"
            assert not slack.views(WHO)
            with pytest.raises(UnknownPlace):
                slack.submit(WHO, view["id"], {})

    run(story)
