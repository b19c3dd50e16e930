"""Whatever objects are called and people write, Slack takes the message and means nothing else by it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import Block as SlackBlock
from slack_sdk.models.views import View

from deployments.gatekeeper.messages.blocks import cut, escape, length, plain
from deployments.gatekeeper.messages.modals import details_modal, reject_modal
from deployments.gatekeeper.subject import Subject
from deployments.gatekeeper.thread import RunView, wanted
from tasks.domain.approval import Refused
from tasks.domain.journal import Asked, Finished, Outcome
from tasks.domain.plan import digest
from tasks.domain.slack import Block, Message
from tests.builders import NOW
from tests.unit.slack_cases import (
    BEGUN,
    PAUSED,
    POLICY,
    ask,
    counted,
    decided,
    move,
    shop_plan,
    view,
    wave,
    yes,
)
from tests.unit.slack_runs import texts, views

MOST_ALTOGETHER: Final = 13_000  # characters of a message; Slack documents no number

# What may look like markup in a message: all of it is ours.
OURS: Final = re.compile(
    r"<!date\^-?\d+\^\{date_short_pretty\} \{time\}\|[\d :-]+UTC>"
    r"|<http://prefect\.test:4200/runs/flow-run/[^<>|]*\|[a-zA-Z“” ]+>"
    r"|<@U[A-Z0-9]+>|<!subteam\^S[A-Z0-9]+>"
)


# ---------------------------------------------------------------- what Slack takes


def text_objects(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        if value.get("type") in {"mrkdwn", "plain_text"}:
            yield value
        for one in value.values():
            yield from text_objects(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from text_objects(one)


def check_blocks(blocks: Sequence[Block], most: int) -> None:
    assert 0 < len(blocks) <= most
    for block in blocks:
        parsed = SlackBlock.parse(dict(block))
        assert parsed is not None
        assert parsed.to_dict() == block
        check_block(block)
    for text in text_objects(blocks):
        assert length(text["text"]) > 0
        check_inert(text)


def check_block(block: Mapping[str, Any]) -> None:
    assert "block_id" not in block or length(block["block_id"]) <= 255
    match block:
        case {"type": "header", "text": {"text": text}}:
            assert length(text) <= 150
        case {"type": "section", "text": {"text": text}}:
            assert length(text) <= 3000
        case {"type": "section", "fields": fields}:
            assert 0 < len(fields) <= 10
            assert all(length(one["text"]) <= 2000 for one in fields)
        case {"type": "context", "elements": elements}:
            assert 0 < len(elements) <= 10
        case {"type": "actions", "elements": elements}:
            assert 0 < len(elements) <= 25
            for one in elements:
                check_button(one)
        case {"type": "input"}:
            pass
        case _:
            raise AssertionError(block)


def check_button(button: Mapping[str, Any]) -> None:
    assert length(button["text"]["text"]) <= 75
    assert length(button["value"]) <= 2000
    assert length(button["action_id"]) <= 255
    confirm = button.get("confirm")
    if confirm is not None:
        assert length(confirm["title"]["text"]) <= 100
        assert length(confirm["text"]["text"]) <= 300
        assert max(length(confirm[one]["text"]) for one in ("confirm", "deny")) <= 30


def check_inert(text: Mapping[str, Any]) -> None:
    """Nothing of it is markup that we did not write."""
    if text["type"] == "plain_text":
        assert text["emoji"] is False
        assert not re.search("[<>\n]", text["text"])
        return
    assert text["verbatim"] is True
    check_words(OURS.sub("", text["text"]))


def check_words(text: str) -> None:
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", text)
    assert not re.search(r"@(channel|here|everyone)", text)
    assert "white_check_mark:" not in text or ":\u2060white_check_mark:" in text
    assert not re.search("[\x00-\x09\x0b-\x1f\u2028\u202a-\u202e\ud800-\udfff]", text)


def check_message(message: Message) -> None:
    assert 0 < length(message.text) <= 4000
    check_words(message.text)
    assert not re.search("[*`~\n]", message.text)
    check_blocks(message.blocks, 50)
    assert sum(length(one["text"]) for one in text_objects(message.blocks)) <= MOST_ALTOGETHER
    assert message.fingerprint


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(views())
def test_slack_takes_every_message_of_any_run(run: RunView) -> None:
    thread = wanted(run)
    for one in thread:
        check_message(one.message)
    found = [one.key for one in thread]
    assert len(set(found)) == len(found)
    assert wanted(run) == thread


LONG: Final = "<&>" * 1000
WORST: Final = shop_plan(
    waves=tuple(wave(number, *(move(f"{LONG}{n}", LONG) for n in range(250))) for number in (1, 2)),
    findings=(msgspec.structs.replace(PAUSED, subject=LONG, fact=LONG, todo=LONG),) * 50,
    tags=(LONG,) * 50,
)


@pytest.mark.parametrize("gate", WORST.gates)
def test_slack_takes_the_longest_texts_of_the_largest_plan(gate: str) -> None:
    many = msgspec.structs.replace(POLICY, approvers=(f"kubernetes:{LONG}",) * 50)
    asked = ask(gate, many, digest=digest(WORST))
    over = Finished(at=NOW, outcome=Outcome.STOPPED, text=LONG, todo=(LONG,) * 50)
    given = counted(*(yes(reason=LONG) for _ in range(50)), refused=(Refused(key="k", why=LONG),))
    for after in ((), (decided(gate, *given.approvals),), (over,)):
        for one in wanted(view(*BEGUN, Asked(gate=asked), *after, plan=WORST, tally=given)):
            check_message(one.message)
    check_blocks(details_modal(view(plan=WORST), asked)["blocks"], 100)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(views(), st.integers(0, 8))
def test_messages_keep_their_keys_and_places_whatever_comes_after(run: RunView, kept: int) -> None:
    def keys(of: RunView) -> list[str]:
        return [one.key for one in wanted(of) if "-reminder-" not in one.key]

    before = msgspec.structs.replace(run.record, entries=run.record.entries[: kept + 1])
    early = keys(msgspec.structs.replace(run, record=before))
    assert keys(run)[: len(early)] == early


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(views())
def test_slack_takes_the_details_of_any_plan_and_they_tell_no_secret(run: RunView) -> None:
    for asked in run.record.of(Asked):
        modal = details_modal(run, asked.gate)
        check_blocks(modal["blocks"], 100)
        parsed = View(**modal)
        parsed.validate_json()
        assert "SECRET" not in msgspec.json.encode(modal).decode()


@given(texts, texts, texts, texts)
def test_slack_takes_the_form_for_a_reason(cluster: str, run: str, gate: str, of: str) -> None:
    subject = Subject(cluster=cluster[:128], run=run[:128], gate=gate[:128], digest=of[:64])
    modal = reject_modal(subject, "C0123", "1700000000.000100")
    check_blocks(modal["blocks"], 100)
    View(**modal).validate_json()
    assert length(modal["private_metadata"]) <= 3000
    assert max(length(modal[one]["text"]) for one in ("title", "submit", "close")) <= 24


# ---------------------------------------------------------------- one text at a time


@given(texts | st.just("\ud800 x"))
def test_what_is_escaped_formats_and_mentions_nothing(text: str) -> None:
    line = escape(text)
    check_words(line)
    assert not re.search(r"[*~`\n]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", line)
    assert length(line) <= 300


@given(texts, st.integers(1, 50))
def test_a_cut_leaves_entities_and_mentions_whole(text: str, limit: int) -> None:
    short = cut(f"{escape(text)} <@U123>&amp;<!date^1^{{time}}|then>" * 3, limit)
    assert length(short) <= limit
    assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", re.sub(r"<@U123>|<!date[^<>]*>", "", short))


def test_names_can_be_read_and_copied() -> None:
    assert escape("team-a_b.example:8080/x") == "team-a_b.example:8080/x"
    assert escape("{{ flow_run.name }} {% if %}") == "{{ flow_run.name }} {% if %}"
    assert escape("12:00:05 a <b> & c") == "12:00:05 a &lt;b&gt; &amp; c"
    assert escape("one\n two\t\x1b[31mthree") == "one two [31mthree"
    assert plain("<b> & c") == "‹b› & c"  # noqa: RUF001 - what stands for brackets
