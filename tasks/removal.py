"""Proving that nothing uses a revision any more. Reads only."""

from collections.abc import Sequence
from datetime import timedelta

import msgspec
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks import reading, wiring
from tasks.domain.ending import RunEndedError
from tasks.domain.inventory import ControlPlane
from tasks.domain.journal import Outcome
from tasks.domain.parameters import UpgradeParameters
from tasks.domain.plan import Plan
from tasks.domain.removal import Use, uses
from tasks.journaling import log, say
from tasks.retrying import PATIENTLY, when_transient

_TICK = timedelta(seconds=2)
# What is plainly in use and does not change for so long will not go by itself.
_UNCHANGED = timedelta(seconds=60)


@task(
    task_run_name="prove that nothing uses {plan.old_revision}",
    retries=len(PATIENTLY),
    retry_delay_seconds=PATIENTLY,
    retry_condition_fn=when_transient,
    cache_policy=NO_CACHE,
)
def prove_unused(plan: Plan, parameters: UpgradeParameters) -> None:
    """Look twice, a quiet period apart. Raises RunEndedError naming what still uses the old revision."""
    await_unused(plan.old_revision, parameters)
    if parameters.quiet_period:
        log(
            f"nothing uses {plan.old_revision}; looking again after {parameters.quiet_period.total_seconds():g} s"
        )
        _rest(parameters.quiet_period)
        await_unused(plan.old_revision, parameters)
    say(f"nothing uses revision {plan.old_revision} any more")


def await_unused(
    revision: str, parameters: UpgradeParameters, *, may_be_dead: bool = False
) -> None:
    """
    Look until nothing uses the revision, as long as waiting can help.

    With `may_be_dead` an istiod that is not ready need not say which proxies it has: for a canary
    whose every pod was moved away and verified elsewhere.
    """
    services = wiring.services()
    begun = changed = services.clock.now()
    last: tuple[Use, ...] = ()
    while found := look(revision, may_be_dead=may_be_dead):
        now = services.clock.now()
        if found != last:
            last, changed = found, now
        is_stuck = any(not use.is_unknown for use in found) and now - changed >= _UNCHANGED
        if is_stuck or now - begun >= timedelta(seconds=parameters.timeouts.removal_seconds):
            raise _in_use(revision, found)
        _rest(_TICK)


def look(revision: str, *, may_be_dead: bool = False) -> tuple[Use, ...]:
    """Return what uses a revision now, as far as pods, istiods, labels and webhooks tell."""
    inventory = wiring.services().cluster.read()
    if may_be_dead:
        planes = tuple(_living(plane) for plane in inventory.control_planes)
        inventory = msgspec.structs.replace(inventory, control_planes=planes)
    planes = tuple(one for one in inventory.control_planes if one.revision == revision)
    return uses(revision, inventory=inventory, reports=reading.reports(planes))


def _living(plane: ControlPlane) -> ControlPlane:
    """Return a control plane with only those pods that a proxy could be connected to."""
    ready = tuple(pod for pod in plane.pods if pod.ready)
    return msgspec.structs.replace(plane, pods=ready, replicas=len(ready))


def _rest(duration: timedelta) -> None:
    services = wiring.services()
    services.keeper.check()
    services.clock.sleep(duration)
    services.keeper.check()


def _in_use(revision: str, found: Sequence[Use]) -> RunEndedError:
    first, more = found[0], len(found) - 1
    return RunEndedError(
        Outcome.STOPPED,
        f"revision {revision} stays: {first.what}" + (f" (and {more} more)" if more else ""),
        tuple(f"{use.what}: {use.todo}" for use in found),
    )
