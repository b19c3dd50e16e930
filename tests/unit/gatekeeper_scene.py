"""What the gatekeeper's tests share: a cluster with a run that waits at its first gate, suspended."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec

from deployments.gatekeeper.config import ClusterConfig
from deployments.gatekeeper.deciding import Said
from deployments.gatekeeper.looking import WatchedCluster
from deployments.gatekeeper.subject import Subject
from tasks.domain.approval import Answer, Gate, Vote, fingerprint, sign
from tasks.domain.journal import Asked, Attempted, Entry, Planned, RunRecord, Started, Waited
from tasks.domain.parameters import Gates
from tasks.domain.plan import Plan, canonical, digest
from tasks.domain.slack import Click, Person
from tests.builders import KEY, NEW, NOW, OLD, REQUESTER, RUN, after
from tests.fakes import FakeClock, FakeFlowRuns, FakeLeases, FakeRecords, FakeVotes, services
from tests.unit.plan_cases import asked, plan

CHANNEL: Final = "C0MESH"
CLUSTER: Final = "eu"
FLOW_RUN: Final = "f-1"
ANN, BOB, CAROL, MALLORY = (Person(team="T1", user=user) for user in ("U1", "U2", "U3", "U9"))
ADMINS: Final = "slack-group:T1/S1"
APPROVERS: Final = {"approvers": [BOB.identity, CAROL.identity]}


@dataclass(kw_only=True)
class Scene:
    """One run of one cluster, and everything that stands around it."""

    gates: dict[str, Any] = field(default_factory=lambda: dict(APPROVERS))
    run: str = RUN
    clock: FakeClock = field(default_factory=FakeClock)
    votes: FakeVotes = field(default_factory=FakeVotes)
    flow_runs: FakeFlowRuns = field(default_factory=FakeFlowRuns)

    def __post_init__(self) -> None:
        self.leases = FakeLeases(self.clock)
        self.leases.write(self.run, "")
        self.parameters = asked(gates=self.gates)
        self.plan: Plan = plan(
            gates=("start", "uninstall"), parameters=self.parameters.model_dump_json()
        )
        self.flow_runs.add(FLOW_RUN, "PAUSED", deployment="d-1")
        self.records = FakeRecords(RunRecord(run=self.run, entries=self.entries()))
        self.records.save_plan(self.run, canonical(self.plan))
        self.cluster = self.watched()

    def watched(self) -> WatchedCluster:
        """Return the cluster as another gatekeeper sees it, or this one after a restart."""
        return WatchedCluster(
            config=ClusterConfig(name=CLUSTER, channel=CHANNEL),
            services=services(
                records=self.records,
                votes=self.votes,
                flow_runs=self.flow_runs,
                leases=self.leases,
                clock=self.clock,
            ),
        )

    def entries(self) -> tuple[Entry, ...]:
        return (
            Started(
                at=NOW,
                parameters=self.parameters.fingerprint(),
                target="1.29.1",
                revision=NEW,
                old=OLD,
                requester=REQUESTER,
            ),
            Attempted(at=NOW, flow_run=FLOW_RUN, flow="upgrade", deployment="d-1"),
            Planned(at=NOW, digest=digest(self.plan)),
            Asked(gate=self.gate()),
            Waited(at=NOW, gate="start"),
        )

    def gate(self, name: str = "start", **changes: object) -> Gate:
        made = Gate(
            run=self.run,
            name=name,
            digest=digest(self.plan),
            asked_at=NOW,
            expires_at=after(24 * 3600),
            requester=REQUESTER,
            policy=Gates.model_validate(self.gates).policy(name),
            key=fingerprint(KEY),
        )
        return msgspec.structs.replace(made, **changes)

    @property
    def record(self) -> RunRecord:
        return self.records.run(self.run)

    def note(self, *entries: Entry) -> None:
        """Let the run go on so far."""
        for one in entries:
            self.records.append(self.run, one)

    def vote(
        self,
        person: Person,
        answer: Answer = Answer.APPROVE,
        gate: str = "start",
        **changes: object,
    ) -> Vote:
        made = Vote(
            run=self.run,
            gate=gate,
            digest=digest(self.plan) if gate else "",
            person=person.identity,
            answer=answer,
            at=after(60),
            via="slack",
        )
        return msgspec.structs.replace(made, **changes)

    def cast(self, *votes: Vote) -> None:
        for one in votes:
            self.votes.cast(FLOW_RUN, sign(one, key=KEY))

    def subject(self, **changes: object) -> Subject:
        made = Subject(cluster=CLUSTER, run=self.run, gate="start", digest=digest(self.plan))
        return msgspec.structs.replace(made, **changes)

    def click(
        self, person: Person, action: str = "gate-approve", at: datetime = NOW, **changes: object
    ) -> Click:
        made = Click(
            person=person,
            channel=CHANNEL,
            message="1764000001.000100",
            thread="1764000000.000100",
            action=action,
            value=self.subject().encoded(),
            at=at,
            response_url="https://hooks.slack.com/actions/1",
            trigger="1.2.abc",
        )
        return msgspec.structs.replace(made, **changes)


def said(person: Person = BOB, answer: Answer = Answer.APPROVE, at: datetime = NOW) -> Said:
    """Return an answer of somebody who is in no group."""
    return Said(person=person, groups=(), answer=answer, at=at)
