"""
Whether a control plane can be trusted with proxies. Reads only; a dry-run makes no pod.

Asked whenever something is about to depend on it alone: before the first wave, before the default
moves to it, before the other control plane goes.
"""

from collections.abc import Callable
from datetime import timedelta

from tasks import wiring
from tasks.domain.errors import RefusedError, UnhealthyError
from tasks.domain.inventory import Inventory, Namespace
from tasks.domain.plan import injection_labels
from tasks.domain.revision import REVISION_LABEL

_PATIENCE = timedelta(seconds=90)
_TICK = timedelta(seconds=2)
_NOT_FOR_PODS = frozenset({"kube-system", "kube-public", "kube-node-lease"})


def prove(revision: str) -> None:
    """Return once a control plane is ready and injects. Raises UnhealthyError if it does not for 90 s."""
    if (found := _lasting(lambda: problem(revision))) is not None:
        raise UnhealthyError(f"revision {revision} is there but does not work: {found}")


def prove_ready(revision: str) -> None:
    """Return once a control plane is ready, whoever injects. Raises RefusedError if it is not for 90 s."""
    if (
        found := _lasting(lambda: _unready(wiring.services().cluster.read(), revision))
    ) is not None:
        raise RefusedError(
            f"revision {revision} does not work, so that nothing can go back to it: {found}; "
            "repair it, then roll back"
        )


def _lasting(look: Callable[[], str | None]) -> str | None:
    """Return what is wrong and does not pass, None as soon as nothing is."""
    services = wiring.services()
    deadline = services.clock.now() + _PATIENCE
    while (found := look()) is not None and services.clock.now() < deadline:
        services.keeper.check()
        services.clock.sleep(_TICK)
    return found


def problem(revision: str) -> str | None:
    """Say why a control plane cannot be trusted with a namespace now, None if it can."""
    inventory = wiring.services().cluster.read()
    if (unready := _unready(inventory, revision)) is not None:
        return unready
    hooks = [one for one in inventory.webhooks if one.revision == revision and one.tag is None]
    if not hooks or not all(hook.has_ca_bundle for hook in hooks):
        return "its webhooks have no CA bundle yet"
    return _injection_problem(inventory, revision)


def _unready(inventory: Inventory, revision: str) -> str | None:
    plane = inventory.control_plane(revision)
    if plane is None:
        return "its istiod Deployment is not there"
    if plane.is_healthy:
        return None
    ready = f"{plane.ready_replicas} of {plane.replicas} istiods are ready"
    return f"{ready}, its Service reaches {plane.ready_endpoints or 0}"


def _injection_problem(inventory: Inventory, revision: str) -> str | None:
    place = _unlabelled_namespace(inventory)
    if place is None:
        return None  # every namespace asks for some revision: proved for each when it is relabelled
    try:
        injected = wiring.services().admission.injected_by(
            place.name, labels={REVISION_LABEL: revision}
        )
    except RefusedError as error:
        return str(error)
    if injected == revision:
        return None
    return f"a dry-run pod in namespace {place.name} was injected by {injected or 'nobody'}"


def _unlabelled_namespace(inventory: Inventory) -> Namespace | None:
    """Return a namespace that asks for no revision, `default` rather than another; None if there is none."""
    free = [
        one
        for one in inventory.namespaces
        if not injection_labels(one.labels)
        and not one.is_terminating
        and one.name not in _NOT_FOR_PODS | {inventory.istio_namespace}
    ]
    return min(free, key=lambda one: (one.name != "default", one.name), default=None)
