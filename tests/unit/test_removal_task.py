"""The last look before a revision goes: what is waited for, how long, and what ends the run."""

from typing import Final

import pytest

from tasks.domain.ending import RunEndedError
from tasks.domain.errors import LeaseLostError, StopRequested, TransientError
from tasks.domain.inventory import Inventory
from tasks.domain.journal import Outcome, Step
from tasks.removal import await_unused, prove_unused
from tests.builders import OLD, RUN, istiod, moved_inventory, namespace, plane, pod
from tests.fakes import FakeClock, FakeCluster, FakeIstiods, FakeRecords, services, working
from tests.unit.plan_cases import asked, plan

IN_USE: Final = moved_inventory(pods=(pod("cart-1"),))
LEAVING: Final = moved_inventory(pods=(pod("cart-1", is_terminating=True),))
UNUSED: Final = moved_inventory(namespaces=(namespace(),))
USE: Final = f"pod shop/cart-1 has a proxy of revision {OLD}"


def with_istiod(*, ready: bool) -> Inventory:
    """Build a mesh whose old revision is unused, with its one istiod ready or not."""
    old = plane(OLD, ready_replicas=int(ready), pods=(istiod(OLD, ready=ready),))
    return moved_inventory(control_planes=(old,))


def mute() -> FakeIstiods:
    return FakeIstiods(mute={istiod(OLD).name})


def seconds(clock: FakeClock) -> float:
    return clock.waited.total_seconds()


# ---------------------------------------------------------------- waiting


def test_a_revision_that_nothing_uses_is_not_waited_for() -> None:
    clock, cluster = FakeClock(), FakeCluster(UNUSED)
    with working(services(cluster=cluster, clock=clock)):
        await_unused(OLD, asked())

    assert cluster.reads == 1
    assert not clock.waited


def test_a_use_that_goes_by_itself_soon_is_waited_for() -> None:
    clock, cluster = FakeClock(), FakeCluster(IN_USE, IN_USE, UNUSED)
    with working(services(cluster=cluster, clock=clock)):
        await_unused(OLD, asked())

    assert cluster.reads == 3
    assert seconds(clock) == 4


def test_a_use_that_does_not_change_ends_the_run_and_is_named() -> None:
    clock = FakeClock()
    with (
        working(services(cluster=FakeCluster(IN_USE), clock=clock)),
        pytest.raises(RunEndedError) as ended,
    ):
        await_unused(OLD, asked(timeouts={"removal_seconds": 600}))

    assert ended.value.outcome is Outcome.STOPPED
    assert str(ended.value) == f"revision {OLD} stays: {USE}"
    assert ended.value.todo == (f"{USE}: restart it, or delete it if nothing recreates it",)
    assert seconds(clock) == 60


def test_of_several_uses_the_first_is_named_and_the_others_are_counted_and_listed() -> None:
    several = moved_inventory(pods=(pod("cart-1"), pod("till-1"), pod("till-2")))
    with (
        working(services(cluster=FakeCluster(several))),
        pytest.raises(RunEndedError, match=r"shop/cart-1 .* \(and 2 more\)$") as ended,
    ):
        await_unused(OLD, asked())

    assert [one.split()[1] for one in ended.value.todo] == [
        "shop/cart-1",
        "shop/till-1",
        "shop/till-2",
    ]


def test_uses_that_keep_changing_are_waited_for_until_the_timeout() -> None:
    clock = FakeClock()
    looks = [moved_inventory(pods=(pod(f"cart-{number}"),)) for number in range(100)]
    with (
        working(services(cluster=FakeCluster(*looks), clock=clock)),
        pytest.raises(RunEndedError, match="shop/cart-30 "),
    ):
        await_unused(OLD, asked(timeouts={"removal_seconds": 60}))

    assert seconds(clock) == 60


def test_a_pod_that_is_terminating_is_waited_for_though_it_does_not_change() -> None:
    clock = FakeClock()
    looks = [LEAVING] * 30 + [UNUSED]
    with working(services(cluster=FakeCluster(*looks), clock=clock)):
        await_unused(OLD, asked(timeouts={"removal_seconds": 100}))

    assert seconds(clock) == 60


def test_what_stays_unknown_ends_the_run_at_the_timeout() -> None:
    clock = FakeClock()
    with (
        working(services(cluster=FakeCluster(LEAVING), clock=clock)),
        pytest.raises(RunEndedError, match="terminating") as ended,
    ):
        await_unused(OLD, asked(timeouts={"removal_seconds": 100}))

    assert ended.value.outcome is Outcome.STOPPED
    assert seconds(clock) == 100


def test_a_proxy_that_only_an_istiod_knows_of_keeps_the_revision() -> None:
    istiods = FakeIstiods({istiod(OLD).name: ["vm-1.bank"]})
    with (
        working(services(cluster=FakeCluster(UNUSED), istiods=istiods)),
        pytest.raises(RunEndedError, match=r"proxy vm-1\.bank is connected"),
    ):
        await_unused(OLD, asked())


def test_a_request_to_stop_ends_the_wait() -> None:
    clock = FakeClock()
    with working(services(cluster=FakeCluster(IN_USE), clock=clock)) as chosen:
        clock.meanwhile = chosen.keeper.request_stop
        with pytest.raises(StopRequested):
            await_unused(OLD, asked())

    assert seconds(clock) == 2


def test_nobody_waits_without_the_lease() -> None:
    clock = FakeClock()
    with working(services(cluster=FakeCluster(IN_USE), clock=clock)) as chosen:
        chosen.keeper.park()
        with pytest.raises(LeaseLostError):
            await_unused(OLD, asked())

    assert not clock.waited


def test_a_cluster_that_does_not_answer_proves_nothing() -> None:
    cluster = FakeCluster(TransientError("no answer"))
    with working(services(cluster=cluster)), pytest.raises(TransientError):
        await_unused(OLD, asked())


# ---------------------------------------------------------------- istiods that may be dead


def test_an_istiod_that_is_not_ready_has_to_answer_for_its_proxies() -> None:
    cluster = FakeCluster(with_istiod(ready=False))
    with (
        working(services(cluster=cluster, istiods=mute())),
        pytest.raises(RunEndedError, match="did not say which proxies use it: no answer in 5 s"),
    ):
        await_unused(OLD, asked())


def test_an_istiod_that_may_be_dead_and_is_not_ready_is_not_asked() -> None:
    clock, cluster = FakeClock(), FakeCluster(with_istiod(ready=False))
    with working(services(cluster=cluster, istiods=mute(), clock=clock)):
        await_unused(OLD, asked(), may_be_dead=True)

    assert not clock.waited


def test_an_istiod_that_may_be_dead_but_is_ready_has_to_answer() -> None:
    cluster = FakeCluster(with_istiod(ready=True))
    with (
        working(services(cluster=cluster, istiods=mute())),
        pytest.raises(RunEndedError, match="did not say which proxies use it"),
    ):
        await_unused(OLD, asked(), may_be_dead=True)


def test_a_pod_keeps_a_revision_whose_istiods_are_dead() -> None:
    dead = with_istiod(ready=False)
    used = moved_inventory(control_planes=dead.control_planes, pods=(pod("cart-1"),))
    with (
        working(services(cluster=FakeCluster(used), istiods=mute())),
        pytest.raises(RunEndedError, match="pod shop/cart-1 has a proxy"),
    ):
        await_unused(OLD, asked(), may_be_dead=True)


# ---------------------------------------------------------------- proving it


def test_the_proof_is_two_looks_a_quiet_period_apart_and_is_told() -> None:
    clock, cluster, records = FakeClock(), FakeCluster(UNUSED), FakeRecords()
    with working(services(cluster=cluster, clock=clock, records=records)):
        prove_unused.fn(plan(), asked(quiet_period_seconds=45))

    assert cluster.reads == 2
    assert seconds(clock) == 45
    assert [one.text for one in records.run(RUN).of(Step)] == [
        f"nothing uses revision {OLD} any more"
    ]


def test_what_comes_back_in_the_quiet_period_ends_the_proof() -> None:
    records = FakeRecords()
    with (
        working(services(cluster=FakeCluster(UNUSED, IN_USE), records=records)),
        pytest.raises(RunEndedError, match="shop/cart-1"),
    ):
        prove_unused.fn(plan(), asked())

    assert records.runs() == ()


def test_without_a_quiet_period_one_look_is_the_proof() -> None:
    clock, cluster = FakeClock(), FakeCluster(UNUSED)
    with working(services(cluster=cluster, clock=clock)):
        prove_unused.fn(plan(), asked(quiet_period_seconds=0))

    assert cluster.reads == 1
    assert not clock.waited
