"""The Lease: one holder, one process, whoever is faster."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from tasks.adapters.leases import KubernetesLeases
from tasks.domain.errors import TransientError
from tasks.domain.journal import Holding
from tests.unit.api_server import ApiServer, Refusal, Request, Stopped, connected, serving

PATH = "/apis/coordination.k8s.io/v1/namespaces/istio-system/leases/istio-canary"
START = datetime(2025, 11, 24, 10, 0, tzinfo=UTC)
HALF_A_MINUTE = timedelta(seconds=30)


class FixedClock:
    def __init__(self) -> None:
        self.time = START

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with serving() as running:
        yield running


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def leases(server: ApiServer, clock: FixedClock) -> Iterator[KubernetesLeases]:
    # Whatever the guard says: it is the Lease that it would ask about.
    with connected(server, guard=Stopped()) as api:
        yield KubernetesLeases(api, namespace="istio-system", now=clock)


def take(
    leases: KubernetesLeases, run: str, process: str = "p1", over: Holding | None = None
) -> bool:
    return leases.take(run=run, process=process, duration=HALF_A_MINUTE, over=over)


def test_nobody_holds_a_lease_that_is_not_there(leases: KubernetesLeases) -> None:
    assert leases.holding() is None


def test_the_first_run_makes_the_lease(server: ApiServer, leases: KubernetesLeases) -> None:
    assert take(leases, "a")

    held = leases.holding()
    assert held is not None
    assert (held.run, held.process, held.renewed_at) == ("a", "p1", START)
    assert held.duration_seconds == 30
    assert server.objects[PATH]["spec"] == {
        "holderIdentity": "a",
        "leaseDurationSeconds": 30,
        "acquireTime": "2025-11-24T10:00:00.000000Z",
        "renewTime": "2025-11-24T10:00:00.000000Z",
        "leaseTransitions": 0,
    }


def test_a_second_run_is_too_late(leases: KubernetesLeases) -> None:
    assert take(leases, "a")
    assert not take(leases, "b", "p2")


def test_a_lease_is_taken_over_as_it_was_seen(server: ApiServer, leases: KubernetesLeases) -> None:
    take(leases, "a")
    seen = leases.holding()

    assert take(leases, "b", "p2", over=seen)
    assert not take(leases, "c", "p3", over=seen)

    held = leases.holding()
    assert held is not None
    assert (held.run, held.process) == ("b", "p2")
    assert server.objects[PATH]["spec"]["leaseTransitions"] == 1


def test_taking_twice_is_taking_once(leases: KubernetesLeases) -> None:
    assert take(leases, "a")
    assert take(leases, "a")  # the first answer was lost


def test_a_lease_that_was_deleted_is_not_taken_over(
    server: ApiServer, leases: KubernetesLeases
) -> None:
    take(leases, "a")
    seen = leases.holding()
    del server.objects[PATH]

    assert not take(leases, "a", "p2", over=seen)


def test_of_two_that_take_it_at_once_one_wins(server: ApiServer, leases: KubernetesLeases) -> None:
    take(leases, "a")
    seen = leases.holding()
    together = threading.Barrier(8)

    def try_it(number: int) -> bool:
        together.wait()
        return take(leases, f"run-{number}", f"p{number}", over=seen)

    with ThreadPoolExecutor(8) as threads:
        won = list(threads.map(try_it, range(8)))

    assert won.count(True) == 1
    assert server.objects[PATH]["spec"]["holderIdentity"] == f"run-{won.index(True)}"


def test_of_two_that_make_it_at_once_one_wins(server: ApiServer, leases: KubernetesLeases) -> None:
    def too_late(_request: Request) -> dict[str, object]:
        raise Refusal(409, "AlreadyExists", "already exists")

    server.answer("POST", "/leases", too_late)

    assert not take(leases, "a")


def test_the_holder_renews(leases: KubernetesLeases, clock: FixedClock) -> None:
    take(leases, "a")
    clock.time += timedelta(seconds=10, microseconds=5)

    assert leases.renew(run="a", process="p1")

    held = leases.holding()
    assert held is not None
    assert held.renewed_at == clock.time


@pytest.mark.parametrize(("run", "process"), [("a", "p2"), ("b", "p1")])
def test_nobody_else_renews(
    server: ApiServer, leases: KubernetesLeases, run: str, process: str
) -> None:
    take(leases, "a")
    version = server.objects[PATH]["metadata"]["resourceVersion"]

    assert not leases.renew(run=run, process=process)
    assert server.objects[PATH]["metadata"]["resourceVersion"] == version


def test_a_lease_that_is_gone_cannot_be_renewed(leases: KubernetesLeases) -> None:
    assert not leases.renew(run="a", process="p1")


def test_a_renewal_looks_again_after_one_conflict(
    server: ApiServer, leases: KubernetesLeases
) -> None:
    take(leases, "a")
    conflicts = ConflictsThen(server, 1)
    server.answer("PUT", "/leases/istio-canary", conflicts)

    assert leases.renew(run="a", process="p1")
    assert conflicts.left == 0


def test_a_renewal_that_meets_two_conflicts_is_not_a_loss(
    server: ApiServer, leases: KubernetesLeases
) -> None:
    take(leases, "a")
    server.answer("PUT", "/leases/istio-canary", ConflictsThen(server, 2))

    with pytest.raises(TransientError, match="changed twice"):
        leases.renew(run="a", process="p1")


def test_a_parked_lease_keeps_its_run_and_loses_its_process(leases: KubernetesLeases) -> None:
    take(leases, "a")

    leases.park(run="a", process="p1")

    held = leases.holding()
    assert held is not None
    assert (held.run, held.process) == ("a", "")
    assert not leases.renew(run="a", process="p1")


def test_a_released_lease_is_free(leases: KubernetesLeases) -> None:
    take(leases, "a")

    leases.release(run="a", process="p1")

    held = leases.holding()
    assert held is not None
    assert (held.run, held.process) == ("", "")


def test_nobody_else_parks_or_releases(leases: KubernetesLeases) -> None:
    take(leases, "a")
    before = leases.holding()

    leases.park(run="a", process="p2")
    leases.release(run="b", process="p1")

    assert leases.holding() == before


class ConflictsThen:
    """Refuses as often as told, then does what is asked."""

    def __init__(self, server: ApiServer, times: int) -> None:
        self.left = times
        self._server = server

    def __call__(self, request: Request) -> dict[str, object]:
        if self.left:
            self.left -= 1
            raise Refusal(409, "Conflict", "the object has been modified")
        return self._server.put(request.path, request.body)
