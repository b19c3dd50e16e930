"""What Slack sends: read once into values; whatever has another form is refused."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployments.gatekeeper.hearing import read_command, read_interaction
from tasks.domain.errors import BadInputError
from tasks.domain.slack import Click, Command, Person, Submission


def click(**changes: object) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "block_actions",
        "api_app_id": "A1",
        "user": {"id": "U2", "username": "bob", "team_id": "T1"},
        "team": {"id": "T1", "domain": "mesh"},
        "container": {
            "type": "message",
            "channel_id": "C1",
            "message_ts": "1764000000.000200",
            "thread_ts": "1764000000.000100",
            "is_ephemeral": False,
        },
        "channel": {"id": "C1", "name": "mesh"},
        "message": {"ts": "1764000000.000200", "text": "..."},
        "trigger_id": "1.2.abc",
        "response_url": "https://hooks.slack.com/actions/1",
        "actions": [
            {
                "action_id": "gate-approve",
                "block_id": "b1",
                "value": "{}",
                "type": "button",
                "action_ts": "1764000060.250000",
            }
        ],
    }
    return {**made, **changes}


def submission(**changes: object) -> dict[str, Any]:
    made: dict[str, Any] = {
        "type": "view_submission",
        "user": {"id": "U2", "team_id": "T1"},
        "team": {"id": "T1"},
        "view": {
            "id": "V1",
            "callback_id": "gate-reject-reason",
            "private_metadata": "{}",
            "state": {
                "values": {
                    "b": {
                        "reason": {"type": "plain_text_input", "value": "no"},
                        "empty": {"value": None},
                    }
                }
            },
        },
    }
    return {**made, **changes}


def command(**changes: object) -> dict[str, Any]:
    made: dict[str, Any] = {
        "team_id": "T1",
        "user_id": "U2",
        "channel_id": "C1",
        "command": "/istio-canary",
        "text": "status",
        "trigger_id": "1.2.abc",
        "response_url": "https://hooks.slack.com/commands/1",
    }
    return {**made, **changes}


def test_a_click_is_read() -> None:
    assert read_interaction(click()) == Click(
        person=Person(team="T1", user="U2"),
        channel="C1",
        message="1764000000.000200",
        thread="1764000000.000100",
        action="gate-approve",
        value="{}",
        at=datetime.fromtimestamp(1764000060.25, tz=UTC),
        response_url="https://hooks.slack.com/actions/1",
        trigger="1.2.abc",
    )


def test_a_click_outside_a_thread_is_in_the_message_s_own() -> None:
    container = {"channel_id": "C1", "message_ts": "1764000000.000200"}
    heard = read_interaction(click(container=container))
    assert isinstance(heard, Click)
    assert heard.thread == "1764000000.000200"


def test_a_person_of_another_workspace_is_not_one_of_ours_with_the_same_id() -> None:
    heard = read_interaction(click(user={"id": "U2", "team_id": "T9"}))
    assert heard.person.identity == "slack:T9/U2"


def test_a_modal_s_fields_are_read_by_their_names() -> None:
    assert read_interaction(submission()) == Submission(
        person=Person(team="T1", user="U2"),
        callback="gate-reject-reason",
        private="{}",
        values={"reason": "no", "empty": ""},
    )


def test_a_command_is_read() -> None:
    assert read_command(command()) == Command(
        person=Person(team="T1", user="U2"),
        channel="C1",
        text="status",
        response_url="https://hooks.slack.com/commands/1",
        trigger="1.2.abc",
    )


def test_a_command_is_read_as_it_was_typed() -> None:
    heard = read_command(command(text="reject p99 &gt; 2 s &amp;amp; rising"))
    assert heard.text == "reject p99 > 2 s &amp; rising"


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        pytest.param({}, "neither a click nor a modal", id="nothing"),
        pytest.param({"type": "shortcut"}, "neither a click nor a modal", id="another kind"),
        pytest.param(click(actions=[]), "`$.actions`", id="no action"),
        pytest.param(click(actions=click()["actions"] * 2), "`$.actions`", id="two actions"),
        pytest.param(
            click(user={"id": "U2/../U1", "team_id": "T1"}), "`$.user.id`", id="a strange id"
        ),
        pytest.param(click(user={"id": "<!channel>"}), "`$.user.id`", id="markup as an id"),
        pytest.param(click(team={"id": "T1" * 50}), "`$.team.id`", id="a long id"),
        pytest.param(
            click(actions=[{"action_id": "gate-approve", "action_ts": "soon"}]),
            "action_ts`",
            id="no time",
        ),
        pytest.param(
            click(actions=[{**click()["actions"][0], "value": "x" * 10_000}]),
            ".value`",
            id="a long value",
        ),
        pytest.param(submission(view=[]), "`$.view`", id="no modal"),
        pytest.param(
            submission(view={**submission()["view"], "state": {"values": [1]}}),
            "the whole",
            id="fields of no kind",
        ),
    ],
)
def test_what_has_another_form_is_refused_without_a_word_of_it(
    payload: Mapping[str, Any], why: str
) -> None:
    with pytest.raises(BadInputError) as raised:
        read_interaction(payload)
    assert why in str(raised.value)
    assert "channel>" not in str(raised.value)


def test_another_app_s_command_is_refused() -> None:
    with pytest.raises(BadInputError, match="another command"):
        read_command(command(command="/deploy"))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(
    st.dictionaries(st.sampled_from([*click(), "view"]), _JSON),
    st.sampled_from(["block_actions", "view_submission"]),
)
def test_junk_raises_nothing_but_a_refusal(junk: dict[str, Any], kind: str) -> None:
    whole = click() if kind == "block_actions" else submission()
    with suppress(BadInputError):
        read_interaction({**whole, **junk, "type": kind})
