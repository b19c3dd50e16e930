"""Installing the canary, proving that it works, and removing the old control plane."""

from collections.abc import Callable
from datetime import timedelta

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks import removal, wiring
from tasks.domain.ending import RunEndedError
from tasks.domain.errors import RefusedError, TransientError, UnhealthyError
from tasks.domain.inventory import Inventory, Namespace
from tasks.domain.journal import Installed, Outcome, Snapshotted, Uninstalling
from tasks.domain.parameters import UpgradeParameters
from tasks.domain.plan import Plan, injection_labels
from tasks.domain.removal import refusals
from tasks.domain.revision import REVISION_LABEL
from tasks.journaling import note, now, record, say
from tasks.retrying import PATIENTLY, when_transient

_TICK = timedelta(seconds=2)


@task(
    task_run_name="install canary {plan.new_revision} ({plan.new_version})",
    retries=len(PATIENTLY),
    retry_delay_seconds=PATIENTLY,
    retry_condition_fn=when_transient,
    cache_policy=NO_CACHE,
)
def install_canary(plan: Plan, parameters: UpgradeParameters) -> None:
    """Install the new control plane beside the old one. Safe to repeat: istioctl applies the same objects again."""
    services = wiring.services()
    if any(entry.done for entry in record().of(Installed)):
        return
    program = services.istioctl(list(parameters.istioctl), parameters.version)
    _prove_same_manifest(plan, program.render(plan.install.request).sha256)
    if not record().snapshots:
        # Before the install: the first one of a cluster without a default tag makes that tag as well.
        note(Snapshotted(at=now(), objects=tuple(services.webhooks.snapshot(plan.old_revision))))
    note(Installed(at=now(), revision=plan.new_revision, done=False))
    say(f"installing {plan.new_version} as revision {plan.new_revision}")
    program.install(
        plan.install.request,
        guard=services.keeper,
        timeout=timedelta(seconds=parameters.timeouts.install_seconds),
    )
    note(Installed(at=now(), revision=plan.new_revision, done=True))


def _prove_same_manifest(plan: Plan, sha256: str) -> None:
    if sha256 != plan.install.manifest_sha256:
        raise RefusedError(
            "istioctl would install something else than what was planned and approved (another manifest digest); "
            f"use the istioctl {plan.install.istioctl} that the plan was made with, or begin a new run"
        )


@task(
    task_run_name="verify control plane {plan.new_revision}",
    retries=len(PATIENTLY),
    retry_delay_seconds=PATIENTLY,
    retry_condition_fn=when_transient,
    cache_policy=NO_CACHE,
)
def verify_control_plane(plan: Plan) -> None:
    """Prove that the canary is ready and injects. Safe to repeat: a dry-run makes no pod."""
    services = wiring.services()
    deadline = services.clock.now() + timedelta(seconds=90)
    while (problem := _problem(plan)) is not None:
        if services.clock.now() >= deadline:
            raise UnhealthyError(
                f"revision {plan.new_revision} was installed but does not work: {problem}"
            )
        services.clock.sleep(_TICK)
    say(f"revision {plan.new_revision} is ready and injects")


def _problem(plan: Plan) -> str | None:
    """Say why the canary cannot be trusted with a namespace yet, None if it can."""
    inventory = wiring.services().cluster.read()
    plane = inventory.control_plane(plan.new_revision)
    if plane is None:
        return "its istiod Deployment is not there"
    if not plane.is_healthy:
        ready = f"{plane.ready_replicas} of {plane.replicas} istiods are ready"
        return f"{ready}, its Service reaches {plane.ready_endpoints or 0}"
    hooks = [
        one for one in inventory.webhooks if one.revision == plan.new_revision and one.tag is None
    ]
    if not hooks or not all(hook.has_ca_bundle for hook in hooks):
        return "its webhooks have no CA bundle yet"
    return _injection_problem(inventory, plan.new_revision)


def _injection_problem(inventory: Inventory, revision: str) -> str | None:
    place = unlabelled_namespace(inventory)
    if place is None:
        return None  # every namespace asks for some revision: proved for each when it is relabelled
    try:
        injected = wiring.services().admission.injected_by(
            place.name, labels={REVISION_LABEL: revision}
        )
    except RefusedError as error:
        return str(error)
    return (
        None
        if injected == revision
        else f"a dry-run pod in namespace {place.name} was injected by {injected or 'nobody'}"
    )


def unlabelled_namespace(inventory: Inventory) -> Namespace | None:
    """Return a namespace that asks for no revision, `default` rather than another; None if there is none."""
    free = [
        one
        for one in inventory.namespaces
        if not injection_labels(one.labels)
        and not one.is_terminating
        and one.name
        not in {"kube-system", "kube-public", "kube-node-lease", inventory.istio_namespace}
    ]
    return min(free, key=lambda one: (one.name != "default", one.name), default=None)


@task(
    task_run_name="uninstall {plan.old_revision} ({plan.old_version})",
    retries=len(PATIENTLY),
    retry_delay_seconds=PATIENTLY,
    retry_condition_fn=when_transient,
    cache_policy=NO_CACHE,
)
def uninstall_old(plan: Plan, parameters: UpgradeParameters) -> None:
    """Remove the old control plane, when nothing uses it. Safe to repeat."""
    started = record().last(Uninstalling)
    if started is None:
        # Once more, for a gate may have been open for a week.
        removal.prove_unused_now(plan.old_revision)
    elif started.done:
        return
    uninstall(plan.old_revision, parameters, begin=lambda: _begin(plan))
    _prove_mesh_works(plan)
    note(Uninstalling(at=now(), revision=plan.old_revision, done=True))
    say(f"revision {plan.old_revision} is gone")


def _begin(plan: Plan) -> None:
    if record().last(Uninstalling) is None:
        note(Uninstalling(at=now(), revision=plan.old_revision, done=False))


def uninstall(revision: str, parameters: UpgradeParameters, *, begin: Callable[[], None]) -> None:
    """Remove one revision's control plane and what istioctl leaves behind, and prove that it is gone."""
    services = wiring.services()
    program = services.istioctl(list(parameters.istioctl), parameters.version)
    limit = timedelta(seconds=parameters.timeouts.uninstall_seconds)
    namespace = parameters.cluster.istio_namespace
    listed = program.list_removed(revision, namespace=namespace, timeout=limit)
    if wrong := refusals(listed, revision=revision, namespace=namespace):
        raise RunEndedError(
            Outcome.STOPPED,
            f"uninstalling revision {revision} would also remove {', '.join(wrong)}",
            tuple(
                f"{one}: point it to another revision or take its labels off, then run again"
                for one in wrong
            ),
        )
    begin()
    if listed:
        say(f"uninstalling revision {revision}")
        program.uninstall(revision, namespace=namespace, guard=services.keeper, timeout=limit)
    _wait_until_gone(revision, limit)
    services.webhooks.delete_leases(revision)


def _wait_until_gone(revision: str, limit: timedelta) -> None:
    services = wiring.services()
    deadline = services.clock.now() + limit
    while True:
        planes = [one.revision for one in services.cluster.control_planes()]
        left = tuple(services.webhooks.leftovers(revision))
        if revision not in planes and not left:
            return
        if services.clock.now() >= deadline:
            raise RunEndedError(
                Outcome.STOPPED,
                f"istioctl has uninstalled revision {revision}, but it is not all gone",
                tuple(f"{one} is left: look why, then delete it" for one in left)
                or (f"the istiod of {revision} is still there",),
            )
        services.keeper.check()
        services.clock.sleep(timedelta(seconds=1))


def _prove_mesh_works(plan: Plan) -> None:
    """Prove that nothing was left pointing to what is gone: Istio's validation answers."""
    services = wiring.services()
    try:
        services.admission.validates(plan.namespaces[0].name if plan.namespaces else "default")
    except RefusedError as error:
        raise TransientError(
            f"after the uninstall Istio's validation does not answer: {error}"
        ) from error
