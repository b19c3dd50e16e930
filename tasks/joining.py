"""
Taking a run up: beginning a new one, or going on with one that another process has left.

The Lease comes first, the journal second, the cluster last: whoever is killed in between leaves
nothing that the next process could not tell from a finished or an unfinished run.
"""

import secrets
import string
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

from prefect.runtime import deployment, flow_run

from tasks import health, wiring
from tasks.domain import runs
from tasks.domain.drafting import select_old
from tasks.domain.errors import RefusedError, TransientError
from tasks.domain.inventory import Inventory
from tasks.domain.journal import (
    Attempted,
    Holding,
    Labelled,
    Planned,
    RunRecord,
    Settled,
    Snapshotted,
    Started,
)
from tasks.domain.parameters import UpgradeParameters
from tasks.domain.plan import Plan, canonical, digest
from tasks.domain.runs import FINAL_STATES
from tasks.journaling import note, now, patiently

# How long a rollback waits for the process that it asked to stop.
_PATIENCE = timedelta(minutes=30)
_TICK = timedelta(seconds=2)


def earlier_attempt() -> RunRecord | None:
    """Return the finished run that this very flow run worked for: it must not begin another."""
    mine = str(flow_run.id)
    return next((one for one in _records() if mine in one.flow_runs and one.finished), None)


def _records() -> Sequence[RunRecord]:
    return patiently(wiring.services().records.runs)


def unfinished(parameters: UpgradeParameters) -> RunRecord | None:
    """Return the run to go on with. Raises RefusedError when these parameters ask for another."""
    return runs.to_join(_records(), parameters)


def go_on_with(found: RunRecord) -> None:
    """Take the Lease over for a run that no process works for any more."""
    _refuse_another_flow_run(found)
    services = wiring.services()
    services.keeper.hold(found.run, may_take=_free_for(found.run))
    # Before this process works for the run: the end that another one wrote has to stay as it is.
    with _released_if_refused():
        if patiently(partial(services.records.run, found.run)).finished is not None:
            raise RefusedError(f"run {found.run} has just been finished by another process")
    wiring.work_for(found.run)
    _note_attempt("upgrade")


@contextmanager
def _released_if_refused() -> Generator[None]:
    try:
        yield
    except RefusedError:
        wiring.services().keeper.release()
        raise


def _refuse_another_flow_run(found: RunRecord) -> None:
    """Leave a run to the live flow run of a deployment that works for it already."""
    last = found.last(Attempted)
    services = wiring.services()
    if last is None or last.deployment is None or last.flow_run == str(flow_run.id):
        return
    flow_runs = services.flow_runs()
    if not patiently(partial(flow_runs.knows, last.flow_run)):
        return
    state = patiently(partial(flow_runs.state, last.flow_run))
    if state not in FINAL_STATES:
        raise RefusedError(
            f"run {found.run} is worked for by flow run {last.flow_run}, which is {state}; "
            f"see `istio-canary status {found.run}`"
        )


def begin(plan: Plan, parameters: UpgradeParameters) -> str:
    """Begin a new run with this plan: from here on nobody else upgrades this cluster."""
    services = wiring.services()
    run = new_run_id(plan.new_revision)
    services.keeper.hold(run, may_take=_free_for(run))
    # Read again under the Lease: somebody may have finished an upgrade since the plan was drawn.
    records = _records()
    with _released_if_refused():
        if (other := runs.unfinished(records)) is not None:
            raise RefusedError(f"run {other.run} to {other.started.target} has begun meanwhile")
        inventory = patiently(services.cluster.read)
        if select_old(inventory, parameters) != plan.old_revision:
            raise RefusedError("the cluster has changed since the plan was drawn up; run again")
    wiring.work_for(run)
    earlier = runs.predecessor(records, inventory, plan.new_revision)
    note(_started(plan, parameters, earlier))
    _carry_over(plan, inventory, earlier)
    patiently(partial(services.records.save_plan, run, canonical(plan)))
    note(Planned(at=now(), digest=digest(plan)))
    _note_attempt("upgrade")
    return run


def _started(plan: Plan, parameters: UpgradeParameters, earlier: RunRecord | None) -> Started:
    return Started(
        at=now(),
        parameters=parameters.fingerprint(),
        target=plan.new_version,
        revision=plan.new_revision,
        old=plan.old_revision,
        requester=parameters.requester,
        predecessor=earlier.run if earlier else None,
    )


def _carry_over(plan: Plan, inventory: Inventory, earlier: RunRecord | None) -> None:
    """Copy what a rollback of this run needs from the run whose canary it adopts."""
    if earlier is None:
        return
    if earlier.snapshots:
        note(Snapshotted(at=now(), objects=earlier.snapshots))
    planned = {move.name for move in plan.namespaces}
    previous = {name: one for name, one in earlier.previous_labels.items() if name in planned}
    settled = runs.settled_labels(earlier, inventory)
    for name, labels in sorted({**settled, **previous}.items()):
        note(Labelled(at=now(), namespace=name, previous=labels, carried=True))
    for name in sorted(settled.keys() - planned):
        note(Settled(at=now(), namespace=name))


def take_for_rollback(found: RunRecord) -> None:
    """
    Take the Lease for undoing a run, as soon as the process that works for it has let go.

    Raises RefusedError, with nothing written, if there is no way back by then.
    """
    services = wiring.services()
    deadline = services.clock.now() + _PATIENCE
    while True:
        try:
            services.keeper.hold(found.run, may_take=_free_for(found.run))
            break
        except (RefusedError, TransientError):
            if services.clock.now() >= deadline:
                raise
            services.clock.sleep(_TICK)
    with _released_if_refused():
        runs.refuse_past_return(patiently(partial(services.records.run, found.run)))
        if found.started.old is not None:
            patiently(partial(health.prove_ready, found.started.old))
    wiring.work_for(found.run)
    _note_attempt("rollback")


def _free_for(run: str) -> Callable[[Holding], bool]:
    """Return whether a holding whose process is gone may be taken over for a run."""

    def may_take(holding: Holding) -> bool:
        if holding.run == run:
            return True
        known = next((one for one in _records() if one.run == holding.run), None)
        return known is None or known.finished is not None or not known.of(Planned)

    return may_take


def _note_attempt(flow: str) -> None:
    services = wiring.services()
    note(
        Attempted(
            at=now(),
            flow_run=str(flow_run.id),
            flow=flow,
            deployment=deployment.id,
            api=services.api,
            process=services.process,
        )
    )


def new_run_id(revision: str) -> str:
    """Return an id that people can type: the revision and five letters."""
    # Letters only, so that no run's id is another's with a number behind it.
    tail = "".join(secrets.choice(string.ascii_lowercase) for _ in range(5))
    return f"{revision[:40].rstrip('-')}-{tail}"
