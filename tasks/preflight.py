"""Reading the cluster, checking it, and drawing up the plan. Changes nothing."""

import msgspec
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks import reading, wiring
from tasks.domain import runs
from tasks.domain.checks import Situation, check
from tasks.domain.drafting import Draft, draft, select_old
from tasks.domain.ending import RunEndedError
from tasks.domain.errors import BadInputError
from tasks.domain.findings import Finding, blocking
from tasks.domain.inventory import Inventory
from tasks.domain.journal import Outcome
from tasks.domain.parameters import UpgradeParameters
from tasks.domain.permissions import needed
from tasks.domain.plan import Install, Plan
from tasks.domain.rendering import Rendered
from tasks.retrying import PATIENTLY, when_transient


@task(
    task_run_name="read the cluster and plan the upgrade to {parameters.to}",
    retries=len(PATIENTLY),
    retry_delay_seconds=PATIENTLY,
    retry_condition_fn=when_transient,
    cache_policy=NO_CACHE,
)
def preflight(parameters: UpgradeParameters) -> Plan:
    """Draw up the plan. Safe to repeat: it only reads."""
    return draw_up(parameters)


def draw_up(parameters: UpgradeParameters) -> Plan:
    """
    Return the plan with its findings, blocking ones included.

    Raises BadInputError for parameters that do not fit the cluster, RunEndedError when there is nothing to do.
    """
    services = wiring.services()
    inventory = services.cluster.read()
    old = select_old(inventory, parameters)
    if old is None:
        raise _nothing_to_do(inventory, parameters)
    program = services.istioctl(list(parameters.istioctl), parameters.version)
    request = parameters.install_request()
    rendered = program.render(request)
    earlier = runs.predecessor(services.records.runs(), inventory, parameters.canary)
    given = Draft(
        inventory=inventory,
        parameters=parameters,
        old=old,
        install=Install(
            request=request,
            istioctl=program.version,
            manifest_sha256=rendered.sha256,
            is_adopted=earlier is not None,
        ),
        carried=runs.carried_labels(earlier, inventory, parameters.canary),
    )
    plan = draft(given)
    if not _changes_anything(plan, inventory):
        raise RunEndedError(
            Outcome.NOTHING_TO_DO,
            f"everything is on {parameters.to} (revision {parameters.canary}) already",
        )
    findings = _findings(given, plan, rendered)
    return msgspec.structs.replace(plan, findings=findings)


def _findings(given: Draft, plan: Plan, rendered: Rendered) -> tuple[Finding, ...]:
    inventory = given.inventory
    permissions = needed(plan, rendered, istio_namespace=inventory.istio_namespace)
    return check(
        Situation(
            inventory=inventory,
            old=given.old,
            canary=given.canary,
            target=given.parameters.version,
            istioctl=given.install.istioctl,
            rendered=rendered,
            reports=reading.reports(inventory.control_planes),
            denied=tuple(wiring.services().access.denied(permissions)),
            adopted=given.install.is_adopted,
            moves_tags=plan.tags,
        )
    )


def _changes_anything(plan: Plan, inventory: Inventory) -> bool:
    if inventory.control_plane(plan.new_revision) is None:
        return True
    return bool(plan.waves or plan.tags or plan.settle_only or plan.removes_old)


def _nothing_to_do(inventory: Inventory, parameters: UpgradeParameters) -> Exception:
    plane = inventory.control_plane(parameters.canary)
    version = plane.version if plane else None
    if version != parameters.to:
        return BadInputError(
            f"revision {parameters.canary} exists and runs {version or 'an unknown version'}, not {parameters.to}; "
            "name the canary otherwise with --revision"
        )
    return RunEndedError(
        Outcome.NOTHING_TO_DO,
        f"{parameters.to} is the only Istio here (revision {parameters.canary}); nothing to do",
    )


def refuse_blocked(plan: Plan) -> None:
    """Raise if a finding stops the run: BadInputError for a name that is taken, else RunEndedError."""
    found = blocking(plan.findings, overridden=plan.overrides)
    if not found:
        return
    if taken := next((one for one in found if one.code == "revision-taken"), None):
        raise BadInputError(f"{taken.fact} {taken.todo}")
    first, more = found[0], len(found) - 1
    raise RunEndedError(
        Outcome.BLOCKED,
        f"{first.fact}" + (f" (and {more} more)" if more else ""),
        tuple(f"{one.name}: {one.fact} {one.todo}" for one in found),
    )
