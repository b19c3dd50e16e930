"""What people at a terminal say to a run: signed, stored, and the run woken up for it."""

from collections.abc import Sequence
from datetime import timedelta

from tasks import wiring
from tasks.approvals import sign_control, sign_vote
from tasks.domain.approval import Answer, Gate, Row, controls, fingerprint, tally
from tasks.domain.errors import BadInputError, RefusedError
from tasks.domain.journal import Asked, Attempted, RunRecord
from tasks.domain.parameters import UpgradeParameters, parse_json
from tasks.domain.plan import decoded

# A vote may arrive just before the run suspends: so it is woken until it has noticed.
_UNTIL_NOTICED = timedelta(seconds=20)
_TICK = timedelta(seconds=0.5)


def asked_for(record: RunRecord) -> UpgradeParameters:
    """Return the parameters of a run, from its recorded plan."""
    document = wiring.services().records.plan(record.run)
    if document is None:
        raise RefusedError(f"run {record.run} has no plan yet")
    return parse_json(decoded(document).parameters)


def vote(record: RunRecord, gate: Gate, answer: Answer, *, person: str, reason: str = "") -> None:
    """Cast a person's vote for a gate. Raises BadInputError when it would not count."""
    asked = asked_for(record)
    key = _key_of(record, gate, asked)
    row = sign_vote(gate, answer, asked, person=person, reason=reason)
    _refuse_useless(gate, row, key)
    cast(record, row)


def _key_of(record: RunRecord, gate: Gate | None, parameters: UpgradeParameters) -> bytes:
    """Return the key to sign with. Raises BadInputError when the run verifies with another one."""
    reference = parameters.gates.signing_key
    key = wiring.services().signing_key(reference)
    if gate is None or gate.key in {"", fingerprint(key)}:
        return key
    last = record.last(Attempted)
    where = f" by process {last.process}" if last and last.process else ""
    todo = (
        f"{reference} has to hold the same key here as it does there"
        if reference
        else "say it there, copy the signing.key of that machine to this one, or begin runs with "
        "gates.signing_key, which names a key that all reach"
    )
    raise BadInputError(
        f"your signing key is not the one that run {record.run} verifies with, so what you say would "
        f"not count; the run is worked for{where}: {todo}"
    )


def _refuse_useless(gate: Gate, row: Row, key: bytes) -> None:
    services = wiring.services()
    refused = tally(gate, [row], key=key, now=services.clock.now()).refused
    if refused:
        raise BadInputError(f"your vote for gate {gate.name} would not count: it {refused[0].why}")


def control(record: RunRecord, answer: Answer, *, person: str, reason: str = "") -> None:
    """Ask a run to hold, resume or abort. Raises BadInputError when that would not count."""
    asked = asked_for(record)
    mine = asked.model_copy(update={"requester": person})
    last = record.last(Asked)
    key = _key_of(record, last.gate if last else None, asked)
    row = sign_control(record.run, answer, mine, reason=reason)
    if not controls([row], run=record.run, key=key, policy=asked.gates.policy()):
        raise BadInputError(f"{person} is not an approver of run {record.run}")
    cast(record, row)


def cast(record: RunRecord, row: Row) -> None:
    """Store a signed row where the run looks for it."""
    wiring.services().votes().cast(attempt(record).flow_run, row)


def attempt(record: RunRecord) -> Attempted:
    """Return the flow run that works for a run. Raises BadInputError if it is in another Prefect."""
    last = record.last(Attempted)
    if last is None:
        raise BadInputError(f"run {record.run} has no flow run yet")
    # Its address says nothing: a worker reaches the same Prefect by another one.
    if not wiring.services().flow_runs().knows(last.flow_run):
        where = last.api or f"the own Prefect server of {last.process or 'somebody else'}"
        raise BadInputError(
            f"run {record.run} is worked for by flow run {last.flow_run} of {where}, which this "
            "Prefect does not know; set PREFECT_API_URL accordingly"
        )
    return last


def wake(record: RunRecord, gates: Sequence[str]) -> None:
    """Resume a suspended run until it has noticed; nothing for one that waits in its process."""
    services, last = wiring.services(), attempt(record)
    if last.deployment is None:
        return
    deadline = services.clock.now() + _UNTIL_NOTICED
    while services.clock.now() < deadline:
        if services.flow_runs().resume(last.flow_run):
            return
        now = services.records.run(record.run)
        if now.finished is not None or any(now.decision(gate) for gate in gates):
            return
        services.clock.sleep(_TICK)
