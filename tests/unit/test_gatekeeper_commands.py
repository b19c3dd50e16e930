"""Slash commands: the terminal's verbs in Slack, under the same rules."""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from deployments.gatekeeper.commands import Commands
from deployments.gatekeeper.controlling import Controls
from deployments.gatekeeper.decisions import Decisions
from deployments.gatekeeper.members import Members
from deployments.gatekeeper.messages.confirming import parse_confirmed
from deployments.gatekeeper.metrics import Metrics
from deployments.gatekeeper.receiving import Receiver
from deployments.gatekeeper.words import HELP
from tasks.domain.approval import Answer, Verdict, controls, is_held, tally
from tasks.domain.journal import Asked, Finished, Outcome
from tasks.domain.slack import Command, Person
from tests.builders import KEY, NOW
from tests.fakes import FakeFlowRuns
from tests.fakes_slack import FakeSlack
from tests.unit.gatekeeper_scene import ADMINS, BOB, CHANNEL, FLOW_RUN, MALLORY, Scene

UPGRADE, PLAN, ROLLBACK = (f"{flow}/istio-canary" for flow in ("upgrade", "plan", "rollback"))


class Desk:
    """A gatekeeper that people type to."""

    def __init__(self, scene: Scene | None = None, *, starters: Sequence[str] = ()) -> None:
        self.scene = scene or Scene()
        self.slack, self.metrics = FakeSlack(), Metrics()
        self.starters = starters

    def decisions(self) -> Decisions:
        return Decisions(
            [self.scene.cluster],
            people=self.slack,
            members=Members(self.slack, monotonic=lambda: 0.0),
            metrics=self.metrics,
            now=self.scene.clock.now,
            look_again=lambda _: None,
        )

    def commands(self, kind: type[Commands] = Commands) -> Commands:
        now, clusters = self.scene.clock.now, [self.scene.cluster]
        members = Members(self.slack, monotonic=lambda: 0.0)
        decisions = self.decisions()
        said = Controls(
            starters=self.starters,
            members=members,
            decisions=decisions,
            now=now,
            said=lambda _, answer: self.metrics.voted(answer),
        )
        return kind(clusters, people=self.slack, decisions=decisions, controls=said, now=now)

    def typed(self, person: Person, text: str, *, channel: str = CHANNEL) -> list[str]:
        command = Command(
            person=person,
            channel=channel,
            text=text,
            response_url="https://hooks.slack.com/commands/1",
            trigger="1.2.abc",
        )

        async def scene() -> None:
            await self.commands().typed(command)

        asyncio.run(scene())
        return self.slack.heard

    def confirmed(self, person: Person) -> list[str]:
        """Send off the modal that was opened last."""
        (modal,) = self.slack.modals
        found = parse_confirmed(str(modal["private_metadata"]))

        async def scene() -> None:
            await self.commands().confirmed(found, person)

        asyncio.run(scene())
        return self.slack.heard

    @property
    def verdict(self) -> Verdict:
        rows = self.scene.votes.rows(FLOW_RUN)
        return tally(self.scene.gate(), rows, key=KEY, now=NOW).verdict

    @property
    def said(self) -> list[Answer]:
        rows, run = self.scene.votes.rows(FLOW_RUN), self.scene.run
        policy = self.scene.parameters.gates.policy()
        return [one.answer for one in controls(rows, run=run, key=KEY, policy=policy)]


def over(scene: Scene) -> Scene:
    scene.note(Finished(at=NOW, outcome=Outcome.ABORTED, text="aborted"))
    return scene


# ---------------------------------------------------------------- what changes nothing


def test_help_is_there_for_everybody() -> None:
    assert Desk().typed(MALLORY, "") == [HELP]


def test_status_says_what_runs_wait_for() -> None:
    (told,) = Desk().typed(MALLORY, "status")
    assert told.splitlines() == [
        "*eu*",
        "run-1 to 1.29.1: Parked, waits at gate start.",
    ]


def test_status_says_which_cluster_and_which_run_cannot_be_read() -> None:
    desk = Desk()
    desk.scene.records.unreadable.append("the journal of run x was changed")
    (told,) = desk.typed(MALLORY, "status")
    assert told.splitlines()[1:] == [
        "run-1 to 1.29.1: Parked, waits at gate start.",
        "cannot be read: the journal of run x was changed",
    ]
    desk.scene.records.is_away = lambda: True
    assert desk.typed(MALLORY, "status")[1:] == [
        "*eu*: cannot be read now: the API server does not answer"
    ]


def test_a_run_of_a_cluster_that_is_away_is_not_said_to_be_none() -> None:
    desk = Desk()
    desk.scene.records.is_away = lambda: True
    (told,) = desk.typed(BOB, "hold run-1-abcde")
    assert told == "Not done: the API server does not answer."


def test_a_typo_is_answered_with_what_there_is() -> None:
    (told,) = Desk().typed(BOB, "approv")
    assert told.startswith("Not done: 'approv' is none of: help, status")


def test_another_cluster_is_not_there() -> None:
    (told,) = Desk().typed(BOB, "status us")
    assert "there is no cluster 'us' here; there are: eu" in told


# ---------------------------------------------------------------- votes


def test_approve_is_a_vote_like_a_click() -> None:
    desk = Desk()
    (told,) = desk.typed(BOB, "approve")
    assert told == "Recorded: you approved gate start of run run-1; the run goes on."
    assert desk.verdict is Verdict.APPROVED


def test_approve_of_somebody_else_is_refused_like_a_click() -> None:
    desk = Desk()
    (told,) = desk.typed(MALLORY, "approve")
    assert "who is not an approver" in told
    assert desk.verdict is Verdict.WAITING


def test_nobody_decides_where_the_others_do_not_see_it() -> None:
    desk = Desk()
    assert "decided in their own channel alone" in desk.typed(BOB, "approve", channel="D0BOB")[0]
    assert desk.verdict is Verdict.WAITING


def test_reject_needs_a_reason() -> None:
    desk = Desk()
    assert "needs a reason" in desk.typed(BOB, "reject")[0]
    desk.typed(BOB, "reject errors are up")
    assert desk.verdict is Verdict.REJECTED


def test_there_is_nothing_to_approve_when_no_run_is_under_way() -> None:
    assert Desk(over(Scene())).typed(BOB, "approve") == ["Not done: no run is under way."]


# ---------------------------------------------------------------- hold, resume, abort


def test_hold_and_resume_are_stored_for_the_run_to_hear() -> None:
    desk = Desk()
    told = desk.typed(BOB, "hold lunch")
    assert told == ["Recorded: run run-1 waits before its next step; `resume` lets it go on."]
    assert desk.said == [Answer.HOLD]
    desk.scene.clock.time = desk.scene.clock.time.replace(minute=1)
    desk.typed(BOB, "resume")
    assert desk.said == [Answer.HOLD, Answer.RESUME]
    rows = desk.scene.votes.rows(FLOW_RUN)
    policy = desk.scene.parameters.gates.policy()
    assert not is_held(controls(rows, run="run-1", key=KEY, policy=policy))


@pytest.mark.parametrize("verb", ["hold", "resume"])
def test_who_is_no_approver_holds_nothing(verb: str) -> None:
    desk = Desk()
    assert "you are not an approver of run run-1" in desk.typed(MALLORY, verb)[0]
    assert desk.said == []


def test_no_key_is_read_where_slack_waits_for_an_answer() -> None:
    desk, where = Desk(), list[str]()

    def key(_: str | None) -> bytes:
        where.append(threading.current_thread().name)
        return KEY

    desk.scene.note(Asked(gate=desk.scene.gate("uninstall", key="another")))
    desk.scene.cluster.services = replace(desk.scene.cluster.services, signing_key=key)
    desk.typed(BOB, "hold")
    assert where
    assert threading.main_thread().name not in where


def test_a_bug_tells_the_log_nothing_that_somebody_typed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    desk = Desk()

    class Broken(Commands):
        async def typed(self, command: Command) -> None:
            raise ValueError(command.text)

    async def scene() -> None:
        decisions, commands = desk.decisions(), desk.commands(Broken)
        receiver = Receiver(decisions, commands, desk.metrics)
        receiver.receive(
            "slash_commands",
            {
                "team_id": "T1",
                "user_id": "U2",
                "channel_id": CHANNEL,
                "command": "/istio-canary",
                "text": "a word of mine",
            },
        )
        await receiver.drain(1)

    asyncio.run(scene())
    assert "a bug, ValueError" in caplog.text
    assert "a word of mine" not in caplog.text


def test_abort_is_asked_about_once_more() -> None:
    desk = Desk()
    assert desk.typed(BOB, "abort") == []
    assert desk.said == []
    (told,) = desk.confirmed(BOB)
    assert told.startswith("Recorded: run run-1 stops after its current batch")
    assert desk.said == [Answer.ABORT]


def test_an_abort_that_somebody_else_confirms_is_theirs() -> None:
    desk = Desk()
    desk.typed(BOB, "abort")
    assert "not an approver" in desk.confirmed(MALLORY)[0]
    assert desk.said == []


# ---------------------------------------------------------------- upgrades and rollbacks


def test_a_starter_begins_an_upgrade_as_the_file_describes_it() -> None:
    scene = over(Scene())
    scene.flow_runs.deployments = (UPGRADE,)
    scene.cluster.config.upgrade.update(waves=[["shop"]], gates={"approvers": [BOB.identity]})
    desk = Desk(scene, starters=[ADMINS])
    desk.slack.groups["S1"] = {MALLORY.user}

    assert desk.typed(MALLORY, "upgrade 1.29.1") == []
    (told,) = desk.confirmed(MALLORY)

    assert told == "The upgrade of eu to Istio 1.29.1 is scheduled"
    (started,) = scene.flow_runs.parameters.values()
    parameters = started["parameters"]
    assert isinstance(parameters, dict)
    assert parameters["to"] == "1.29.1"
    assert parameters["waves"] == [["shop"]]
    assert parameters["requester"] == MALLORY.identity


def test_who_may_not_begin_upgrades_is_told_who_says_so() -> None:
    desk = Desk(over(Scene()))
    assert "none of those who may begin upgrades from Slack" in desk.typed(BOB, "upgrade 1.29.1")[0]
    assert desk.slack.modals == []


def test_no_upgrade_begins_while_a_run_is_under_way() -> None:
    scene = Scene()
    scene.flow_runs.deployments = (UPGRADE,)
    desk = Desk(scene, starters=[BOB.identity])
    desk.typed(BOB, "upgrade 1.29.1")
    assert "run run-1 to 1.29.1 is under way in eu" in desk.confirmed(BOB)[0]


@pytest.mark.parametrize(
    ("version", "why"), [("1.29", "an Istio version looks like 1.29.1"), ("latest", "looks like")]
)
def test_a_version_that_is_none_is_refused_before_anybody_is_asked(version: str, why: str) -> None:
    desk = Desk(over(Scene()), starters=[BOB.identity])
    assert why in desk.typed(BOB, f"upgrade {version}")[0]
    assert desk.slack.modals == []


class QuickFlowRuns(FakeFlowRuns):
    """What is started is over at once."""

    def start(self, deployment: str, parameters: Mapping[str, object]) -> str:
        made = super().start(deployment, parameters)
        self.turn(made, "COMPLETED")
        return made


def test_a_plan_is_drawn_up_by_a_worker_and_told_when_it_is_there() -> None:
    scene = over(Scene(flow_runs=QuickFlowRuns(PLAN)))
    told = Desk(scene).typed(MALLORY, "plan 1.29.1")
    assert told == ["Drawing up the plan.", "Plan: Completed."]


def test_a_deployment_that_is_missing_is_named() -> None:
    desk = Desk(over(Scene()))
    assert "Prefect has no deployment plan/istio-canary" in desk.typed(BOB, "plan 1.29.1")[0]


def test_a_rollback_stops_the_run_and_starts_the_way_back() -> None:
    scene = Scene()
    scene.flow_runs.deployments = (ROLLBACK,)
    desk = Desk(scene)
    desk.typed(BOB, "rollback")
    (told,) = desk.confirmed(BOB)
    assert told == "The rollback of run run-1 is scheduled"
    assert desk.said == [Answer.ABORT]
    (started,) = scene.flow_runs.parameters.values()
    parameters = started["parameters"]
    assert isinstance(parameters, dict)
    assert (parameters["run"], parameters["requester"]) == ("run-1", BOB.identity)


def test_a_rollback_that_cannot_begin_stops_no_run() -> None:
    desk = Desk()
    desk.typed(BOB, "rollback")
    (told,) = desk.confirmed(BOB)
    assert "Prefect has no deployment" in told
    assert desk.said == []


def test_who_may_neither_decide_nor_begin_undoes_nothing() -> None:
    scene = Scene()
    scene.flow_runs.deployments = (ROLLBACK,)
    desk = Desk(scene)
    desk.typed(MALLORY, "rollback")
    assert "neither an approver of run run-1 nor a starter" in desk.confirmed(MALLORY)[0]
    assert scene.flow_runs.parameters == {}
