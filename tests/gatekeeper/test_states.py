"""A gate as a machine: whatever people, clocks, restarts and repetitions do, one decision, and the right one."""

from datetime import timedelta
from typing import Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from deployments.gatekeeper.deciding import Said, already, gate_to_decide, signed_vote
from deployments.gatekeeper.duties import has_an_answer
from deployments.gatekeeper.looking import WatchedCluster
from deployments.gatekeeper.subject import Subject
from tasks.domain.approval import Answer, Gate, Row, Verdict, tally
from tasks.domain.journal import Decided
from tasks.domain.slack import Person
from tests.builders import KEY, NOW
from tests.unit.gatekeeper_scene import ANN, BOB, CAROL, FLOW_RUN, MALLORY, Scene

PEOPLE: Final = (ANN, BOB, CAROL, MALLORY)
APPROVERS: Final = {ANN.identity, BOB.identity, CAROL.identity}
VALID: Final = 3600.0
GATES: Final = {
    "approvers": sorted(APPROVERS),
    "quorum": 2,
    "requester_may_approve": False,
    "approval_valid_seconds": VALID,
    "people": [{"name": "Ann", "identities": ["kubernetes:ann", ANN.identity]}],
}
MAY_APPROVE: Final = {BOB.identity, CAROL.identity}
OTHER_PLAN: Final = "e" * 64


class GateMachine(RuleBasedStateMachine):
    """
    Pending, then approved, rejected or expired, and then nothing else any more.

    Beside the gate stands what it should be: who has approved when, and whether somebody has rejected.
    """

    @initialize()
    def open(self) -> None:
        self.scene = Scene(gates=GATES)
        self.cluster: WatchedCluster = self.scene.cluster
        self.approved: dict[str, list[float]] = {}
        self.rejected = False
        self.settled: Decided | None = None
        self.last: Row | None = None

    # ---- what happens

    @rule(person=st.sampled_from(PEOPLE), answer=st.sampled_from([Answer.APPROVE, Answer.REJECT]))
    def click(self, person: Person, answer: Answer) -> None:
        self._say(person, answer, self.scene.subject(), seconds_ago=0)

    @rule(person=st.sampled_from(PEOPLE), minutes=st.sampled_from([6, 60, -6]))
    def click_late(self, person: Person, minutes: int) -> None:
        before = len(self._rows())
        self._say(person, Answer.APPROVE, self.scene.subject(), seconds_ago=minutes * 60)
        assert len(self._rows()) == before

    @rule(person=st.sampled_from(PEOPLE))
    def click_about_another_plan(self, person: Person) -> None:
        before = len(self._rows())
        self._say(person, Answer.APPROVE, self.scene.subject(digest=OTHER_PLAN), seconds_ago=0)
        assert len(self._rows()) == before

    @precondition(lambda self: self.last is not None)
    @rule()
    def repeat(self) -> None:
        assert self.last is not None
        before = self._rows()
        self.scene.votes.cast(FLOW_RUN, self.last)
        assert self._rows() == before

    @rule()
    def forge(self) -> None:
        self.scene.votes.first(FLOW_RUN, Row(key="vote-start-forged", value='{"vote": {}}'))

    @rule(seconds=st.sampled_from([1, 600, int(VALID) + 1, 6 * 3600]))
    def pass_time(self, seconds: int) -> None:
        self.scene.clock.time += timedelta(seconds=seconds)

    @rule()
    def restart(self) -> None:
        self.cluster = self.scene.watched()

    @rule()
    def look(self) -> None:
        """Let the gatekeeper look, and the run count if it was woken."""
        (seen,) = self.cluster.look(self.scene.leases.holding())
        is_open = self.scene.record.open_gate is not None
        if not (is_open and has_an_answer(seen)):
            assert not is_open or self._expected() is Verdict.WAITING
            return
        counted = tally(self._gate(), self._rows(), key=KEY, now=self.scene.clock.now())
        assert counted.verdict is self._expected()
        votes = (counted.rejection,) if counted.rejection else counted.approvals
        at, verdict = self.scene.clock.now(), str(counted.verdict)
        self.settled = Decided(at=at, gate="start", verdict=verdict, votes=votes)
        self.scene.note(self.settled)

    # ---- what holds

    @invariant()
    def one_decision_and_it_stays(self) -> None:
        decided = self.scene.record.of(Decided)
        assert list(decided) == ([self.settled] if self.settled else [])

    @invariant()
    def the_votes_of_a_decision_are_those_of_people_who_may(self) -> None:
        for decided in self.scene.record.of(Decided):
            people = [vote.person for vote in decided.votes]
            assert len(set(people)) == len(people)
            if decided.verdict == Verdict.APPROVED:
                assert set(people) <= MAY_APPROVE
                assert len(people) >= 2
            elif decided.verdict == Verdict.REJECTED:
                assert set(people) <= APPROVERS

    @invariant()
    def the_gate_is_what_it_should_be(self) -> None:
        if self.settled is None:
            counted = tally(self._gate(), self._rows(), key=KEY, now=self.scene.clock.now())
            assert counted.verdict is self._expected()

    # ---- the model

    def _say(self, person: Person, answer: Answer, subject: Subject, *, seconds_ago: int) -> None:
        """Do what the gatekeeper does with a click, and note beside it what that should mean."""
        now = self.scene.clock.now()
        gate = gate_to_decide(self.scene.record, subject)
        if not isinstance(gate, Gate):
            assert self.settled is not None or subject.digest == OTHER_PLAN
            return
        at = now - timedelta(seconds=seconds_ago)
        said = Said(person=person, groups=(), answer=answer, at=at, reason="for a reason")
        row = signed_vote(gate, said, key=KEY, now=now)
        counted = self.cluster.count(gate, self._rows())
        assert counted is not None
        if not isinstance(row, Row) or already(gate, counted, said) is not None:
            return
        self.scene.votes.cast(FLOW_RUN, row)
        self.last = row
        assert person.identity in (MAY_APPROVE if answer is Answer.APPROVE else APPROVERS)
        if answer is Answer.REJECT:
            self.rejected = True
        else:
            self.approved.setdefault(person.identity, []).append(at.timestamp())

    def _expected(self) -> Verdict:
        now = self.scene.clock.now()
        if self.rejected:
            return Verdict.REJECTED
        fresh = [
            person
            for person, moments in self.approved.items()
            if any(now.timestamp() - at <= VALID for at in moments)
        ]
        if len(fresh) >= 2:
            return Verdict.APPROVED
        return Verdict.EXPIRED if now >= self._gate().expires_at else Verdict.WAITING

    def _gate(self) -> Gate:
        gate = self.scene.record.gate("start")
        assert gate is not None
        assert gate.asked_at == NOW
        return gate

    def _rows(self) -> tuple[Row, ...]:
        return tuple(self.scene.votes.rows(FLOW_RUN))


GateMachine.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=(HealthCheck.too_slow,),
)
TestStatesOfAGate = GateMachine.TestCase
