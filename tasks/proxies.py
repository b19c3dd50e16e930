"""Verifying that moved proxies have arrived. Reads only."""

from collections.abc import Collection, Sequence
from datetime import timedelta

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks import reading, reporting, wiring
from tasks.domain.errors import UnhealthyError
from tasks.domain.inventory import IstiodReport, Pod, WorkloadRef
from tasks.domain.parameters import UpgradeParameters
from tasks.domain.plan import NamespaceMove, Plan, Wave
from tasks.domain.verification import Verification, verify
from tasks.journaling import record, say
from tasks.retrying import PATIENTLY, when_transient

_TICK = timedelta(seconds=1)


@task(
    task_run_name="wave {wave.number}: verify proxies on {plan.new_revision}",
    retries=len(PATIENTLY),
    retry_delay_seconds=PATIENTLY,
    retry_condition_fn=when_transient,
    cache_policy=NO_CACHE,
)
def verify_proxies(wave: Wave, plan: Plan, parameters: UpgradeParameters) -> None:
    """Wait until every moved proxy is in sync with a new istiod. Raises UnhealthyError naming those that are not."""
    seen = await_arrival(wave.namespaces, plan.new_revision, parameters)
    reporting.show_proxies(wave, seen)
    say(
        f"wave {wave.number}: {seen.arrived} proxies are on {plan.new_revision} and in sync",
        wave=wave.number,
    )


def await_arrival(
    moves: Sequence[NamespaceMove], revision: str, parameters: UpgradeParameters
) -> Verification:
    """Return once all moved pods' proxies have arrived at a revision. Raises UnhealthyError at the deadline."""
    services = wiring.services()
    deadline = services.clock.now() + timedelta(seconds=parameters.timeouts.proxies_seconds)
    namespaces = {move.name for move in moves}
    workloads = {one.ref for move in moves for one in move.workloads}
    if not workloads:
        return Verification(arrived=0)
    with services.cluster.watching(namespaces) as state:
        while True:
            seen = verify(_target_pods(state.pods, workloads), _reports(), revision=revision)
            if seen.is_complete:
                return seen
            if services.clock.now() >= deadline:
                raise UnhealthyError(_missing(seen, revision))
            services.keeper.check()
            services.clock.sleep(_TICK)


def _reports() -> tuple[IstiodReport, ...]:
    return reading.reports(wiring.services().cluster.control_planes())


def _target_pods(pods: Sequence[Pod], workloads: Collection[WorkloadRef]) -> list[Pod]:
    """Return the pods to verify: not those that are not ready and belong to a workload that was not, before."""
    ready_before = record().ready_before
    return [
        pod
        for pod in pods
        if pod.workload is not None
        and pod.workload in workloads
        and (pod.is_ready or ready_before.get(pod.workload, 1) > 0)
    ]


def _missing(seen: Verification, revision: str) -> str:
    first, more = seen.problems[0], len(seen.problems) - 1
    return f"{first.pod} {first.why}" + (
        f", and {more} more have not arrived on {revision}" if more else ""
    )
