from typing import Any

import pytest

from deployments.rehearsal.slack.blocks.checking import checked_blocks, checked_view
from deployments.rehearsal.slack.errors import Refused
from tests.rehearsal.slack_at_work import CHANNEL, actions, at_work, button, client, refused, text

SECTION = {"type": "section", "text": text("x")}
FIELD = {"type": "mrkdwn", "text": "x"}
CONFIRM = {"title": text("t"), "text": text("t"), "confirm": text("y"), "deny": text("n")}
INPUT = {
    "type": "input",
    "block_id": "why",
    "label": text("Why?"),
    "element": {"type": "plain_text_input", "action_id": "reason", "max_length": 3000},
}
VIEW = {"type": "modal", "title": text("t"), "submit": text("s"), "blocks": [INPUT]}
GOOD = [
    {"type": "header", "text": text("x" * 150)},
    {"type": "section", "text": text("x" * 3000), "accessory": button("a", value="x" * 2000)},
    {"type": "section", "fields": [FIELD | {"text": "x" * 2000}] * 10},
    {"type": "context", "elements": [FIELD] * 10},
    {"type": "divider"},
    actions(*[button(f"b{number}") for number in range(25)]),
    {"type": "actions", "elements": [button("c" * 255, style="danger", confirm=CONFIRM)]},
    {"type": "image", "image_url": "https://example.com/x.png", "alt_text": "x"},
    INPUT,
]


def _faults(blocks: object) -> list[str]:
    with pytest.raises(Refused) as raised:
        checked_blocks(blocks)
    assert raised.value.error == "invalid_blocks"
    found: list[str] = raised.value.more["errors"]
    return found


def test_blocks_may_go_to_the_limits() -> None:
    assert checked_blocks(GOOD) == GOOD
    assert checked_blocks([SECTION] * 50)
    assert checked_blocks([actions(button("same")) | {"block_id": one} for one in "ab"])


@pytest.mark.parametrize(
    ("blocks", "fault"),
    [
        pytest.param([SECTION] * 51, "no more than 50 items allowed [json-pointer:/blocks]"),
        pytest.param(
            [{"type": "section", "text": text("x" * 3001)}],
            "must be less than 3001 characters [json-pointer:/blocks/0/text/text]",
        ),
        pytest.param(
            [{"type": "section", "text": text("")}],
            "must be more than 0 characters [json-pointer:/blocks/0/text/text]",
        ),
        pytest.param(
            [{"type": "section"}], "missing required field: text [json-pointer:/blocks/0]"
        ),
        pytest.param(
            [{"type": "section", "fields": [FIELD] * 11}],
            "no more than 10 items allowed [json-pointer:/blocks/0/fields]",
        ),
        pytest.param(
            [{"type": "section", "fields": [FIELD | {"text": "x" * 2001}]}],
            "must be less than 2001 characters [json-pointer:/blocks/0/fields/0/text]",
        ),
        pytest.param(
            [{"type": "header", "text": text("x" * 151)}],
            "must be less than 151 characters [json-pointer:/blocks/0/text/text]",
        ),
        pytest.param(
            [{"type": "header", "text": FIELD}],
            "must be one of: plain_text [json-pointer:/blocks/0/text/type]",
        ),
        pytest.param(
            [{"type": "context", "elements": [FIELD] * 11}],
            "no more than 10 items allowed [json-pointer:/blocks/0/elements]",
        ),
        pytest.param(
            [actions(*[button(str(number)) for number in range(26)])],
            "no more than 25 items allowed [json-pointer:/blocks/0/elements]",
        ),
        pytest.param([actions()], "no less than 1 items allowed [json-pointer:/blocks/0/elements]"),
        pytest.param(
            [actions(button(text=text("x" * 76)))],
            "must be less than 76 characters [json-pointer:/blocks/0/elements/0/text/text]",
        ),
        pytest.param(
            [actions(button(value="x" * 2001))],
            "must be less than 2001 characters [json-pointer:/blocks/0/elements/0/value]",
        ),
        pytest.param(
            [actions(button("x" * 256))],
            "must be less than 256 characters [json-pointer:/blocks/0/elements/0/action_id]",
        ),
        pytest.param(
            [SECTION | {"block_id": "x" * 256}],
            "must be less than 256 characters [json-pointer:/blocks/0/block_id]",
        ),
        pytest.param(
            [SECTION | {"block_id": "same"}] * 2,
            "`block_id` same already exists [json-pointer:/blocks/1/block_id]",
        ),
        pytest.param(
            [actions(button("same"), button("same"))],
            "`action_id` same already exists [json-pointer:/blocks/0]",
        ),
        pytest.param(
            [actions(button(style="green"))],
            "must be one of: danger, primary [json-pointer:/blocks/0/elements/0/style]",
        ),
        pytest.param(
            [actions(button(confirm=CONFIRM | {"title": text("x" * 101)}))],
            "must be less than 101 characters "
            "[json-pointer:/blocks/0/elements/0/confirm/title/text]",
        ),
        pytest.param(
            [actions(button(confirm=CONFIRM | {"text": text("x" * 301)}))],
            "must be less than 301 characters "
            "[json-pointer:/blocks/0/elements/0/confirm/text/text]",
        ),
        pytest.param(
            [actions(button(confirm=CONFIRM | {"deny": text("x" * 31)}))],
            "must be less than 31 characters [json-pointer:/blocks/0/elements/0/confirm/deny/text]",
        ),
        pytest.param([{"type": "poem"}], "unsupported type: poem [json-pointer:/blocks/0/type]"),
        pytest.param(
            [actions({"type": "plain_text_input"})],
            "unsupported type: plain_text_input [json-pointer:/blocks/0/elements/0/type]",
        ),
        pytest.param(
            [INPUT | {"element": {"type": "plain_text_input", "max_length": 3001}}],
            "must be between 1 and 3000 [json-pointer:/blocks/0/element/max_length]",
        ),
        pytest.param(
            [actions(button(disabled=True))],
            "invalid additional property: disabled [json-pointer:/blocks/0/elements/0]",
        ),
        pytest.param(
            [SECTION | {"elements": []}],
            "invalid additional property: elements [json-pointer:/blocks/0]",
        ),
        pytest.param(["x"], "must be an object [json-pointer:/blocks/0]"),
    ],
)
def test_what_is_beyond_a_limit_is_named_with_its_place(
    blocks: list[dict[str, Any]], fault: str
) -> None:
    assert fault in _faults(blocks)


def test_slack_s_own_client_is_told_what_is_wrong() -> None:
    with at_work() as slack:
        api = client(slack)
        found = refused(
            lambda: api.chat_postMessage(channel=CHANNEL, text="x", blocks=[SECTION] * 51)
        )

    assert found["error"] == "invalid_blocks"
    assert found["response_metadata"]["messages"] == [
        "[ERROR] no more than 50 items allowed [json-pointer:/blocks]"
    ]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        pytest.param({"title": text("x" * 25)}, "must be less than 25 characters"),
        pytest.param({"submit": text("x" * 25)}, "must be less than 25 characters"),
        pytest.param({"close": text("x" * 25)}, "must be less than 25 characters"),
        pytest.param({"private_metadata": "x" * 3001}, "must be less than 3001 characters"),
        pytest.param({"blocks": [SECTION] * 101}, "no more than 100 items allowed"),
        pytest.param({"submit": None}, "missing required field: submit"),
        pytest.param({"type": "poem"}, "must be one of: modal"),
    ],
)
def test_a_modal_has_limits_of_its_own(change: dict[str, Any], fault: str) -> None:
    with pytest.raises(Refused) as raised:
        checked_view(VIEW | change)

    assert raised.value.error == "invalid_arguments"
    assert raised.value.more["response_metadata"]["messages"][0].startswith(f"[ERROR] {fault}")
