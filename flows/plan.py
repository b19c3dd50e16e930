"""What an upgrade would do, and what stands against it. Changes nothing."""

from prefect import flow
from prefect.client.schemas.objects import State

from tasks import concluding, reporting, wiring
from tasks.domain import report
from tasks.domain.ending import outcome_of
from tasks.domain.errors import UpgradeError
from tasks.domain.parameters import UpgradeParameters
from tasks.preflight import preflight
from tasks.settings import Settings


@flow(name="plan", flow_run_name="plan to {parameters.to}", validate_parameters=True)
def plan(parameters: UpgradeParameters) -> State[None]:
    """Draw up the plan of an upgrade, and publish it with its findings."""
    with wiring.connected(parameters.cluster, Settings.read()):
        try:
            drawn = preflight.submit(parameters, return_state=False).result()
        except UpgradeError as error:
            outcome = outcome_of(error, has_changed_something=False)
            return concluding.state_of(outcome, str(error))
        reporting.show_plan(drawn)
        found = report.plan_report(drawn)
        text = "\n".join([found.text, *report.plan_lines(drawn)])
        return concluding.state_of(found.outcome, text)
