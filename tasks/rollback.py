"""Undoing a whole run: default and tags first, then namespaces, then the canary itself."""

from functools import partial

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks import control_plane, default_revision, removal, wiring
from tasks.approvals import sign_control
from tasks.domain import runs
from tasks.domain.approval import Answer
from tasks.domain.ending import RunEndedError
from tasks.domain.errors import RefusedError, TransientError
from tasks.domain.journal import Attempted, Installed, Outcome, RollingBack, RunRecord
from tasks.domain.parameters import RollbackParameters, UpgradeParameters, parse_json
from tasks.domain.plan import Plan, decoded
from tasks.joining import take_for_rollback
from tasks.journaling import log, note, now, patiently, plan, record, say
from tasks.namespaces import move_back
from tasks.proxies import await_arrival
from tasks.retrying import PATIENTLY, when_transient


def take_up(parameters: RollbackParameters) -> tuple[Plan, UpgradeParameters]:
    """Stop whoever works for the run, take its Lease, and return its plan and what was asked."""
    found = runs.to_roll_back(patiently(wiring.services().records.runs), parameters.run)
    if runs.is_rolled_back(found):
        raise RunEndedError(Outcome.NOTHING_TO_DO, f"run {found.run} has been rolled back already")
    asked = _asked_for(found, parameters)
    _ask_to_stop(found, asked)
    take_for_rollback(found)
    if record().last(RollingBack) is None:
        note(RollingBack(at=now(), requester=parameters.requester))
    return plan(), asked


def _asked_for(found: RunRecord, parameters: RollbackParameters) -> UpgradeParameters:
    """Return the run's own parameters, with this machine's way to the cluster and istioctl."""
    document = patiently(partial(wiring.services().records.plan, found.run))
    if document is None:
        raise RefusedError(f"the plan of run {found.run} is gone from its journal")
    asked = parse_json(decoded(document).parameters)
    changed: dict[str, object] = {
        "cluster": parameters.cluster,
        "requester": parameters.requester,
        "istioctl": parameters.istioctl or asked.istioctl,
    }
    return asked.model_copy(update=changed)


def _ask_to_stop(found: RunRecord, asked: UpgradeParameters) -> None:
    """Ask the process that works for the run to abort; one that does not hear loses its Lease."""
    services = wiring.services()
    holding, last = patiently(services.leases.holding), found.last(Attempted)
    if holding is None or holding.run != found.run or not holding.process or last is None:
        return
    log(f"asking {holding.process} to stop working for run {found.run}")
    try:
        if not services.flow_runs().knows(last.flow_run):
            return
        row = sign_control(found.run, Answer.ABORT, asked, reason="to be rolled back")
        services.votes().cast(last.flow_run, row)
    except TransientError as error:
        log(f"it could not be asked, so its Lease has to lapse: {error}")


@task(
    task_run_name="point the default and tags back to {plan.old_revision}",
    retries=len(PATIENTLY),
    retry_delay_seconds=PATIENTLY,
    retry_condition_fn=when_transient,
    cache_policy=NO_CACHE,
)
def put_default_back(plan: Plan) -> None:
    """Restore the default, the tags and the validator. Safe to repeat; the canary may be dead."""
    del plan  # named by the task run only
    default_revision.put_back()


@task(
    task_run_name="move every namespace back to {plan.old_revision}",
    retries=len(PATIENTLY),
    retry_delay_seconds=PATIENTLY,
    retry_condition_fn=when_transient,
    cache_policy=NO_CACHE,
)
def move_namespaces_back(plan: Plan, parameters: UpgradeParameters) -> None:
    """Give every namespace its labels back and its workloads old pods. Safe to repeat."""
    names = list(record().previous_labels)
    move_back(names, plan, parameters)
    await_arrival(names, plan.old_revision, parameters)


@task(
    task_run_name="uninstall canary {plan.new_revision}",
    retries=len(PATIENTLY),
    retry_delay_seconds=PATIENTLY,
    retry_condition_fn=when_transient,
    cache_policy=NO_CACHE,
)
def uninstall_canary(plan: Plan, parameters: UpgradeParameters) -> None:
    """Remove the canary, when nothing uses it; it may be dead. Safe to repeat."""
    if not record().of(Installed):
        return
    removal.await_unused(plan.new_revision, parameters, may_be_dead=True)
    control_plane.uninstall(plan.new_revision, parameters, begin=_nothing)
    say(f"canary {plan.new_revision} is gone")


def _nothing() -> None:
    """Undoing has no point of no return."""
