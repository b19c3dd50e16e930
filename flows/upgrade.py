"""The upgrade: what happens when, and who is asked in between."""

from collections.abc import Sequence
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from tasks import concluding, joining, journaling, reporting, wiring
from tasks.approvals import await_decision, obey_controls, pause_for_approval
from tasks.control_plane import install_canary, uninstall_old, verify_control_plane
from tasks.default_revision import move_default
from tasks.domain.parameters import UpgradeParameters
from tasks.domain.plan import Plan, Wave
from tasks.namespaces import migrate_namespace_batch, settle_labels
from tasks.preflight import preflight, refuse_blocked
from tasks.proxies import verify_proxies
from tasks.removal import prove_unused
from tasks.settings import Settings
from tasks.waves import Attempt, begin_wave, finish_wave, is_moved

Steps = Sequence[PrefectFuture[Any]]

# As many threads as a wave may have batches side by side. Prefect's own type is invariant.
_SIDE_BY_SIDE: TaskRunner[PrefectFuture[Any]] = ThreadPoolTaskRunner(  # type: ignore[assignment]
    max_workers=64
)


@flow(
    name="upgrade",
    flow_run_name="upgrade to {parameters.to}",
    task_runner=_SIDE_BY_SIDE,
    validate_parameters=True,
)
def upgrade(parameters: UpgradeParameters) -> State[None]:
    """Move a mesh to another Istio version by a canary upgrade, with people deciding at gates."""
    with wiring.connected(parameters.cluster, Settings.read()):
        return concluding.conclude(lambda: carry_out(parameters))


def carry_out(parameters: UpgradeParameters) -> str:
    """Do the whole upgrade, from wherever an earlier attempt has left it. Returns how it ended."""
    plan, planned = take_up(parameters)
    canary = build_canary(plan, parameters, planned)
    moved = move_waves(plan, parameters, canary)
    settled = make_default(plan, parameters, moved)
    if parameters.keep_old:
        return f"{plan.new_version} serves the mesh; revision {plan.old_revision} was kept"
    remove_old(plan, parameters, settled)
    return f"{plan.new_version} serves the mesh as revision {plan.new_revision}"


def take_up(parameters: UpgradeParameters) -> tuple[Plan, Steps]:
    """Go on with the unfinished run of these parameters, or plan and begin a new one."""
    if (over := joining.earlier_attempt()) is not None:
        raise concluding.ended_before(over)
    if (found := joining.unfinished(parameters)) is not None:
        joining.go_on_with(found)
        return journaling.plan(), []
    planned = preflight.submit(parameters, return_state=False)
    plan = planned.result()
    reporting.show_plan(plan)
    refuse_blocked(plan)
    joining.begin(plan, parameters)
    # As it was journaled: Prefect would draw an arrow to every task that gets a task's own result.
    return journaling.plan(), [planned]


def build_canary(plan: Plan, parameters: UpgradeParameters, after: Steps) -> Steps:
    """Install the new control plane beside the old one, and prove that it works."""
    asked = gate("start", plan, parameters, after=after)
    installed = install_canary.submit(plan, parameters, wait_for=asked, return_state=False)
    verified = verify_control_plane.submit(plan, wait_for=[installed], return_state=False)
    return finished(installed, verified)


def move_waves(plan: Plan, parameters: UpgradeParameters, after: Steps) -> Steps:
    """Move wave after wave, each behind its gate."""
    for wave in plan.waves:
        if is_moved(wave):
            continue
        obey_controls(parameters)
        if wave.number > 1:
            after = gate(f"wave-{wave.number}", plan, parameters, after=after)
        after = move_wave(wave, plan, parameters, after)
        reporting.show_progress(plan)
    return after


def move_wave(wave: Wave, plan: Plan, parameters: UpgradeParameters, after: Steps) -> Steps:
    """Move a wave's batches side by side and verify their proxies; if one fails, all go back."""
    attempt = Attempt(wave=wave, plan=plan, parameters=parameters)
    begin_wave(attempt)
    batches = [
        migrate_namespace_batch.submit(batch, plan, parameters, wait_for=after, return_state=False)
        for batch in wave.batches
    ]
    verified = verify_proxies.submit(wave, plan, parameters, wait_for=batches, return_state=False)
    finish_wave(attempt, batches, verified)
    return [verified]


def make_default(plan: Plan, parameters: UpgradeParameters, after: Steps) -> Steps:
    """Point the default and the tags to the new revision, and give namespaces their labels back."""
    obey_controls(parameters)
    asked = gate("default", plan, parameters, after=after)
    moved = move_default.submit(plan, parameters, wait_for=asked, return_state=False)
    settled = settle_labels.submit(plan, wait_for=[moved], return_state=False)
    return finished(moved, settled)


def remove_old(plan: Plan, parameters: UpgradeParameters, after: Steps) -> None:
    """Uninstall the old revision, once nothing uses it and people agree."""
    proved = prove_unused.submit(plan, parameters, wait_for=after, return_state=False)
    proved.result()
    asked = gate("uninstall", plan, parameters, after=[proved])
    uninstall_old.submit(plan, parameters, wait_for=asked, return_state=False).result()


def finished(*steps: PrefectFuture[Any]) -> Steps:
    """Wait for steps that follow one another. Raises what the first that failed has raised."""
    for step in steps:  # the later ones only say that they never began
        step.result()
    return steps[-1:]


def gate(name: str, plan: Plan, parameters: UpgradeParameters, *, after: Steps) -> Steps:
    """
    Wait for people's decision, if this is a gate, and while they hold the run.

    Returns what the next step comes after.
    """
    if name in plan.gates:
        asked = pause_for_approval.submit(
            name, plan, parameters, wait_for=after, return_state=False
        )
        asked.result()
        await_decision(name, parameters)
        after = [asked]
    obey_controls(parameters)
    return after
