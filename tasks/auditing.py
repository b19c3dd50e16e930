"""Reading who is where. Changes nothing."""

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks import reading, wiring
from tasks.domain.documents import AuditReport
from tasks.domain.report import audit_report
from tasks.retrying import PATIENTLY, when_transient


@task(
    task_run_name="read who is where",
    retries=len(PATIENTLY),
    retry_delay_seconds=PATIENTLY,
    retry_condition_fn=when_transient,
    cache_policy=NO_CACHE,
)
def take_stock() -> AuditReport:
    """Return who is where. Safe to repeat: it only reads."""
    return audited()


def audited() -> AuditReport:
    """Return who is where, read now."""
    inventory = wiring.services().cluster.read()
    return audit_report(inventory, reading.reports(inventory.control_planes))
