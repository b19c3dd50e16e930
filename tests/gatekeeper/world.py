"""
A cluster in memory and a Slack on a socket, between which whole gatekeepers are run.

Time is real, and can be moved on. What Prefect keeps may be used by several gatekeepers at once. The
flow itself is a thread that counts votes by the flow's own rules whenever it is resumed.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from deployments.rehearsal.slack import payloads
from deployments.rehearsal.slack.objects import Json
from deployments.rehearsal.slack.running import RunningSlack
from deployments.rehearsal.slack.serving import serving
from deployments.rehearsal.slack.state import PATIENCE, Slack
from deployments.rehearsal.slack.workspace import Channel, Group, Person, Workspace
from tasks import approvals, wiring
from tasks.domain.approval import Row, Verdict, Vote
from tasks.domain.journal import Decided, Waited
from tasks.domain.runs import FlowRunInfo
from tasks.journaling import note
from tests.fakes import FakeClock, FakeFlowRuns, FakeVotes, services
from tests.unit.gatekeeper_scene import (
    ANN,
    APPROVERS,
    BOB,
    CAROL,
    CHANNEL,
    FLOW_RUN,
    MALLORY,
    Scene,
)

COMMAND: Final = "/istio-canary"
CROWD: Final = tuple(f"U1{number:02}" for number in range(50))
_TICK: Final = 0.02
_SAID: Final = ("vote-", "control-")  # other rows are not people's, and are not listed
_PEOPLE: Final = tuple(one.user for one in (ANN, BOB, CAROL, MALLORY)) + CROWD


class RealClock(FakeClock):
    """Time that passes by itself, and jumps when told to."""

    def __init__(self) -> None:
        super().__init__()
        self._began = time.monotonic()
        self._ahead = timedelta()

    def now(self) -> datetime:
        return self.start + timedelta(seconds=time.monotonic() - self._began) + self._ahead

    def jump(self, ahead: timedelta) -> None:
        self._ahead += ahead

    def sleep(self, duration: timedelta, *, until: Callable[[], bool] = lambda: False) -> None:
        end = time.monotonic() + duration.total_seconds()
        while time.monotonic() < end and not until():
            threading.Event().wait(_TICK)


class SharedVotes(FakeVotes):
    """Rows that several threads write; storing takes its time, and can fail or hang."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
        self.takes = 0.0
        self.asked = 0

    def rows(self, flow_run: str) -> tuple[Row, ...]:
        with self.lock:
            return tuple(one for one in super().rows(flow_run) if one.key.startswith(_SAID))

    def first(self, flow_run: str, row: Row) -> Row:
        threading.Event().wait(self.takes)
        with self.lock:
            self.asked += 1
            return super().first(flow_run, row)


class SharedFlowRuns(FakeFlowRuns):
    """Flow runs that several threads resume."""

    def __init__(self, *deployments: str) -> None:
        super().__init__(*deployments)
        self.lock = threading.Lock()
        self.resumed_at: list[float] = []

    def resume(self, flow_run: str) -> bool:
        with self.lock:
            is_resumed = super().resume(flow_run)
        if is_resumed:
            self.resumed_at.append(time.monotonic())
        return is_resumed

    def flow_run(self, flow_run: str) -> FlowRunInfo:
        return super().flow_run(flow_run)


class Secrets:
    """The cluster's Secret with what Slack knows us by."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def secret(self, namespace: str, name: str, key: str) -> bytes:
        return self._values[key].encode()


@dataclass(frozen=True, kw_only=True)
class Button:
    """A button as it was shown."""

    ts: str
    block: Json
    element: Json


class World:
    """One run that waits at its first gate, suspended, and everybody who has to do with it."""

    def __init__(self, slack: RunningSlack, clock: RealClock, gates: dict[str, Any] | None) -> None:
        self.slack, self.clock = slack, clock
        self.votes, self.flow_runs = SharedVotes(), SharedFlowRuns("rollback/istio-canary")
        self.scene = Scene(
            gates=gates or dict(APPROVERS), clock=clock, votes=self.votes, flow_runs=self.flow_runs
        )

    def services(self, process: str) -> wiring.Services:
        """Return what a process of that name has of the world."""
        app, scene = self.slack.app, self.scene
        values = {"bot": app.bot_token, "app": app.app_token, "signing": app.signing_secret}
        chosen = services(
            records=scene.records,
            votes=self.votes,
            flow_runs=self.flow_runs,
            leases=scene.leases,
            clock=self.clock,
        )
        secrets: Any = Secrets(values)
        return replace(chosen, access=secrets, process=process)

    # ---- the flow

    def count(self) -> None:
        """Count as the flow does when it was resumed, and suspend again if people are still asked."""
        scene = self.scene
        gate = scene.record.open_gate
        with self._taken_up():
            if gate is not None:
                counted = approvals.count(gate, scene.parameters)
                if counted.verdict is not Verdict.WAITING:
                    votes = (counted.rejection,) if counted.rejection else counted.approvals
                    verdict = str(counted.verdict)
                    at = self.clock.now()
                    note(Decided(at=at, gate=gate.name, verdict=verdict, votes=votes))
                    return
                note(Waited(at=self.clock.now(), gate=gate.name))
        self.flow_runs.turn(FLOW_RUN, "PAUSED")

    @contextmanager
    def _taken_up(self) -> Generator[None]:
        chosen = self.services("host/flow")
        with wiring.using(chosen):
            chosen.keeper.hold(self.scene.run, may_take=lambda _: True)
            wiring.work_for(self.scene.run)
            try:
                yield
            finally:
                chosen.keeper.park()

    @contextmanager
    def worker(self) -> Generator[None]:
        """Take the flow run up whenever it is scheduled."""
        over = threading.Event()

        def work() -> None:
            while not over.wait(_TICK):
                if self.flow_runs.state(FLOW_RUN) == "SCHEDULED":
                    self.flow_runs.turn(FLOW_RUN, "RUNNING")
                    self.count()

        thread = threading.Thread(target=work, name="worker")
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @property
    def decisions(self) -> tuple[Decided, ...]:
        return self.scene.record.of(Decided)

    @property
    def decided_by(self) -> list[Vote]:
        return [vote for one in self.decisions for vote in one.votes]

    # ---- Slack

    def said(self) -> list[Json]:
        """Return our messages, as they stand in the channel."""
        return [one for one in self.slack.messages(CHANNEL) if one.get("metadata")]

    def keys(self) -> list[str]:
        return [str(one["metadata"]["event_payload"]["key"]) for one in self.said()]

    def message(self, key: str) -> Json | None:
        return next((one for one in self.said() if _key(one) == key), None)

    def ts(self, key: str = "gate-start") -> str:
        """Return where a message stands, once it does."""
        found = until(lambda: self.message(key), what=f"{key} is in Slack")
        return str(found["ts"])

    def press(self, user: str, action: str = "gate-approve", *, ts: str = "") -> bool:
        """Press a button of the gate's message, and say whether that was acknowledged."""
        return self.slack.press(user, CHANNEL, ts or self.ts(), action).acknowledged

    def button(self, action: str = "gate-approve", key: str = "gate-start") -> Button:
        """Return a button as it stands there now; it may be pressed after it is gone."""
        message = until(lambda: self.message(key), what=f"{key} is in Slack")
        for block in message["blocks"]:
            for element in block.get("elements", ()):
                if element.get("action_id") == action:
                    return Button(ts=str(message["ts"]), block=block, element=element)
        raise AssertionError(f"{key} has no {action}")

    def press_old(self, user: str, button: Button, **changes: object) -> bool:
        """Press a button that was on the person's screen, and say whether that was acknowledged."""
        slack = self.slack.slack

        async def pressed() -> bool:
            message = slack.conversations.get(CHANNEL, button.ts)
            assert message is not None
            action = payloads.action_of(slack, button.block, button.element, None) | changes
            told = payloads.block_actions(slack, user, message, action, {})
            answer = await slack.hub.deliver("interactive", told, patience=slack.patience)
            return answer is not None

        return asyncio.run_coroutine_threadsafe(pressed(), self.slack.loop).result(30)

    def type(self, user: str, text: str) -> bool:
        return self.slack.command(user, CHANNEL, COMMAND, text).acknowledged

    def told(self, user: str) -> list[str]:
        """Return what that person alone was told."""
        return [str(one["text"]) for one in self.slack.ephemerals(user)]

    def hears(self, user: str, words: str) -> str:
        """Return what somebody was told, once it has these words in it."""
        found: str = until(
            lambda: next((one for one in self.told(user) if words in one), None),
            what=f"{user} is told {words!r}; so far: {self.told(user)}",
        )
        return found


def _key(message: Json) -> str:
    return str(message["metadata"]["event_payload"]["key"])


def until(holds: Callable[[], Any], *, what: str, seconds: float = 30) -> Any:  # noqa: ANN401
    """Return what holds, once it does. Raises AssertionError."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := holds():
            return found
        threading.Event().wait(_TICK)
    raise AssertionError(f"not within {seconds} s: {what}")


def _workspace() -> Workspace:
    return Workspace(
        team="T1",
        people=tuple(Person(id=one, name=one.lower()) for one in _PEOPLE),
        groups=(Group(id="S1", handle="admins", members=(BOB.user,)),),
        channels=(Channel(id=CHANNEL, name="mesh", members=_PEOPLE),),
    )


@contextmanager
def world(
    gates: dict[str, Any] | None = None, *, rates: float | None = None, patience: float = PATIENCE
) -> Generator[World]:
    """Have a world for a block: without Slack's rates, unless they are given."""
    clock = RealClock()
    slack = Slack(_workspace(), now=lambda: clock.now().timestamp(), rates=rates, patience=patience)
    with serving(slack) as running:
        yield World(running, clock, gates)
