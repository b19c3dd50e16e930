"""Moving batches of namespaces to the new revision, and back."""

from collections.abc import Mapping, Sequence
from functools import partial

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks import approvals, wiring
from tasks.domain.drafting import workload_move
from tasks.domain.errors import HaltedError, UnhealthyError
from tasks.domain.inventory import Pod, pods_by_workload
from tasks.domain.journal import LeftAlone, Settled
from tasks.domain.left import left_alone
from tasks.domain.parameters import UpgradeParameters
from tasks.domain.plan import (
    Action,
    Batch,
    NamespaceMove,
    Plan,
    WorkloadMove,
    injection_labels,
    labels_text,
)
from tasks.domain.revision import REVISION_LABEL
from tasks.journaling import note, now, record, say
from tasks.moving import Rolling, is_outside, move_labels, prove_injection, relabel, roll
from tasks.retrying import PATIENTLY, when_transient


@task(
    task_run_name="wave {batch.wave}: move {batch.title} to {plan.new_revision}",
    retries=len(PATIENTLY),
    retry_delay_seconds=PATIENTLY,
    retry_condition_fn=when_transient,
    cache_policy=NO_CACHE,
)
def migrate_namespace_batch(batch: Batch, plan: Plan, parameters: UpgradeParameters) -> list[str]:
    """
    Relabel a batch's namespaces and restart their workloads. Safe to repeat.

    Returns what was left behind because it was not healthy before. Raises UnhealthyError, and makes the wave's
    other batches begin nothing new, when something does not come up.
    """
    services = wiring.services()
    with services.places.one_of(parameters.limits.batches_at_once):
        approvals.stop_if_aborted(parameters)
        if services.wave_failed.is_set():
            raise HaltedError("never begun, because another batch of the wave failed")
        try:
            return _migrate(batch, plan, parameters)
        except UnhealthyError:
            services.wave_failed.set()
            raise


def _migrate(batch: Batch, plan: Plan, parameters: UpgradeParameters) -> list[str]:
    moves = [one for move in batch.namespaces for one in _move_and_prove(move, plan)]
    rolling = Rolling(
        revision=plan.new_revision,
        parameters=parameters,
        wave=batch.wave,
        obey=partial(approvals.stop_if_aborted, parameters),
    )
    roll(moves, rolling)
    moved = [one.ref.namespace for one in moves if one.ref not in rolling.left_behind]
    alone = left_alone(record())
    for move in (one for one in batch.namespaces if one.name not in alone):
        say(
            f"{move.name}: {moved.count(move.name)} workloads are on {plan.new_revision}",
            wave=batch.wave,
            namespace=move.name,
        )
    return list(rolling.left_behind.values())


def _move_and_prove(move: NamespaceMove, plan: Plan) -> list[WorkloadMove]:
    """
    Relabel, then prove for every workload that the right injector answers; else put the labels back at once.

    Returns what is to be rolled: not what no injector takes and never took, and nothing where somebody
    has said something else since the plan.
    """
    current = injection_labels(wiring.services().cluster.namespace(move.name).labels)
    if current not in (dict(move.before), {REVISION_LABEL: plan.new_revision}):
        _leave(
            LeftAlone(at=now(), namespace=move.name, labels=current, is_moved=False),
            f"{move.name}: somebody changed its labels since the plan, so it is left as it is",
        )
        return []
    move_labels(move.name, current, plan.new_revision)
    try:
        prove_injection(move.name, plan.new_revision)
        return [one for one in move.workloads if _is_taken(one, plan)]
    except UnhealthyError:
        relabel(move.name, record().previous_labels[move.name], keep_annotation=False)
        raise


def _leave(left: LeftAlone, text: str) -> None:
    """Write down, once, that a namespace stays as somebody wants it."""
    if left.namespace not in left_alone(record()):
        note(left)
    say(text, namespace=left.namespace)


def _is_taken(move: WorkloadMove, plan: Plan) -> bool:
    """Whether a workload's next pods get the new sidecar. Raises UnhealthyError if they would lose theirs."""
    if move.action is Action.BY_ITSELF:
        return True
    try:
        prove_injection(move.ref.namespace, plan.new_revision, move.ref)
    except UnhealthyError:
        if not is_outside(move.ref):
            raise
        say(
            f"{move.ref} has no sidecar and no injector gives it one, so it is left as it is",
            namespace=move.ref.namespace,
        )
        return False
    return True


def move_back(
    names: Sequence[str], plan: Plan, parameters: UpgradeParameters, *, wave: int | None = None
) -> None:
    """
    Give namespaces the labels back that they had, and their workloads pods of the old revision. Safe to repeat.

    What fails keeps nothing else from going back; raises UnhealthyError naming all of it at the end.
    """
    previous = record().previous_labels
    rolling = Rolling(
        revision=plan.old_revision, parameters=parameters, wave=wave, is_way_back=True
    )
    relabelled: list[str] = []
    for name in (one for one in names if one in previous):
        with rolling.bearing(f"namespace {name}"):
            _tell_overwritten(name, previous[name], plan)
            relabel(name, previous[name], keep_annotation=False)
            relabelled.append(name)
    roll(_to_move_back(relabelled, plan), rolling)
    rolling.raise_failures()
    for name in relabelled:
        say(f"{name}: labels and workloads are as before, on {plan.old_revision}", namespace=name)


def _tell_overwritten(name: str, previous: Mapping[str, str], plan: Plan) -> None:
    """Say so if the way back undoes what somebody else has said of a namespace meanwhile."""
    current = injection_labels(wiring.services().cluster.namespace(name).labels)
    if current not in ({REVISION_LABEL: plan.new_revision}, dict(previous)):
        say(
            f"{name}: somebody changed its labels to {labels_text(current)} meanwhile; "
            "they become what they were before the run",
            namespace=name,
        )


def _to_move_back(names: Sequence[str], plan: Plan) -> list[WorkloadMove]:
    """Return the workloads with pods of the new revision, an earlier run's among them."""
    if not names:
        return []
    planned, begun = {one.ref for one in plan.workloads}, record().ready_before
    with wiring.services().cluster.watching(names) as state:
        moved = [
            workload_move(workload, pods)
            for ref, pods in sorted(pods_by_workload(state.pods).items())
            if (workload := state.workloads.get(ref)) is not None
            and _is_moved(pods, plan, is_begun=ref in begun, is_planned=ref in planned)
        ]
    return [move for move in moved if move is not None]


def _is_moved(pods: Sequence[Pod], plan: Plan, *, is_begun: bool, is_planned: bool) -> bool:
    revisions = {pod.revision for pod in pods}
    if plan.new_revision in revisions:
        return True
    # Where no pod has a sidecar and none was restarted, none was lost.
    is_ours = is_begun or (is_planned and revisions != {None})
    return is_ours and revisions != {plan.old_revision}


@task(
    task_run_name="settle the labels of {plan.new_revision}'s namespaces",
    retries=len(PATIENTLY),
    retry_delay_seconds=PATIENTLY,
    retry_condition_fn=when_transient,
    cache_policy=NO_CACHE,
)
def settle_labels(plan: Plan) -> None:
    """Let every namespace say again what it said before, where that now means the new revision. Safe to repeat."""
    settled = {entry.namespace for entry in record().of(Settled)}
    for move in plan.namespaces:
        if move.name not in settled and _settle(move, plan):
            note(Settled(at=now(), namespace=move.name))
            settled.add(move.name)
    number = sum(move.name in settled for move in plan.namespaces)
    say(f"{number} namespaces are labelled as before, which now means {plan.new_revision}")


def _settle(move: NamespaceMove, plan: Plan) -> bool:
    """Return whether the namespace says what it shall; not if somebody wants it otherwise."""
    ours = {REVISION_LABEL: plan.new_revision}
    current = injection_labels(wiring.services().cluster.namespace(move.name).labels)
    if current not in (ours, dict(move.after)):
        _leave(
            LeftAlone(at=now(), namespace=move.name, labels=current, is_moved=True),
            f"{move.name}: somebody changed its labels meanwhile, so they stay",
        )
        return False
    relabel(move.name, move.after, keep_annotation=False)
    try:
        prove_injection(move.name, plan.new_revision)
    except UnhealthyError:
        relabel(move.name, ours, keep_annotation=True)
        raise
    return True
