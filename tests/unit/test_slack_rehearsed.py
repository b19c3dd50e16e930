"""Our adapter against the rehearsal's Slack, which checks what Slack checks."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deployments.rehearsal.slack.faults import Kind
from deployments.rehearsal.slack.running import RunningSlack
from deployments.rehearsal.slack.serving import serving
from deployments.rehearsal.slack.workspace import ADMINS, ALICE, MALLORY, RANDOM, UPGRADES
from tasks import wiring
from tasks.adapters.ports import Slack, SlackSocket
from tasks.adapters.slack import EVENT, SlackApi
from tasks.domain.errors import BadInputError, RefusedError, TransientError
from tasks.domain.slack import AnswerLostError, Label, Message, MessageGoneError

BUTTON = {
    "type": "actions",
    "elements": [
        {
            "type": "button",
            "action_id": "gate-approve",
            "text": {"type": "plain_text", "text": "Approve"},
            "value": "v",
        }
    ],
}
MODAL: Mapping[str, Any] = {
    "type": "modal",
    "callback_id": "reason",
    "title": {"type": "plain_text", "text": "Why"},
    "submit": {"type": "plain_text", "text": "Reject"},
    "blocks": [
        {
            "type": "input",
            "block_id": "reason",
            "label": {"type": "plain_text", "text": "Reason"},
            "element": {"type": "plain_text_input", "action_id": "reason"},
        }
    ],
}
REASON: Mapping[str, Mapping[str, str]] = {"reason": {"reason": "so"}}
ASK = Message(text="shall we", blocks=(BUTTON,))


@pytest.fixture
def slack() -> Iterator[RunningSlack]:
    with serving() as running:
        yield running


def no_cluster(namespace: str, name: str, key: str) -> bytes:
    raise BadInputError(f"there is no Secret {namespace}/{name} with {key}")


def label(key: str, message: Message = ASK) -> Label:
    return Label(cluster="east", run="r1", key=key, fingerprint=message.fingerprint)


def with_api(slack: RunningSlack, script: Callable[[SlackApi], Awaitable[None]]) -> None:
    async def run() -> None:
        await script(SlackApi(slack.app.bot_token, base_url=slack.api_url))

    asyncio.run(run())


async def started(api: SlackApi) -> str:
    return (await api.post(UPGRADES.id, ASK, label=label("head"), thread=None)).ts


def recently() -> datetime:
    return datetime.now(UTC) - timedelta(minutes=5)  # noqa: TID251 - Slack's time is the real one


def test_a_thread_is_posted_found_and_brought_up_to_date(slack: RunningSlack) -> None:
    async def script(api: SlackApi) -> None:
        ts = await started(api)
        reply = await api.post(UPGRADES.id, ASK, label=label("gate"), thread=ts)
        over = Message(text="over")
        await api.update(UPGRADES.id, reply.ts, over, label=label("gate", over))
        heads = await api.heads(UPGRADES.id, since=recently())
        assert [(one.ts, one.label) for one in heads] == [(ts, label("head"))]
        thread = await api.thread(UPGRADES.id, ts)
        assert [one.label for one in thread] == [label("head"), label("gate", over)]

    with_api(slack, script)
    assert [one["text"] for one in slack.messages(UPGRADES.id)] == ["shall we", "over"]
    assert not slack.messages(UPGRADES.id)[1].get("blocks")


def test_what_somebody_else_labels_as_ours_is_not_ours(slack: RunningSlack) -> None:
    payload = {"cluster": "east", "run": "r1", "key": "head", "fingerprint": "f"}
    metadata: dict[str, Any] = {"event_type": EVENT, "event_payload": payload}
    slack.say(MALLORY.id, UPGRADES.id, "trust me", metadata=metadata)

    async def script(api: SlackApi) -> None:
        assert await api.heads(UPGRADES.id, since=recently()) == ()

    with_api(slack, script)


def test_a_lost_answer_leaves_a_message_that_is_found(slack: RunningSlack) -> None:
    slack.fail("lose-answer", "chat.postMessage", times=1)

    async def script(api: SlackApi) -> None:
        with pytest.raises(AnswerLostError):
            await started(api)
        assert len(await api.heads(UPGRADES.id, since=recently())) == 1

    with_api(slack, script)
    assert len(slack.messages(UPGRADES.id)) == 1


@pytest.mark.parametrize("kind", ["refuse", "status", "lose-answer"])
def test_a_read_goes_on_after_what_befell_it(slack: RunningSlack, kind: Kind) -> None:
    slack.fail(kind, "usergroups.users.list", times=2)

    async def script(api: SlackApi) -> None:
        assert await api.members(ADMINS.id) == set(ADMINS.members)

    with_api(slack, script)


def test_the_rates_of_slack_are_kept_without_a_single_refusal(slack: RunningSlack) -> None:
    async def script(api: SlackApi) -> None:
        ts = await started(api)
        say = (
            api.post(UPGRADES.id, ASK, label=label(f"k{number}"), thread=ts) for number in range(3)
        )
        await asyncio.gather(*say, api.update(UPGRADES.id, ts, ASK, label=label("head")))

    with_api(slack, script)
    assert {one.status for one in slack.calls()} == {200}
    assert [one.method for one in slack.calls()][-1] == "chat.update"


def test_a_message_that_is_not_there_is_told_apart(slack: RunningSlack) -> None:
    async def script(api: SlackApi) -> None:
        with pytest.raises(MessageGoneError):
            await api.update(UPGRADES.id, "1700000000.000001", ASK, label=label("head"))
        assert await api.thread(UPGRADES.id, "1700000000.000001") == ()

    with_api(slack, script)


def test_a_channel_without_the_bot_is_refused(slack: RunningSlack) -> None:
    async def script(api: SlackApi) -> None:
        with pytest.raises(RefusedError, match="invite the bot"):
            await api.post(RANDOM.id, ASK, label=label("head"), thread=None)

    with_api(slack, script)


def test_only_one_person_sees_a_whisper(slack: RunningSlack) -> None:
    async def script(api: SlackApi) -> None:
        await api.whisper(UPGRADES.id, MALLORY.id, "not you", thread=await started(api))

    with_api(slack, script)
    assert [one["text"] for one in slack.ephemerals(MALLORY.id)] == ["not you"]
    assert slack.ephemerals(ALICE.id) == []


def test_a_click_is_heard_answered_and_leads_to_a_modal(
    slack: RunningSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APP", slack.app.app_token)
    monkeypatch.setenv("BOT", slack.app.bot_token)
    heard: list[Mapping[str, Any]] = []

    def hear(_: str, payload: Mapping[str, Any]) -> Mapping[str, Any] | None:
        heard.append(payload)
        if payload["type"] == "view_submission":
            return {"response_action": "errors", "errors": {"reason": "say why"}}
        return None

    async def script(api: Slack, socket: SlackSocket) -> None:
        posted = await api.post(UPGRADES.id, ASK, label=label("head"), thread=None)
        press = (ALICE.id, UPGRADES.id, posted.ts, "gate-approve")
        assert (await asyncio.to_thread(slack.press, *press)).acknowledged
        await slack.until(lambda: heard)
        await api.open_modal(heard[0]["trigger_id"], MODAL)
        with pytest.raises(RefusedError, match="press it again"):
            await api.open_modal(heard[0]["trigger_id"], MODAL)
        (view,) = await asyncio.to_thread(slack.views, ALICE.id)
        await asyncio.to_thread(slack.submit, ALICE.id, view["id"], REASON)
        (view,) = await asyncio.to_thread(slack.views, ALICE.id)
        assert view["errors"] == {"reason": "say why"}
        for is_heard in (True, True, True, True, True, False):  # Slack takes five
            assert await api.answer(heard[0]["response_url"], "thanks", thread=None) is is_heard
        assert socket.silent_for() < 5

    async def run() -> None:
        given: Any = {"url": slack.api_url, "secrets": no_cluster}
        listen: Any = {"hear": hear, "acknowledged": lambda _: None, **given}
        async with (
            wiring.slack("env:BOT", **given) as api,
            wiring.slack_socket("env:APP", **listen) as socket,
        ):
            await script(api, socket)

    asyncio.run(run())
    assert {one["text"] for one in slack.ephemerals(ALICE.id)} == {"thanks"}


def test_a_slack_that_is_away_is_trouble_that_may_pass(slack: RunningSlack) -> None:
    slack.go_down()

    async def script(api: SlackApi) -> None:
        with pytest.raises(TransientError):
            await api.members(ADMINS.id)

    with_api(slack, script)
