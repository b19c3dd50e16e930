"""Verifying that moved proxies have arrived. Reads only."""

from collections.abc import Collection
from datetime import timedelta

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks import reading, reporting, wiring
from tasks.domain.errors import UnhealthyError
from tasks.domain.inventory import IstiodReport
from tasks.domain.parameters import UpgradeParameters
from tasks.domain.plan import Plan, Wave
from tasks.domain.verification import Verification, to_verify, verify
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
    names = [move.name for move in wave.namespaces]
    seen = await_arrival(names, plan.new_revision, parameters)
    reporting.show_proxies(wave, seen)
    say(
        f"wave {wave.number}: {seen.arrived} proxies are on {plan.new_revision} and in sync",
        wave=wave.number,
    )


def await_arrival(
    names: Collection[str], revision: str, parameters: UpgradeParameters
) -> Verification:
    """
    Return once the proxies of all workloads that were begun in these namespaces have arrived at a revision.

    Raises UnhealthyError at the deadline.
    """
    services = wiring.services()
    deadline = services.clock.now() + timedelta(seconds=parameters.timeouts.proxies_seconds)
    journal = record()
    places = set(names)
    ready_before = {
        ref: number for ref, number in journal.ready_before.items() if ref.namespace in places
    }
    if not ready_before:
        return Verification(arrived=0)
    with services.cluster.watching({ref.namespace for ref in ready_before}) as state:
        while True:
            pods = to_verify(
                state.pods,
                state.workloads,
                revision=revision,
                ready_before=ready_before,
                left_behind=journal.left_behind,
            )
            seen = verify(pods, _reports(), revision=revision)
            if seen.is_complete:
                return seen
            if services.clock.now() >= deadline:
                raise UnhealthyError(_missing(seen, revision))
            services.keeper.check()
            services.clock.sleep(_TICK)


def _reports() -> tuple[IstiodReport, ...]:
    return reading.reports(wiring.services().cluster.control_planes())


def _missing(seen: Verification, revision: str) -> str:
    first, more = seen.problems[0], len(seen.problems) - 1
    return f"{first.pod} {first.why}" + (
        f", and {more} more have not arrived on {revision}" if more else ""
    )
