"""Following a run by its journal: progress for people, and answers to its gates."""

import select
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from flows.cli_output import say
from tasks import voting, wiring
from tasks.domain.approval import Answer, Gate
from tasks.domain.errors import BadInputError, RefusedError, TransientError
from tasks.domain.journal import Attempted, RunRecord, Step
from tasks.domain.plan import decoded
from tasks.domain.report import finding_lines, plan_lines


@dataclass(kw_only=True)
class Follower:
    """Tells what a run does, and answers its gates for the person at the terminal."""

    is_ours: Callable[[Attempted], bool]
    person: str
    says_yes: bool = False
    is_interactive: bool = False
    record: RunRecord | None = None
    told: int = 0
    announced: set[str] = field(default_factory=set[str])
    answered: set[str] = field(default_factory=set[str])

    def look(self) -> None:
        """Look once: tell what is new, and answer a gate if there is one to answer."""
        try:
            found = self._find()
        except (TransientError, RefusedError):
            return  # the run itself says so if it matters
        if found is None:
            return
        if self.record is None:
            self._introduce(found)
        self.record = found
        steps = found.of(Step)
        for step in steps[self.told :]:
            say(f"{step.at:%H:%M:%S}  {step.text}")
        self.told = len(steps)
        if found.open_gate is not None and found.finished is None:
            self._attend(found, found.open_gate)

    def _find(self) -> RunRecord | None:
        records = wiring.services().records
        if self.record is not None:
            return records.run(self.record.run)
        found = (one for one in reversed(records.runs()) if self._works_for(one))
        return next(found, None)

    def _works_for(self, record: RunRecord) -> bool:
        return any(self.is_ours(one) for one in record.of(Attempted))

    def _introduce(self, found: RunRecord) -> None:
        document = wiring.services().records.plan(found.run)
        say(f"run {found.run}")
        if document is not None and not found.of(Step):
            plan = decoded(document)
            for line in [*finding_lines(plan.findings), *plan_lines(plan)]:
                say(line)
        elif found.of(Step):
            self.told = len(found.of(Step))
            say("going on where it was")

    def _attend(self, found: RunRecord, gate: Gate) -> None:
        if self.says_yes:
            self._answer(found, gate, Answer.APPROVE)
            return
        if gate.name not in self.announced:
            self.announced.add(gate.name)
            say(
                f"gate {gate.name} waits for {gate.policy.quorum} approval(s) of plan "
                f"{gate.digest[:12]}, until {gate.expires_at:%Y-%m-%d %H:%M} UTC: "
                f"istio-canary approve {found.run}  (or reject)"
            )
            if self.is_interactive:
                say(f"Approve gate {gate.name}? [y = approve, n = reject] ")
        if self.is_interactive and gate.name not in self.answered:
            self._hear(found, gate)

    def _hear(self, found: RunRecord, gate: Gate) -> None:
        """Take an answer if somebody typed one; do not wait for it."""
        if not select.select([sys.stdin], [], [], 0)[0]:
            return
        words = {
            "y": Answer.APPROVE,
            "yes": Answer.APPROVE,
            "n": Answer.REJECT,
            "no": Answer.REJECT,
        }
        answer = words.get(sys.stdin.readline().strip().lower())
        if answer is None:
            say("y approves, n rejects")
            return
        self._answer(found, gate, answer)

    def _answer(self, found: RunRecord, gate: Gate, answer: Answer) -> None:
        """Cast the vote once; wake a suspended run as often as it takes."""
        try:
            if gate.name not in self.answered:
                voting.vote(found, gate, answer, person=self.person)
                self.answered.add(gate.name)
            last = voting.attempt(found)
            if last.deployment is not None:
                wiring.services().flow_runs().resume(last.flow_run)
        except TransientError:
            return  # next look
        except BadInputError as error:
            self.answered.add(gate.name)
            self.says_yes = False
            say(str(error))
