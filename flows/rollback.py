"""The way back, at any point before the old revision's uninstall."""

from prefect import flow
from prefect.client.schemas.objects import State

from tasks import concluding, wiring
from tasks.domain.ending import RunEndedError
from tasks.domain.journal import Outcome
from tasks.domain.parameters import RollbackParameters
from tasks.rollback import move_namespaces_back, put_default_back, take_up, uninstall_canary
from tasks.settings import Settings


@flow(name="rollback", flow_run_name="rollback", validate_parameters=True)
def rollback(parameters: RollbackParameters) -> State[None]:
    """Undo a run: labels, workloads, default and tags as before, and the canary gone."""
    with wiring.connected(parameters.cluster, Settings.read()):
        return concluding.conclude(lambda: carry_out(parameters))


def carry_out(parameters: RollbackParameters) -> str:
    """Undo the whole run, from wherever it or an earlier attempt has left it."""
    plan, asked = take_up(parameters)
    back = put_default_back.submit(plan)
    moved = move_namespaces_back.submit(plan, asked, wait_for=[back], return_state=False)
    removed = uninstall_canary.submit(plan, asked, wait_for=[moved], return_state=False)
    for step in (back, moved, removed):
        step.result()
    raise RunEndedError(Outcome.ROLLED_BACK, f"everything is on {plan.old_revision} again")
