"""Whether a control plane can be trusted: before the default moves, before the old one goes, and on the way back."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tasks import health, wiring
from tasks.domain.errors import RefusedError, UnhealthyError
from tasks.domain.inventory import Inventory, WorkloadRef
from tests.builders import NEW, OLD, inventory, istiod, moved_inventory, namespace, plane
from tests.fakes import FakeClock, FakeCluster, services, working


class Injector:
    """Injects by one revision, or refuses."""

    def __init__(self, revision: str | None = NEW, refusal: str = "") -> None:
        self.revision, self.refusal = revision, refusal

    def injected_by(
        self,
        namespace: str,
        *,
        template_of: WorkloadRef | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> str | None:
        if self.refusal:
            raise RefusedError(self.refusal)
        return self.revision

    def validates(self, namespace: str) -> None:
        raise AssertionError("nobody was to ask for it")


FREE = (namespace("default", labels={}),)
DEAD = plane(NEW, ready_replicas=0, pods=(istiod(NEW, ready=False),))


def world(
    *looks: Inventory, injector: Injector | None = None, clock: FakeClock | None = None
) -> wiring.Services:
    made = services(cluster=FakeCluster(*looks), clock=clock)
    return replace(made, admission=injector or Injector())


def mesh(**changes: object) -> Inventory:
    return moved_inventory(namespaces=FREE, **changes)


def test_a_canary_that_is_ready_and_injects_is_trusted_at_once() -> None:
    clock = FakeClock()
    with working(world(mesh(), clock=clock)):
        health.prove(NEW)
    assert not clock.waited


def test_a_canary_that_comes_back_soon_is_waited_for() -> None:
    clock = FakeClock()
    dead = mesh(control_planes=(plane(OLD), DEAD))
    with working(world(dead, dead, mesh(), clock=clock)):
        health.prove(NEW)
    assert 0 < clock.waited.total_seconds() < 90


@pytest.mark.parametrize(
    ("look", "injector", "why"),
    [
        pytest.param(
            mesh(control_planes=(plane(OLD),)), Injector(), "not there", id="it is not there"
        ),
        pytest.param(
            mesh(control_planes=(plane(OLD), DEAD)), Injector(), "0 of 1", id="it is not ready"
        ),
        pytest.param(mesh(webhooks=()), Injector(), "CA bundle", id="it has no webhooks"),
        pytest.param(mesh(), Injector(OLD), f"injected by {OLD}", id="another one injects"),
        pytest.param(mesh(), Injector(None), "injected by nobody", id="nobody injects"),
        pytest.param(mesh(), Injector(refusal="no endpoints"), "no endpoints", id="it is refused"),
    ],
)
def test_a_canary_that_does_not_work_is_never_trusted(
    look: Inventory, injector: Injector, why: str
) -> None:
    with working(world(look, injector=injector)), pytest.raises(UnhealthyError, match=why):
        health.prove(NEW)


def test_where_every_namespace_asks_for_a_revision_injection_is_proved_later() -> None:
    with working(world(moved_inventory(), injector=Injector(OLD))):
        health.prove(NEW)


def test_the_way_back_leads_only_to_a_control_plane_that_is_ready() -> None:
    with working(world(inventory())):
        health.prove_ready(OLD)
    gone = inventory(control_planes=(plane(NEW),))
    with working(world(gone)), pytest.raises(RefusedError, match="repair it, then roll back"):
        health.prove_ready(OLD)
