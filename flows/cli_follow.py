"""Following a run by its journal: progress for people, and answers to its gates."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from flows.cli_output import say
from flows.cli_terminal import Keyboard
from tasks import voting, wiring
from tasks.domain.approval import Answer, Gate
from tasks.domain.errors import BadInputError, UpgradeError
from tasks.domain.journal import Attempted, RunRecord, Step
from tasks.domain.plan import decoded
from tasks.domain.report import finding_lines, plan_lines

_ANSWERS: Final = {
    "y": Answer.APPROVE,
    "yes": Answer.APPROVE,
    "n": Answer.REJECT,
    "no": Answer.REJECT,
}


@dataclass(kw_only=True)
class Trouble:
    """What keeps us from looking, said once until it is over."""

    said: str | None = None

    def tell(self, error: UpgradeError) -> None:
        """Say what is wrong, unless that was the last thing said."""
        if str(error) != self.said:
            self.said = str(error)
            say(f"trying again: {error}")

    def is_over(self) -> None:
        """Take note that all is well again."""
        self.said = None


@dataclass(kw_only=True)
class Follower:
    """Tells what a run does, and answers its gates for the person at the terminal."""

    is_ours: Callable[[Attempted], bool]
    person: str
    says_yes: bool = False
    keyboard: Keyboard | None = None
    record: RunRecord | None = None
    told: int = 0
    announced: set[str] = field(default_factory=set[str])
    given: dict[str, Answer] = field(default_factory=dict[str, Answer])  # and still to be heard
    answered: set[str] = field(default_factory=set[str])
    trouble: Trouble = field(default_factory=Trouble)

    def look(self) -> None:
        """Look once: tell what is new, and answer a gate if there is one to answer."""
        try:
            self._look()
        except UpgradeError as error:
            self.trouble.tell(error)  # the next look may see more
        else:
            self.trouble.is_over()

    def _look(self) -> None:
        found = self._find()
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
            self.given[gate.name] = Answer.APPROVE
        else:
            self._ask(found, gate)
        if gate.name in self.given:
            self._answer(found, gate, self.given[gate.name])

    def _ask(self, found: RunRecord, gate: Gate) -> None:
        if gate.name not in self.announced:
            self.announced.add(gate.name)
            say(
                f"gate {gate.name} waits for {gate.policy.quorum} approval(s) of plan "
                f"{gate.digest[:12]}, until {gate.expires_at:%Y-%m-%d %H:%M} UTC: "
                f"istio-canary approve {found.run}  (or reject)"
            )
            if self.keyboard is not None:
                self.keyboard.forget()  # a second y at the last gate is no answer to this one
                say(f"Approve gate {gate.name}? [y = approve, n = reject] ")
        if self.keyboard is not None and gate.name not in self.given.keys() | self.answered:
            self._hear(found, gate, self.keyboard)

    def _hear(self, found: RunRecord, gate: Gate, keyboard: Keyboard) -> None:
        """Take an answer if somebody typed one; do not wait for it."""
        line = keyboard.line()
        if line is None:
            return
        if not line:
            self.keyboard = None
            say(f"nothing can be typed here any more; istio-canary approve {found.run}")
        elif (answer := _ANSWERS.get(line.strip().lower())) is not None:
            self.given[gate.name] = answer
        else:
            say("y approves, n rejects")

    def _answer(self, found: RunRecord, gate: Gate, answer: Answer) -> None:
        """Cast the vote once, and wake a run that is suspended or about to be."""
        try:
            if gate.name not in self.answered:
                voting.vote(found, gate, answer, person=self.person)
                self.answered.add(gate.name)
            last = voting.attempt(found)
            if last.deployment is None or wiring.services().flow_runs().resume(last.flow_run):
                del self.given[gate.name]
        except BadInputError as error:
            self.answered.add(gate.name)
            del self.given[gate.name]
            self.says_yes = False
            say(str(error))
