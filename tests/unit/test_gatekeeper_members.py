"""Who is in a user group: believed for a minute, asked once at a time, unknown when Slack is."""

import asyncio
from collections.abc import Mapping

import pytest

from deployments.gatekeeper.members import Members
from tasks.domain.errors import TransientError
from tasks.domain.policy import Policy
from tasks.domain.slack import Person

BOB = Person(team="T1", user="U2")
ADMINS, OTHERS = "slack-group:T1/S1", "slack-group:T1/S2"


class FakeGroups:
    """Slack's user groups; it can be told to take its time, or to fail."""

    def __init__(self, **groups: set[str]) -> None:
        self.groups = groups
        self.asked = 0
        self.is_down = False

    async def members(self, group: str) -> frozenset[str]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.is_down:
            raise TransientError("Slack does not answer")
        return frozenset(self.groups[group])

    async def whisper(self, channel: str, user: str, text: str, *, thread: str | None) -> None:
        raise AssertionError

    async def answer(self, response_url: str, text: str, *, thread: str | None) -> bool:
        raise AssertionError

    async def open_modal(self, trigger: str, view: Mapping[str, object]) -> None:
        raise AssertionError


class Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_somebody_s_groups_are_those_that_slack_says() -> None:
    members = Members(FakeGroups(S1={"U2"}, S2={"U3"}), monotonic=Time())
    assert asyncio.run(members.groups_of(BOB, [ADMINS, OTHERS])) == (ADMINS,)


def test_who_is_named_needs_no_group_and_no_slack() -> None:
    slack = FakeGroups()
    slack.is_down = True
    members = Members(slack, monotonic=Time())
    policy = Policy(approvers=(ADMINS, BOB.identity))
    assert asyncio.run(members.groups_for(BOB, policy)) == ()


def test_what_slack_said_is_believed_for_a_minute_and_no_longer() -> None:
    slack, time = FakeGroups(S1={"U2"}), Time()
    members = Members(slack, monotonic=time)

    async def scene() -> list[tuple[str, ...]]:
        found = [await members.groups_of(BOB, [ADMINS])]
        slack.groups["S1"] = set()
        time.now = 59.9
        found.append(await members.groups_of(BOB, [ADMINS]))
        time.now = 60.0
        return [*found, await members.groups_of(BOB, [ADMINS])]

    assert asyncio.run(scene()) == [(ADMINS,), (ADMINS,), ()]
    assert slack.asked == 2


def test_many_who_click_at_once_ask_slack_once() -> None:
    slack = FakeGroups(S1={"U2"})
    members = Members(slack, monotonic=Time())

    async def scene() -> None:
        await asyncio.gather(*(members.groups_of(BOB, [ADMINS]) for _ in range(100)))

    asyncio.run(scene())
    assert slack.asked == 1


def test_one_who_gives_up_takes_the_answer_from_nobody() -> None:
    members = Members(FakeGroups(S1={"U2"}), monotonic=Time())

    async def scene() -> tuple[str, ...]:
        first = asyncio.create_task(members.groups_of(BOB, [ADMINS]))
        second = asyncio.create_task(members.groups_of(BOB, [ADMINS]))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(scene()) == (ADMINS,)


def test_nobody_is_let_through_when_slack_cannot_say() -> None:
    slack, time = FakeGroups(S1={"U2"}), Time()
    members = Members(slack, monotonic=time)
    asyncio.run(members.groups_of(BOB, [ADMINS]))
    slack.is_down, time.now = True, 61.0

    with pytest.raises(TransientError, match="does not answer"):
        asyncio.run(members.groups_of(BOB, [ADMINS]))

    slack.is_down = False
    assert asyncio.run(members.groups_of(BOB, [ADMINS])) == (ADMINS,)


def test_a_group_of_another_workspace_is_not_asked_about() -> None:
    slack = FakeGroups(S1={"U2"})
    members = Members(slack, monotonic=Time())
    assert asyncio.run(members.groups_of(Person(team="T9", user="U2"), [ADMINS])) == ()
    assert slack.asked == 0
