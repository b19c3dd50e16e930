"""Installing the canary, proving that it works, and removing the old control plane."""

from collections.abc import Callable
from datetime import timedelta

from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks import health, removal, wiring
from tasks.domain.ending import RunEndedError
from tasks.domain.errors import RefusedError, TransientError
from tasks.domain.journal import Installed, Outcome, Snapshotted, Uninstalling
from tasks.domain.parameters import UpgradeParameters
from tasks.domain.plan import Plan
from tasks.domain.removal import refusals
from tasks.journaling import note, now, record, say
from tasks.retrying import PATIENTLY, when_transient


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
    health.prove(plan.new_revision)
    say(f"revision {plan.new_revision} is ready and injects")


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
    if started is not None and started.done:
        return
    if started is None or _is_there(plan.old_revision):
        # Once more, for a gate may have been open, or the run been dead, for a week.
        health.prove(plan.new_revision)
        removal.await_unused(plan.old_revision, parameters)
    uninstall(plan.old_revision, parameters, begin=lambda: _begin(plan))
    _prove_mesh_works(plan)
    note(Uninstalling(at=now(), revision=plan.old_revision, done=True))
    say(f"revision {plan.old_revision} is gone")


def _is_there(revision: str) -> bool:
    planes = wiring.services().cluster.control_planes()
    return any(plane.revision == revision for plane in planes)


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
