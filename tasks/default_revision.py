"""Moving the default revision and the tags to the new revision, and putting them back."""

from datetime import timedelta

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks import health, wiring
from tasks.domain.errors import UnhealthyError
from tasks.domain.inventory import Inventory, WebhookKind
from tasks.domain.journal import Repointed
from tasks.domain.parameters import UpgradeParameters
from tasks.domain.plan import Plan
from tasks.domain.revision import DEFAULT
from tasks.journaling import note, now, record, say
from tasks.retrying import PATIENTLY, when_transient

_DEADLINE = timedelta(seconds=60)
_TICK = timedelta(seconds=2)


@task(
    task_run_name="move tags to {plan.new_revision}",
    retries=len(PATIENTLY),
    retry_delay_seconds=PATIENTLY,
    retry_condition_fn=when_transient,
    cache_policy=NO_CACHE,
)
def move_default(plan: Plan, parameters: UpgradeParameters) -> None:
    """Point the default and the other tags to the new revision, and prove that they do. Safe to repeat."""
    services = wiring.services()
    pointing = {tag.name: tag.revision for tag in services.cluster.read().tags}
    program = services.istioctl(list(parameters.istioctl), parameters.version)
    waiting = [tag for tag in plan.tags if pointing.get(tag) != plan.new_revision]
    if waiting:
        # The canary was proved before the first wave; the gate in between may have been open for days.
        health.prove(plan.new_revision)
    if record().last(Repointed) is None:
        note(Repointed(at=now(), tags=plan.tags))
    for tag in waiting:
        program.set_tag(
            tag,
            revision=plan.new_revision,
            namespace=parameters.cluster.istio_namespace,
            guard=services.keeper,
            timeout=timedelta(seconds=parameters.timeouts.uninstall_seconds),
        )
    _prove(plan)
    if plan.tags:
        say(f"tags {', '.join(plan.tags)} point to {plan.new_revision}")


def _prove(plan: Plan) -> None:
    """Read back where tags and the validator really point: by the Service that they call, not by labels."""
    services = wiring.services()
    deadline = services.clock.now() + _DEADLINE
    while (problem := _problem(services.cluster.read(), plan)) is not None:
        if services.clock.now() >= deadline:
            raise UnhealthyError(problem)
        services.keeper.check()
        services.clock.sleep(_TICK)


def _problem(inventory: Inventory, plan: Plan) -> str | None:
    plane = inventory.control_plane(plan.new_revision)
    if plane is None:
        return f"revision {plan.new_revision} is not there"
    service = f"{plane.namespace}/{plane.service}"
    for name in plan.tags:
        tag = next((one for one in inventory.tags if one.name == name), None)
        if tag is None or tag.revision != plan.new_revision or tag.service != service:
            where = f"{tag.revision} by {tag.service}" if tag else "nothing"
            return f"tag {name} points to {where}, not to {plan.new_revision} by {service}"
    if DEFAULT in plan.tags:
        for hook in inventory.webhooks:
            is_default = hook.kind is WebhookKind.VALIDATING and hook.name.startswith(
                "istiod-default-validator"
            )
            if is_default and hook.services != (service,):
                return f"{hook.name} calls {', '.join(hook.services)}, not {service}"
    return None


def put_back() -> None:
    """Restore the default, tags and webhooks as the journal has them; the canary may be dead."""
    snapshots = record().snapshots
    if snapshots:  # even before tags were moved: an install makes the default tag if there is none
        wiring.services().webhooks.restore(snapshots)
        say("the default revision, tags and webhooks are as before")
