"""
Asking people, and counting what they answer.

`pause_for_approval` only asks: it is the gate's node in the graph. The flow itself waits or suspends, since Prefect
refuses to suspend a task. Votes are looked for under every flow run that ever worked for the run, so that a crash
loses none.
"""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from uuid import uuid4

import msgspec
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.flow_runs import suspend_flow_run
from prefect.runtime import deployment

from tasks import reporting, wiring
from tasks.domain.approval import (
    Answer,
    Gate,
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
)
from tasks.domain.ending import RunEndedError
from tasks.domain.errors import RefusedError
from tasks.domain.journal import Asked, Controlled, Decided, Outcome, Waited
from tasks.domain.parameters import UpgradeParameters
from tasks.domain.plan import Plan, digest
from tasks.journaling import log, note, now, patiently, record, say
from tasks.retrying import PATIENTLY, when_transient

_TICK = timedelta(seconds=1)


@task(
    task_run_name="ask for approval: {gate}",
    retries=len(PATIENTLY),
    retry_delay_seconds=PATIENTLY,
    retry_condition_fn=when_transient,
    cache_policy=NO_CACHE,
)
def pause_for_approval(gate: str, plan: Plan, parameters: UpgradeParameters) -> None:
    """Record that a gate is open, durably. Safe to repeat: a repeated ask finds the first one."""
    if record().gate(gate) is not None:
        return
    asked_at = now()
    question = Gate(
        run=wiring.run(),
        name=gate,
        digest=digest(plan),
        asked_at=asked_at,
        expires_at=asked_at + timedelta(seconds=parameters.gates.deciding(gate).expiry_seconds),
        requester=parameters.requester,
        policy=parameters.gates.policy(gate),
        key=fingerprint(_key(parameters)),
    )
    note(Asked(gate=question))
    log(
        f"gate {gate} waits for {question.policy.quorum} approval(s); expires {question.expires_at:%Y-%m-%d %H:%M} UTC"
    )


def await_decision(name: str, parameters: UpgradeParameters) -> None:
    """
    Return when the gate is approved. Looks for the decision first and waits only if there is none.

    Raises RunEndedError when it was rejected, has expired or the run was aborted.
    """
    told: set[str] = set()
    _tell_another_key(name, parameters)
    while True:
        stop_if_aborted(parameters)
        gate = record().gate(name)
        if gate is None:
            raise RefusedError(f"gate {name} was never asked; this is a bug")
        if record().decision(name) is None:
            counted = count(gate, parameters)
            _tell_refused(gate, counted, told)
            if counted.verdict is not Verdict.WAITING:
                _decide(gate, counted)
        if (decided := record().decision(name)) is not None:
            _go_on_or_end(name, decided)
            return
        _wait_for_people(name)


def _tell_another_key(name: str, parameters: UpgradeParameters) -> None:
    """Tell people whose votes cannot count: those with the key that the gate was asked with."""
    gate = record().gate(name)
    if gate is None or record().decision(name) is not None:
        return
    if gate.key not in {"", fingerprint(_key(parameters))}:
        say(
            f"gate {name} was asked on another machine, and votes with the key of that one do not count here: "
            "name one that all machines reach in gates.signing_key"
        )


def count(gate: Gate, parameters: UpgradeParameters) -> Tally:
    """Verify and count the votes cast so far."""
    key = _key(parameters)
    prefix = f"vote-{gate.name}-"
    rows = [row for row in _rows() if row.key.startswith(prefix)]
    return tally(gate, rows, key=key, now=now())


def _tell_refused(gate: Gate, counted: Tally, told: set[str]) -> None:
    """Tell of each row that does not count once, and not again at every look."""
    fresh = tuple(one for one in counted.refused if one.key not in told)
    told.update(one.key for one in fresh)
    reporting.show_refused(gate.name, msgspec.structs.replace(counted, refused=fresh))


def _rows() -> Sequence[Row]:
    """Return the rows of every flow run that ever worked for the run; another Prefect's has none here."""
    services = wiring.services()
    return [
        row for one in record().flow_runs for row in patiently(partial(services.votes().rows, one))
    ]


def _key(parameters: UpgradeParameters) -> bytes:
    """Return the key that this run verifies with; it may be in a Secret."""
    return patiently(partial(wiring.services().signing_key, parameters.gates.signing_key))


def _decide(gate: Gate, counted: Tally) -> None:
    votes = (counted.rejection,) if counted.rejection else counted.approvals
    note(Decided(at=now(), gate=gate.name, verdict=str(counted.verdict), votes=votes))
    reporting.show_decisions()


def _go_on_or_end(name: str, decided: Decided) -> None:
    by = ", ".join(
        f"{vote.person}" + (f" ({vote.reason})" if vote.reason else "") for vote in decided.votes
    )
    if decided.verdict == Verdict.APPROVED:
        say(f"gate {name} was approved by {by}")
        return
    outcome = Outcome.REJECTED if decided.verdict == Verdict.REJECTED else Outcome.EXPIRED
    how = f"was rejected by {by}" if decided.votes else "expired without a decision"
    raise RunEndedError(outcome, f"gate {name} {how}")


def _wait_for_people(name: str) -> None:
    """Wait a moment in the process, or suspend where a deployment can start the run again."""
    services = wiring.services()
    patiently(services.keeper.check)
    if deployment.id is None:
        services.clock.sleep(_TICK)
        return
    note(Waited(at=now(), gate=name))
    # A pause key works once, so each suspension has its own; Prefect's timeout would fail the run without a word.
    suspend_flow_run(timeout=None, key=f"{name}-{uuid4().hex[:12]}")


def obey_controls(parameters: UpgradeParameters) -> None:
    """Before the next step: stop if the run was aborted, wait while it is held."""
    is_told = False
    while True:
        stop_if_aborted(parameters)
        if not is_held([entry.vote for entry in record().of(Controlled)]):
            return
        if not is_told:
            log(f"the run is held; `istio-canary resume {wiring.run()}` lets it go on")
            is_told = True
        _wait_for_people("hold")


def stop_if_aborted(parameters: UpgradeParameters | None = None) -> None:
    """Copy what people asked of the run into its journal. Raises RunEndedError if one of it is abort."""
    if parameters is not None:
        _copy_controls(parameters)
    abort = aborted_by([entry.vote for entry in record().of(Controlled)])
    if abort is not None:
        reason = f": {abort.reason}" if abort.reason else ""
        raise RunEndedError(Outcome.ABORTED, f"aborted by {abort.person}{reason}")


def _copy_controls(parameters: UpgradeParameters) -> None:
    rows = [row for row in _rows() if row.key.startswith("control-")]
    if not rows:
        return
    key = _key(parameters)
    known = {entry.vote for entry in record().of(Controlled)}
    for vote in controls(rows, run=wiring.run(), key=key, policy=parameters.gates.policy()):
        if vote not in known:
            note(Controlled(vote=vote))


def sign_control(run: str, answer: Answer, parameters: UpgradeParameters, *, reason: str) -> Row:
    """Return a signed hold, resume or abort of the person who runs this."""
    services = wiring.services()
    vote = Vote(
        run=run,
        gate="",
        digest="",
        person=parameters.requester,
        answer=answer,
        at=now(),
        reason=reason,
    )
    return sign(vote, key=services.signing_key(parameters.gates.signing_key))


def sign_vote(
    gate: Gate, answer: Answer, parameters: UpgradeParameters, *, person: str, reason: str
) -> Row:
    """Return somebody's signed answer to a gate."""
    vote = Vote(
        run=gate.run,
        gate=gate.name,
        digest=gate.digest,
        person=person,
        answer=answer,
        at=now(),
        reason=reason,
    )
    return sign(vote, key=wiring.services().signing_key(parameters.gates.signing_key))
