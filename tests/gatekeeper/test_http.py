"""Slack by HTTP: what it signs is taken once, and everything else is refused, counted and not repeated."""

import json
import logging
import urllib.request
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlencode

import pytest

from deployments.rehearsal.slack import payloads
from deployments.rehearsal.slack.request_urls import body_of, signature
from tests.gatekeeper.keeping import Gatekeeper, gatekeeper
from tests.gatekeeper.world import World, until, world
from tests.unit.gatekeeper_scene import BOB, CHANNEL, FLOW_RUN

REFUSED: Final = 'istio_canary_refusals_total{reason="%s"}'
SECRET_WORDS: Final = "words that belong into no log"


@pytest.fixture(scope="module")
def place() -> Iterator[World]:
    approvers = [BOB.identity, "slack:T1/U100", "slack:T1/U101"]
    gates = {"approvers": approvers, "quorum": 3}  # the last of them never clicks
    with world(gates) as found, found.worker():
        yield found


@pytest.fixture(scope="module")
def one(place: World) -> Iterator[Gatekeeper]:
    with gatekeeper(place, by_http=True) as found:
        place.slack.request_at(f"http://127.0.0.1:{found.port}/slack/events")
        yield found


def request(
    place: World, to: Gatekeeper, body: bytes, *, moment: str = "", signed: str = ""
) -> urllib.request.Request:
    """Return a request as Slack makes it, unless something of it is given."""
    moment = moment or str(int(place.clock.now().timestamp()))
    signed = signed or signature(place.slack.app.signing_secret, moment, body)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": moment,
        "X-Slack-Signature": signed,
    }
    url = f"http://127.0.0.1:{to.port}/slack/events"
    return urllib.request.Request(url, data=body, headers=headers, method="POST")


def interaction(place: World, **action: object) -> dict[str, Any]:
    """Return a click on the gate's Approve as Slack tells it, with changes of the action."""
    button, slack = place.button(), place.slack.slack
    message = slack.conversations.get(CHANNEL, button.ts)
    assert message is not None
    acted = payloads.action_of(slack, button.block, button.element, None) | action
    return payloads.block_actions(slack, BOB.user, message, acted, {})


def form_of(payload: dict[str, Any]) -> bytes:
    return body_of("interactive", payload)[0]


def test_a_signed_click_is_taken_and_a_replay_of_it_is_not(place: World, one: Gatekeeper) -> None:
    body = form_of(interaction(place))
    asked = request(place, one, body)
    assert one.ask(asked) == (200, "")
    place.hears(BOB.user, "Recorded: you approved")
    assert one.ask(asked)[0] == 401
    assert len(place.votes.rows(FLOW_RUN)) == 1
    assert one.counted("istio_canary_ack_seconds_count") >= 1
    assert one.page("/healthz")[0] == 200


def test_people_press_and_type_as_with_a_socket(place: World, one: Gatekeeper) -> None:
    assert place.press("U100", ts=place.ts())
    assert place.type(BOB.user, "status")
    place.hears(BOB.user, "*eu*")


@pytest.mark.parametrize(
    ("moment", "signed"),
    [
        pytest.param("", "v0=" + "0" * 64, id="another signature"),
        pytest.param("", "v0=", id="an empty signature"),
        pytest.param("", "\xff\xfe", id="a signature that is not ASCII"),
        pytest.param("1", "", id="from long ago"),
        pytest.param("4102444800", "", id="from the future"),
        pytest.param("now", "", id="no number"),
        pytest.param("1.5", "", id="a fraction"),
        pytest.param("9" * 400, "", id="a number without end"),
    ],
)
def test_what_slack_has_not_signed_now_is_401(
    place: World, one: Gatekeeper, moment: str, signed: str
) -> None:
    before = one.counted(REFUSED % "signature")
    body = form_of(interaction(place))
    status, text = one.ask(request(place, one, body, moment=moment, signed=signed))
    assert (status, text) == (401, "not signed by Slack")
    assert one.counted(REFUSED % "signature") == before + 1


def test_a_request_without_any_signature_is_401(place: World, one: Gatekeeper) -> None:
    url = f"http://127.0.0.1:{one.port}/slack/events"
    bare = urllib.request.Request(url, data=b"payload={}", method="POST")
    assert one.ask(bare)[0] == 401


def test_a_body_that_is_not_text_is_refused(place: World, one: Gatekeeper) -> None:
    assert one.ask(request(place, one, b"\xff\xfe\x00", signed="v0=" + "0" * 64))[0] == 401


def test_a_body_that_is_too_large_is_refused(place: World, one: Gatekeeper) -> None:
    status, text = one.ask(request(place, one, b"a" * 1_000_001))
    assert (status, text) == (400, "over 1000000 bytes")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"payload=" + b"[" * 5000, id="brackets without end"),
        pytest.param(b"payload=null", id="nothing"),
        pytest.param(b"payload=%22text%22", id="a text"),
        pytest.param(b"{", id="half of it"),
        pytest.param(b"&".join(b"a%d=1" % number for number in range(60)), id="many fields"),
        pytest.param(b"payload=%7B%22a%22%3A%22%5Cud800%22%7D", id="half a character"),
    ],
)
def test_what_is_signed_and_still_no_form_of_slack_s_is_400(
    place: World, one: Gatekeeper, body: bytes
) -> None:
    before = one.counted(REFUSED % "junk")
    assert one.ask(request(place, one, body))[0] == 400
    assert one.counted(REFUSED % "junk") == before + 1


HOSTILE: Final = (
    "{{ 7*7 }}{% for x in range(10**9) %}",
    "<!channel> <@U1> <https://evil.test|click here>",
    "*bold* `code` ~gone~ _it_ &amp; \u202e\u0000",
)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"type": "view_closed"}, id="another type"),
        pytest.param({"type": 7}, id="a type that is a number"),
        pytest.param({"user": {"id": "U1/../U2"}}, id="an id with strange characters"),
        pytest.param({"user": {"id": "U" * 5000}}, id="an id without end"),
        pytest.param({"team": {"id": "<!channel>"}}, id="a team that is markup"),
        pytest.param({"container": {"type": "view"}}, id="another app's modal"),
        pytest.param({"actions": []}, id="no action"),
    ],
)
def test_what_another_app_or_nobody_sends_is_dropped_and_counted(
    place: World, one: Gatekeeper, caplog: pytest.LogCaptureFixture, changes: dict[str, Any]
) -> None:
    before, rows = one.counted(REFUSED % "junk"), len(place.votes.rows(FLOW_RUN))
    payload = interaction(place) | {"note": SECRET_WORDS} | changes
    with caplog.at_level(logging.INFO):
        assert one.ask(request(place, one, form_of(payload)))[0] == 200
    assert one.counted(REFUSED % "junk") == before + 1
    assert len(place.votes.rows(FLOW_RUN)) == rows
    told = caplog.text
    for hidden in (SECRET_WORDS, place.slack.app.signing_secret, place.slack.app.bot_token):
        assert hidden not in told


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("field", ["action_id", "value"])
def test_a_button_that_is_not_ours_is_answered_without_its_words(
    place: World, one: Gatekeeper, field: str, text: str
) -> None:
    told = len(place.told(BOB.user))
    payload = interaction(place, **{field: text})
    assert one.ask(request(place, one, form_of(payload)))[0] == 200
    until(lambda: len(place.told(BOB.user)) > told, what="he is told")
    assert place.told(BOB.user)[-1] == "Not taken: this button is not one of istio-canary's."


@pytest.mark.parametrize("text", HOSTILE)
def test_a_command_s_words_come_back_escaped(place: World, one: Gatekeeper, text: str) -> None:
    told = len(place.told(BOB.user))
    assert place.type(BOB.user, f"nonsense{text}")
    until(lambda: len(place.told(BOB.user)) > told, what="he is told")
    answer = place.told(BOB.user)[-1]
    assert answer.startswith("Not done: ")
    assert "49" not in answer
    assert not any(one in answer for one in ("<!", "<@", "<http", "\x00", "\u202e"))


def test_a_command_of_ten_thousand_characters_is_refused(place: World, one: Gatekeeper) -> None:
    assert place.type(BOB.user, "reject " + "a" * 10_000)
    place.hears(BOB.user, "2000 are the most")


def test_a_reason_of_ten_thousand_characters_is_asked_for_again(
    place: World, one: Gatekeeper
) -> None:
    assert place.press(BOB.user, "gate-reject")
    (view,) = until(lambda: place.slack.views(BOB.user), what="a reason is asked for")
    told = payloads.view_submission(place.slack.slack, BOB.user, "view_submission", view)
    state = {"values": {"any": {"reason": {"type": "plain_text_input", "value": "a" * 10_000}}}}
    told["view"] = {**view, "state": state}
    status, text = one.ask(request(place, one, form_of(told)))
    assert status == 200
    assert json.loads(text)["errors"] == {"reason": "10000 characters; 1000 are the most."}
    assert not place.decisions


def test_slack_s_question_whether_we_are_there_is_answered(place: World, one: Gatekeeper) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "abc"}).encode()
    assert one.ask(request(place, one, body)) == (200, "abc")


def test_another_app_s_command_is_dropped(place: World, one: Gatekeeper) -> None:
    form = payloads.slash_command(place.slack.slack, BOB.user, CHANNEL, "/other", "approve")
    before = one.counted(REFUSED % "junk")
    assert one.ask(request(place, one, urlencode(form).encode()))[0] == 200
    assert one.counted(REFUSED % "junk") == before + 1
