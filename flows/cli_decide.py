"""What people at a terminal say to a run: approve, reject, hold, resume, abort."""

from collections.abc import Callable

from flows import cli_options as options
from flows import cli_output as out
from flows import cli_run as running
from flows.cli_output import Format
from flows.cli_session import cluster, told
from tasks import voting, wiring
from tasks.domain import documents, runs
from tasks.domain.approval import Answer
from tasks.domain.errors import BadInputError
from tasks.domain.journal import RunRecord
from tasks.settings import Settings

Where = tuple[str | None, str | None, str]  # kubeconfig, context, Istio's namespace


def decide(answer: Answer, run: str | None, reason: str, where: Where, output: Format) -> None:
    """Sign and store what a person says, and wake the run for it."""
    with told(output):
        access = options.access(*where)
        settings = Settings.read()
        with cluster(access, settings) as person:
            record = runs.chosen(wiring.services().records.runs(), run)
            if record.finished is not None:
                raise BadInputError(f"run {record.run} is over: {record.finished.text}")
        say = _vote if answer in {Answer.APPROVE, Answer.REJECT} else _control
        with running.prefect_of(record, settings) as reached, cluster(access, reached):
            found = say(record, answer, person, reason)
        if output is Format.JSON:
            out.document(found)
        out.say(found.text)


Say = Callable[[RunRecord, Answer, str, str], documents.VoteReport]


def _vote(record: RunRecord, answer: Answer, person: str, reason: str) -> documents.VoteReport:
    gate = record.open_gate
    if gate is None:
        raise BadInputError(f"run {record.run} waits at no gate now")
    voting.vote(record, gate, answer, person=person, reason=reason)
    voting.wake(record, [gate.name])
    return documents.VoteReport(
        run=record.run,
        gate=gate.name,
        answer=str(answer),
        person=person,
        digest=gate.digest,
        text=f"recorded: {answer} of gate {gate.name} of run {record.run} by {person}",
    )


def _control(record: RunRecord, answer: Answer, person: str, reason: str) -> documents.VoteReport:
    voting.control(record, answer, person=person, reason=reason)
    if answer is not Answer.HOLD:
        voting.wake(record, [])
    return documents.VoteReport(
        run=record.run,
        gate="",
        answer=str(answer),
        person=person,
        digest="",
        text=f"recorded: {answer} of run {record.run} by {person}",
    )
