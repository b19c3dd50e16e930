"""Gates: what counts as a vote, whose, and what votes add up to, whatever stands beside them."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.domain.approval import (
    Answer,
    Gate,
    Refused,
    Row,
    Tally,
    Verdict,
    Vote,
    aborted_by,
    controls,
    fingerprint,
    is_held,
    sign,
    tally,
    verified,
)
from tasks.domain.errors import BadInputError
from tasks.domain.policy import Person, Policy
from tests.builders import KEY, NOW, REQUESTER, RUN, after, control, gate, signed, vote

ANN, BOB, EVE = "kubernetes:ann", "kubernetes:bob", "kubernetes:eve"
BOB_IN_SLACK = "slack:T1/U2"
PEOPLE: Final = (
    Person(name="Ann", identities=(ANN, "slack:T1/U1")),
    Person(name="Bob", identities=(BOB, BOB_IN_SLACK)),
)
APPROVE, REJECT = Answer.APPROVE, Answer.REJECT
SOON = after(120)


def count(asked: Gate, *votes: Vote, now: datetime = SOON) -> Tally:
    return tally(asked, signed(*votes), key=KEY, now=now)


def whys(result: Tally) -> list[str]:
    return [refused.why for refused in result.refused]


def junk(value: str, key: str = "vote-start-0") -> Row:
    return Row(key=key, value=value)


# ---------------------------------------------------------------- what a gate's votes add up to


def test_silence_waits() -> None:
    assert count(gate()) == Tally(verdict=Verdict.WAITING)


def test_by_default_one_approval_is_enough() -> None:
    result = count(gate(), vote(BOB))
    assert result == Tally(verdict=Verdict.APPROVED, approvals=(vote(BOB),))


def test_by_default_the_requester_may_approve() -> None:
    assert count(gate(), vote(REQUESTER)).verdict is Verdict.APPROVED


def test_a_quorum_of_two_waits_for_the_second_person() -> None:
    asked = gate(policy=Policy(quorum=2))
    assert count(asked, vote(BOB)).verdict is Verdict.WAITING
    assert count(asked, vote(BOB), vote(EVE)).verdict is Verdict.APPROVED


def test_one_person_voting_twice_counts_once_with_the_first_vote() -> None:
    early, late = vote(BOB, at=after(10)), vote(BOB, at=after(20))
    result = count(gate(policy=Policy(quorum=2)), late, early)
    assert result == Tally(verdict=Verdict.WAITING, approvals=(early,))


def test_one_person_with_two_identities_counts_once() -> None:
    asked = gate(policy=Policy(quorum=2, people=PEOPLE, approvers=("Ann", "Bob")))
    both = (vote(BOB), vote(BOB_IN_SLACK, via="slack"))
    assert count(asked, *both).verdict is Verdict.WAITING
    assert count(asked, *both, vote(ANN)).verdict is Verdict.APPROVED


def test_one_rejection_wins_even_over_a_quorum() -> None:
    no = vote(EVE, REJECT, reason="not on a Friday")
    result = count(gate(policy=Policy(quorum=2)), vote(ANN), vote(BOB), no)
    assert result.verdict is Verdict.REJECTED
    assert result.rejection == no
    assert len(result.approvals) == 2


def test_of_several_rejections_the_first_is_named() -> None:
    first, second = vote(EVE, REJECT, at=after(10)), vote(BOB, REJECT, at=after(20))
    assert count(gate(), second, first).rejection == first


def test_who_approved_may_still_reject() -> None:
    yes, no = vote(BOB, at=after(10)), vote(BOB, REJECT, at=after(20))
    assert count(gate(), yes, no).verdict is Verdict.REJECTED


def test_an_undecided_gate_expires() -> None:
    asked = gate(policy=Policy(quorum=2))
    just_before = asked.expires_at - timedelta(microseconds=1)
    assert count(asked, vote(BOB), now=just_before).verdict is Verdict.WAITING
    assert count(asked, vote(BOB), now=asked.expires_at).verdict is Verdict.EXPIRED


def test_a_decision_in_time_holds_when_it_is_read_too_late() -> None:
    assert count(gate(), vote(BOB), now=after(10_000)).verdict is Verdict.APPROVED
    assert count(gate(), vote(BOB, REJECT), now=after(10_000)).verdict is Verdict.REJECTED


@pytest.mark.parametrize("answer", [APPROVE, REJECT])
def test_an_answer_after_the_gate_expired_is_none(answer: Answer) -> None:
    asked = gate()
    result = count(asked, vote(BOB, answer, at=asked.expires_at), now=after(10_000))
    assert result.verdict is Verdict.EXPIRED
    assert whys(result) == ["came after the gate had expired"]


# ---------------------------------------------------------------- whose votes count


@pytest.mark.parametrize(
    ("policy", "given_vote", "why"),
    [
        pytest.param(
            Policy(),
            vote(BOB, digest="0" * 64),
            "is for another plan",
            id="a wrong digest",
        ),
        pytest.param(
            Policy(),
            vote(BOB, run="run-2"),
            "is for gate 'start' of run 'run-2'",
            id="a wrong run",
        ),
        pytest.param(
            Policy(),
            vote(BOB, Answer.HOLD),
            "says hold, which no gate takes",
            id="an answer that is none",
        ),
        pytest.param(
            Policy(terminal_votes=False),
            vote(BOB),
            "came from a terminal, which the policy forbids",
            id="a terminal vote where they are forbidden",
        ),
        pytest.param(
            Policy(approvers=("Ann",), people=PEOPLE),
            vote(EVE),
            "is by kubernetes:eve, who is not an approver",
            id="an unknown person",
        ),
        pytest.param(
            Policy(approvers=("Ann",), people=PEOPLE),
            vote(EVE, REJECT),
            "is by kubernetes:eve, who is not an approver",
            id="an unknown person's rejection",
        ),
        pytest.param(
            Policy(approvers=("Ann",), people=PEOPLE),
            vote("Ann"),
            "is by Ann, who is not an approver",
            id="an approver's name where an identity belongs",
        ),
        pytest.param(
            Policy(requester_may_approve=False),
            vote(REQUESTER),
            "is by kubernetes:ann, who asked for the run",
            id="the requester's own approval",
        ),
        pytest.param(
            Policy(requester_may_approve=False, people=PEOPLE, approvers=("Ann", "Bob")),
            vote("slack:T1/U1", via="slack"),
            "is by slack:T1/U1, who asked for the run",
            id="the requester's own approval under another identity",
        ),
    ],
)
def test_a_vote_does_not_count_and_is_reported(policy: Policy, given_vote: Vote, why: str) -> None:
    result = count(gate(policy=policy), given_vote)
    assert result.verdict is Verdict.WAITING
    assert whys(result) == [why]


def test_the_requester_may_always_reject() -> None:
    asked = gate(policy=Policy(requester_may_approve=False))
    assert count(asked, vote(REQUESTER, REJECT)).verdict is Verdict.REJECTED


def test_a_vote_from_elsewhere_counts_where_terminals_are_forbidden() -> None:
    asked = gate(policy=Policy(terminal_votes=False, approvers=(BOB_IN_SLACK,)))
    assert count(asked, vote(BOB_IN_SLACK, via="slack")).verdict is Verdict.APPROVED


@pytest.mark.parametrize(
    ("approvers", "identity", "may"),
    [
        pytest.param((), EVE, True, id="no list: whoever can sign"),
        pytest.param(("Bob",), BOB, True, id="a person by one identity"),
        pytest.param(("Bob",), BOB_IN_SLACK, True, id="a person by another identity"),
        pytest.param((BOB,), BOB, True, id="an identity itself"),
        pytest.param((BOB,), BOB_IN_SLACK, False, id="one identity does not open the other"),
        pytest.param(("Bob",), EVE, False, id="somebody else"),
    ],
)
def test_who_may_vote(approvers: tuple[str, ...], identity: str, may: bool) -> None:
    assert Policy(approvers=approvers, people=PEOPLE).may_vote(identity) is may


def test_valid_rows_about_something_else_of_the_run_are_passed_over_in_silence() -> None:
    result = count(gate("wave-2"), vote(BOB), vote(EVE, REJECT), control(Answer.HOLD))
    assert result == Tally(verdict=Verdict.WAITING)


# ---------------------------------------------------------------- signatures and rubbish


def test_a_signed_row_is_verified_to_the_same_vote() -> None:
    given_vote = vote(BOB, via="slack", reason='"quoted" \u00e9 \U0001f44d')
    assert verified(sign(given_vote, key=KEY), key=KEY) == given_vote


def test_a_row_of_another_key_does_not_hold() -> None:
    (row,) = signed(vote(BOB), key=b"another key, just as long")
    result = tally(gate(), (row,), key=KEY, now=SOON)
    assert result.verdict is Verdict.WAITING
    assert whys(result) == ["has a signature that does not hold"]


@pytest.mark.parametrize(
    "changes",
    [
        {"run": "run-2"},
        {"gate": "uninstall"},
        {"digest": "0" * 64},
        {"person": EVE},
        {"answer": REJECT},
        {"at": after(61)},
        {"via": "slack"},
        {"reason": "changed"},
        {"groups": ["slack-group:T1/S1"]},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_signature_covers(changes: dict[str, object]) -> None:
    (row,) = signed(vote(BOB))
    document = msgspec.json.decode(row.value)
    document["vote"] |= msgspec.to_builtins(changes)
    forged = Row(key=row.key, value=msgspec.json.encode(document).decode())
    assert verified(forged, key=KEY) == Refused(
        key=row.key, why="has a signature that does not hold"
    )


VOTE_JSON = msgspec.json.encode(vote(BOB)).decode()
JUNK: Final = {
    "nothing": "",
    "no JSON": "approve",
    "half of it": '{"vote": {',
    "a list": "[]",
    "a number": "1",
    "null": "null",
    "a megabyte": "x" * 1_000_000,
    "a megabyte of digits": "1" * 1_000_000,
    "a megabyte of brackets": "[" * 1_000_000,
    "brackets within, without end": '{"x":' + "[" * 200_000 + "]" * 200_000 + "}",
    "half a surrogate": "\ud800",
    "half a surrogate, escaped": '{"signature": "\\ud800"}',
    "an unsigned vote": VOTE_JSON,
    "a vote with nothing for a signature": f'{{"vote": {VOTE_JSON}, "signature": ""}}',
    "a vote with a number for a signature": f'{{"vote": {VOTE_JSON}, "signature": 1}}',
    "a vote with null for a signature": f'{{"vote": {VOTE_JSON}, "signature": null}}',
    "a signature that is no hexadecimal": f'{{"vote": {VOTE_JSON}, "signature": "\u00e9"}}',
    "wrong types": '{"vote": {"run": 1, "gate": [], "digest": {}}, "signature": "00"}',
    "an unknown answer": f'{{"vote": {VOTE_JSON.replace("approve", "yes")}, "signature": "00"}}',
    "a time that is none": f'{{"vote": {VOTE_JSON.replace("2026", "soon")}, "signature": "00"}}',
    "Prefect's own": '{"__prefect_kind": "jinja", "template": "{{ 6*7 }}"}',
}


@pytest.mark.parametrize("value", JUNK.values(), ids=JUNK.keys())
def test_rubbish_is_refused_without_repeating_it_and_hinders_nobody(value: str) -> None:
    asked = gate()
    result = tally(asked, (junk(value), *signed(vote(BOB)), junk(value)), key=KEY, now=SOON)
    assert result.verdict is Verdict.APPROVED
    assert set(whys(result)) <= {"is not a signed vote", "has a signature that does not hold"}
    assert len(result.refused) == 2
    assert controls([junk(value)], run=RUN, key=KEY, policy=Policy()) == ()


@given(
    st.text()
    | st.recursive(st.none(), st.lists).map(lambda value: msgspec.json.encode(value).decode())
)
def test_no_text_at_all_makes_counting_fail(value: str) -> None:
    assert isinstance(verified(junk(value), key=KEY), Refused)


def test_a_row_under_anothers_key_takes_nothing_from_the_vote() -> None:
    (valid,) = signed(vote(BOB))
    squatter = Row(key=valid.key, value="taken")
    for rows in ((squatter, valid), (valid, squatter)):
        result = tally(gate(), rows, key=KEY, now=SOON)
        assert result.verdict is Verdict.APPROVED
        assert [refused.key for refused in result.refused] == [valid.key]


def test_a_vote_under_a_key_of_its_own_choosing_counts_by_what_it_says() -> None:
    (valid,) = signed(vote(BOB))
    assert tally(gate(), (junk(valid.value),), key=KEY, now=SOON).verdict is Verdict.APPROVED


def test_a_vote_without_a_time_zone_is_no_vote() -> None:
    row = sign(vote(BOB, at=NOW.replace(tzinfo=None)), key=KEY)
    assert verified(row, key=KEY) == Refused(key=row.key, why="is not a signed vote")


@pytest.mark.parametrize("key", [b"", b"short", b"x" * 15])
def test_a_key_that_can_be_guessed_neither_signs_nor_verifies(key: bytes) -> None:
    with pytest.raises(BadInputError, match="make one with 32 random bytes"):
        sign(vote(BOB), key=key)
    with pytest.raises(BadInputError, match=f"has {len(key)} bytes"):
        tally(gate(), signed(vote(BOB)), key=key, now=SOON)


@pytest.mark.parametrize(
    ("given_vote", "prefix"),
    [
        pytest.param(vote(BOB, gate="wave-2"), "vote-wave-2-", id="a vote"),
        pytest.param(control(Answer.ABORT), "control-abort-", id="an abort"),
    ],
)
def test_a_rows_key_is_one_that_prefect_takes(given_vote: Vote, prefix: str) -> None:
    key = sign(given_vote, key=KEY).key
    assert key.startswith(prefix)
    assert set(key) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_the_same_vote_signed_twice_is_one_row_and_another_is_another() -> None:
    assert sign(vote(BOB), key=KEY) == sign(vote(BOB), key=KEY)
    assert sign(vote(BOB), key=KEY).key != sign(vote(EVE), key=KEY).key


# ---------------------------------------------------------------- the order of rows


VOTES = st.builds(
    Vote,
    run=st.just(RUN),
    gate=st.just("start"),
    digest=st.sampled_from(["d" * 64, "0" * 64]),
    person=st.sampled_from([ANN, BOB, BOB_IN_SLACK, EVE]),
    answer=st.sampled_from([APPROVE, APPROVE, REJECT]),
    at=st.sampled_from([after(10), after(20), after(4000)]),
    via=st.sampled_from(["terminal", "slack"]),
)


@given(
    st.lists(VOTES, max_size=8).flatmap(
        lambda votes: st.tuples(st.just(votes), st.permutations(votes))
    ),
    st.integers(min_value=1, max_value=3),
)
def test_the_order_of_rows_changes_nothing(
    lists: tuple[Sequence[Vote], Sequence[Vote]], quorum: int
) -> None:
    asked = gate(policy=Policy(quorum=quorum, people=PEOPLE, requester_may_approve=False))
    one, other = (count(asked, *votes) for votes in lists)
    assert one == other


@given(st.lists(VOTES, max_size=8), st.lists(st.text(max_size=20), max_size=4))
def test_rubbish_changes_no_verdict(votes: Sequence[Vote], values: Sequence[str]) -> None:
    asked = gate(policy=Policy(quorum=2, people=PEOPLE))
    rows = signed(*votes)
    noisy = (*(junk(value) for value in values), *rows)
    clean = tally(asked, rows, key=KEY, now=SOON)
    dirty = tally(asked, noisy, key=KEY, now=SOON)
    assert (dirty.verdict, dirty.approvals, dirty.rejection) == (
        clean.verdict,
        clean.approvals,
        clean.rejection,
    )
    assert len(dirty.refused) == len(clean.refused) + len(values)


# ---------------------------------------------------------------- hold, resume, abort


HOLD, RESUME, ABORT = Answer.HOLD, Answer.RESUME, Answer.ABORT


def words(*votes: Vote, policy: Policy | None = None) -> tuple[Vote, ...]:
    return controls(signed(*votes), run=RUN, key=KEY, policy=policy or Policy())


def test_controls_come_oldest_first() -> None:
    early, late = control(HOLD, at=after(10)), control(RESUME, at=after(20))
    assert words(late, early) == (early, late)


@pytest.mark.parametrize(
    "given_vote",
    [
        pytest.param(control(HOLD, run="run-2"), id="of another run"),
        pytest.param(control(HOLD, gate="start"), id="with a gate"),
        pytest.param(control(APPROVE), id="that approve without a gate"),
        pytest.param(control(REJECT), id="that reject without a gate"),
        pytest.param(control(HOLD, EVE), id="by somebody who is no approver"),
    ],
)
def test_no_controls_are_rows(given_vote: Vote) -> None:
    assert words(given_vote, policy=Policy(approvers=(BOB,))) == ()


def test_a_control_with_a_broken_signature_is_none() -> None:
    rows = signed(control(ABORT), key=b"another key, just as long")
    assert controls(rows, run=RUN, key=KEY, policy=Policy()) == ()


@pytest.mark.parametrize(
    ("said", "held"),
    [
        pytest.param((), False, id="nothing"),
        pytest.param((control(HOLD),), True, id="hold"),
        pytest.param((control(RESUME),), False, id="resume"),
        pytest.param(
            (control(HOLD, at=after(1)), control(RESUME, at=after(2))), False, id="hold, resume"
        ),
        pytest.param(
            (control(RESUME, at=after(1)), control(HOLD, at=after(2))), True, id="resume, hold"
        ),
        pytest.param(
            (control(HOLD, at=after(2)), control(RESUME, at=after(1))),
            True,
            id="resume, hold, read the other way round",
        ),
        pytest.param(
            (control(HOLD, at=after(1)), control(ABORT, at=after(2))),
            True,
            id="an abort does not end a hold",
        ),
    ],
)
def test_a_run_is_held_by_the_last_word(said: tuple[Vote, ...], held: bool) -> None:
    assert is_held(said) is held


def test_the_first_abort_is_the_one_that_counts() -> None:
    first, second = control(ABORT, BOB, at=after(10)), control(ABORT, EVE, at=after(20))
    assert aborted_by((control(HOLD), second, first)) == first
    assert aborted_by((control(HOLD), control(RESUME))) is None


# ---------------------------------------------------------------- keys


def test_a_fingerprint_tells_keys_apart_and_gives_none_away() -> None:
    assert fingerprint(KEY) == fingerprint(bytes(KEY))
    assert fingerprint(KEY) != fingerprint(KEY + b"0")
    assert KEY.decode() not in fingerprint(KEY)


def test_a_question_that_was_asked_before_keys_were_recorded_can_be_read() -> None:
    old = msgspec.to_builtins(gate())
    del old["key"]

    assert msgspec.convert(old, Gate) == gate()
