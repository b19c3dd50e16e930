"""Who is where: control planes, namespaces and proxies by revision. Changes nothing."""

from prefect import flow

from tasks import reporting, wiring
from tasks.auditing import take_stock
from tasks.domain.parameters import ClusterAccess
from tasks.settings import Settings


@flow(name="audit", flow_run_name="audit", validate_parameters=True)
def audit(cluster: ClusterAccess | None = None) -> None:
    """Publish which revision serves which namespaces and proxies."""
    with wiring.connected(cluster or ClusterAccess(), Settings.read()):
        reporting.show_audit(take_stock.submit().result())
