"""Clicks: judged, signed, stored, and each answered with a sentence; whatever is wrong counts for nothing."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from deployments.gatekeeper.decisions import Decisions
from deployments.gatekeeper.members import Members
from deployments.gatekeeper.messages.modals import reject_modal
from deployments.gatekeeper.metrics import Metrics
from deployments.gatekeeper.subject import REASON
from tasks.domain.approval import Answer, Row, Verdict, tally
from tasks.domain.errors import TransientError
from tasks.domain.journal import Asked, Decided, Finished, Outcome
from tasks.domain.slack import Click, Submission
from tests.builders import KEY, NOW, after
from tests.fakes_slack import FakeSlack
from tests.unit.gatekeeper_scene import (
    ADMINS,
    ANN,
    BOB,
    CAROL,
    CHANNEL,
    CLUSTER,
    FLOW_RUN,
    MALLORY,
    Scene,
)


class Desk:
    """A gatekeeper's hand, without its eyes."""

    def __init__(self, scene: Scene | None = None) -> None:
        self.scene = scene or Scene()
        self.slack, self.metrics = FakeSlack(), Metrics()
        self.looks: list[str] = []

    def decisions(self) -> Decisions:
        return Decisions(
            [self.scene.cluster],
            people=self.slack,
            members=Members(self.slack, monotonic=lambda: 0.0),
            metrics=self.metrics,
            now=self.scene.clock.now,
            look_again=self.looks.append,
        )

    def click(self, *clicks: Click) -> list[str]:
        """Let people click one after another, and return what they were told."""

        async def scene() -> None:
            decisions = self.decisions()
            for one in clicks:
                await decisions.clicked(one)

        asyncio.run(scene())
        return self.slack.heard

    def submit(self, submission: Submission) -> list[str]:
        async def scene() -> None:
            await self.decisions().submitted(submission)

        asyncio.run(scene())
        return self.slack.heard

    @property
    def verdict(self) -> Verdict:
        rows = self.scene.votes.rows(FLOW_RUN)
        return tally(self.scene.gate(), rows, key=KEY, now=self.scene.clock.now()).verdict

    @property
    def rows(self) -> int:
        return len(self.scene.votes.rows(FLOW_RUN))


def rejection(scene: Scene, person: Any = BOB, reason: str = "not on a Friday") -> Submission:  # noqa: ANN401
    modal = reject_modal(scene.subject(), CHANNEL, "1764000000.000100")
    return Submission(
        person=person,
        callback=modal["callback_id"],
        private=modal["private_metadata"],
        values={REASON: reason},
    )


# ---------------------------------------------------------------- what counts


def test_an_approver_s_click_is_stored_and_said_to_be() -> None:
    desk = Desk()
    (told,) = desk.click(desk.scene.click(BOB))
    assert told == "Recorded: you approved gate start of run run-1; the run goes on."
    assert desk.verdict is Verdict.APPROVED
    assert desk.looks == [CLUSTER]
    assert desk.metrics.value("istio_canary_votes_total", {"answer": "approve"}) == 1


def test_a_click_that_comes_twice_is_one_vote() -> None:
    desk = Desk()
    click = desk.scene.click(BOB)
    desk.click(click)
    desk.click(click)
    assert desk.rows == 1


def test_of_a_quorum_of_two_the_first_is_told_what_is_missing() -> None:
    desk = Desk(Scene(gates={"approvers": [BOB.identity, CAROL.identity], "quorum": 2}))
    told = desk.click(*(desk.scene.click(one) for one in (BOB, BOB, CAROL)))
    assert told == [
        "Recorded: you approved gate start of run run-1; 1 of 2 have approved.",
        "Your approval is recorded already; 1 of 2 have approved.",
        "Recorded: you approved gate start of run run-1; the run goes on.",
    ]
    assert desk.rows == 2


def test_one_of_an_approving_group_may_approve() -> None:
    desk = Desk(Scene(gates={"approvers": [ADMINS]}))
    desk.slack.groups["S1"] = {BOB.user}
    desk.click(desk.scene.click(BOB), desk.scene.click(MALLORY))
    assert desk.verdict is Verdict.APPROVED
    assert desk.rows == 1


def test_reject_asks_for_a_reason_and_the_reason_is_kept() -> None:
    desk = Desk()
    assert desk.click(desk.scene.click(BOB, action="gate-reject")) == []
    (modal,) = desk.slack.modals
    assert modal["type"] == "modal"

    (told,) = desk.submit(rejection(desk.scene))
    assert told == "Recorded: you rejected gate start of run run-1; the run ends there."
    counted = tally(desk.scene.gate(), desk.scene.votes.rows(FLOW_RUN), key=KEY, now=NOW)
    assert counted.rejection is not None
    assert counted.rejection.reason == "not on a Friday"


def test_details_are_shown_to_everybody() -> None:
    desk = Desk()
    assert desk.click(desk.scene.click(MALLORY, action="gate-details")) == []
    assert len(desk.slack.modals) == 1


@pytest.mark.parametrize(
    ("reason", "complaint"),
    [
        pytest.param("", "Say why", id="none"),
        pytest.param(" \n ", "Say why", id="nothing but space"),
        pytest.param("x" * 10_000, "10000 characters; 1000 are the most", id="a novel"),
    ],
)
def test_a_reason_is_asked_for_again(reason: str, complaint: str) -> None:
    found = Decisions.complaint(rejection(Scene(), reason=reason))
    assert found is not None
    assert complaint in found[REASON]


# ---------------------------------------------------------------- what does not


def test_somebody_who_is_no_approver_is_told_so_and_nothing_is_stored() -> None:
    desk = Desk()
    (told,) = desk.click(desk.scene.click(MALLORY))
    assert told == "Your approve does not count: it is by slack:T1/U9, who is not an approver."
    assert desk.rows == 0
    assert desk.metrics.value("istio_canary_refusals_total", {"reason": "not-allowed"}) == 1


def test_the_requester_s_click_counts_for_nothing_where_they_are_excluded() -> None:
    people = [{"name": "ann", "identities": ["kubernetes:ann", ANN.identity]}]
    gates = {"approvers": [ANN.identity, BOB.identity], "requester_may_approve": False}
    desk = Desk(Scene(gates={**gates, "people": people}))
    (told,) = desk.click(desk.scene.click(ANN))
    assert "who asked for the run" in told
    assert desk.rows == 0


def test_who_comes_too_late_is_told_who_won() -> None:
    desk = Desk()
    vote = desk.scene.vote(BOB)
    desk.scene.note(Decided(at=after(60), gate="start", verdict="approved", votes=(vote,)))
    (told,) = desk.click(desk.scene.click(CAROL))
    assert told == (
        "Gate start was approved by <@U2> at 12:01:00 UTC; nothing was changed by this click."
    )
    assert desk.rows == 0


def test_who_comes_before_the_run_has_heard_is_told_who_won_as_well() -> None:
    desk = Desk()
    told = desk.click(desk.scene.click(BOB), desk.scene.click(CAROL))
    assert told[1] == "Gate start is approved by <@U2> already."
    assert desk.rows == 1


def test_a_veto_counts_as_long_as_the_run_has_not_gone_on() -> None:
    desk = Desk()
    desk.click(desk.scene.click(BOB))
    desk.submit(rejection(desk.scene, CAROL))
    assert desk.verdict is Verdict.REJECTED


def test_a_click_about_another_plan_than_the_one_that_is_asked_about_is_void() -> None:
    desk = Desk()
    old = desk.scene.subject(digest="e" * 64).encoded()
    (told,) = desk.click(desk.scene.click(BOB, value=old))
    assert "use the newest message" in told
    assert desk.rows == 0


def test_a_click_on_the_message_of_a_run_that_is_over_changes_nothing() -> None:
    desk = Desk()
    desk.scene.note(Finished(at=NOW, outcome=Outcome.EXPIRED, text="gate start <expired>"))
    (told,) = desk.click(desk.scene.click(BOB))
    assert told == "Run run-1 is over: gate start &lt;expired&gt;."


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_click_from_another_time_is_a_replay(minutes: int) -> None:
    desk = Desk()
    at = NOW + timedelta(minutes=minutes)
    (told,) = desk.click(desk.scene.click(BOB, at=at))
    assert told == "That click came too late to be trusted: press again."
    assert desk.rows == 0


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param({"value": "{}"}, "not one of istio-canary", id="no subject"),
        pytest.param(
            {"value": "[" * 100_000}, "not one of istio-canary", id="brackets without end"
        ),
        pytest.param({"action": "deploy-now"}, "not one of istio-canary", id="another action"),
        pytest.param({"channel": "C0OTHER"}, "in its own channel alone", id="another channel"),
    ],
)
def test_junk_is_refused_and_counted(changes: dict[str, Any], why: str) -> None:
    desk = Desk()
    (told,) = desk.click(desk.scene.click(BOB, **changes))
    assert why in told
    assert desk.rows == 0
    assert desk.metrics.value("istio_canary_refusals_total", {"reason": "junk"}) == 1


def test_a_cluster_that_is_not_looked_after_is_named() -> None:
    desk = Desk()
    value = desk.scene.subject(cluster="us").encoded()
    assert "does not look after cluster us" in desk.click(desk.scene.click(BOB, value=value))[0]


def test_a_gatekeeper_with_another_key_than_the_run_s_says_so() -> None:
    desk = Desk()
    scene = desk.scene
    scene.records.append("run-1", Decided(at=NOW, gate="start", verdict="approved"))
    scene.records.append("run-1", Asked(gate=scene.gate("uninstall", key="another")))
    value = scene.subject(gate="uninstall").encoded()
    (told,) = desk.click(scene.click(BOB, value=value))
    assert "signing key is not the one" in told
    assert "istio-canary approve run-1" in told


# ---------------------------------------------------------------- when something is away


def test_nobody_is_let_through_while_slack_cannot_say_who_is_in_a_group() -> None:
    class Mute(FakeSlack):
        async def members(self, group: str) -> frozenset[str]:
            raise TransientError("Slack does not answer usergroups.users.list")

    desk = Desk(Scene(gates={"approvers": [ADMINS]}))
    desk.slack = Mute()
    (told,) = desk.click(desk.scene.click(BOB))
    assert told.startswith("Not taken, for nobody can tell now: Slack does not answer")
    assert desk.rows == 0


def test_a_vote_that_could_not_be_stored_is_not_said_to_be_recorded() -> None:
    desk = Desk()

    def away(flow_run: str, row: Row) -> Row:
        raise TransientError("Prefect does not answer")

    desk.scene.votes.first = away  # type: ignore[method-assign]
    (told,) = desk.click(desk.scene.click(BOB))
    assert told == ("Not recorded: press again, or run `istio-canary approve run-1` in a terminal.")
    assert desk.looks == []
    assert desk.metrics.value("istio_canary_errors_total", {"of": "storing"}) == 1


def test_an_api_server_that_is_away_is_not_taken_for_a_gate_that_is_closed() -> None:
    desk = Desk()
    desk.scene.records.is_away = lambda: True
    (told,) = desk.click(desk.scene.click(BOB))
    assert told.startswith("Not taken, for nobody can tell now")


def test_an_answer_finds_its_person_though_the_response_url_has_expired() -> None:
    desk = Desk()
    desk.slack.has_response_urls = False
    desk.click(desk.scene.click(BOB))
    assert [user for user, _ in desk.slack.whispers] == [BOB.user]


def test_a_vote_counts_though_slack_takes_no_answer() -> None:
    desk = Desk()
    desk.slack.is_down = True
    assert desk.click(desk.scene.click(BOB)) == []
    assert desk.verdict is Verdict.APPROVED


def test_a_reject_out_of_nowhere_is_counted_and_dropped() -> None:
    desk = Desk()
    nowhere = Submission(person=BOB, callback="x", private="{}", values={REASON: "no"})
    assert desk.submit(nowhere) == []
    assert desk.metrics.value("istio_canary_refusals_total", {"reason": "junk"}) == 1
    assert Answer.REJECT not in {row.key for row in desk.scene.votes.rows(FLOW_RUN)}
