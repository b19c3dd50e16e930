"""Verification: what Kubernetes says of pods, joined with what every istiod says of proxies."""

from typing import Final

import pytest

from tasks.domain.inventory import Pod, Proxy, XdsState
from tasks.domain.verification import (
    Problem,
    Verification,
    count_by_revision,
    to_verify,
    verify,
)
from tests.builders import NEW, OLD, istiod, pod, proxy, ref, report, silent, workload

OLD_ISTIOD: Final = istiod(OLD)
NEW_ISTIOD: Final = istiod(NEW)
CART: Final = pod("cart-1", revision=NEW)
ACKED: Final = XdsState(sent="n1", acked="n1")


def why(of: Pod, *rows: Proxy) -> list[str]:
    """Return what is wrong with one pod when the new istiod reports these rows."""
    seen = verify([of], [report(OLD_ISTIOD), report(NEW_ISTIOD, proxies=rows)], revision=NEW)
    return [one.why for one in seen.problems]


def row(**states: XdsState) -> Proxy:
    return proxy(CART, NEW_ISTIOD, states=states)


def test_a_proxy_has_arrived_when_both_sources_say_so() -> None:
    till = pod("till-1", revision=NEW)
    seen = verify([CART, till], [report(OLD_ISTIOD), report(NEW_ISTIOD, CART, till)], revision=NEW)
    assert seen == Verification(arrived=2)
    assert seen.is_complete


def test_proxies_may_be_spread_over_the_istiods_of_a_revision() -> None:
    till = pod("till-1", revision=NEW)
    second = istiod(NEW, name="istiod-1-29-1-1")
    seen = verify([CART, till], [report(NEW_ISTIOD, CART), report(second, till)], revision=NEW)
    assert seen == Verification(arrived=2)


def test_those_that_have_not_arrived_are_listed_in_order_and_the_rest_is_counted() -> None:
    pods = [pod("till-1"), CART, pod("bank-1")]
    seen = verify(pods, [report(NEW_ISTIOD, CART)], revision=NEW)
    assert not seen.is_complete
    assert seen.arrived == 1
    assert seen.problems == (
        Problem(pod="shop/bank-1", why=f"is on revision {OLD}"),
        Problem(pod="shop/till-1", why=f"is on revision {OLD}"),
    )


@pytest.mark.parametrize(
    "of",
    [
        pytest.param(pod("cart-0", phase="Succeeded"), id="it ran to its end"),
        pytest.param(pod("cart-0", is_terminating=True), id="it is about to go"),
    ],
)
def test_a_pod_is_not_waited_for(of: Pod) -> None:
    assert verify([of], [report(NEW_ISTIOD)], revision=NEW) == Verification(arrived=0)


def test_a_pod_that_lost_its_sidecar_has_not_arrived() -> None:
    assert why(pod("cart-1", revision=None)) == ["has no sidecar"]


def test_a_connection_to_the_new_istiod_does_not_make_an_old_pod_a_new_one() -> None:
    old = pod("cart-1")
    assert why(old, proxy(old, NEW_ISTIOD)) == [f"is on revision {OLD}"]


def test_a_new_pod_that_is_still_connected_to_an_old_istiod_has_not_arrived() -> None:
    seen = verify([CART], [report(OLD_ISTIOD, CART), report(NEW_ISTIOD, CART)], revision=NEW)
    assert [one.why for one in seen.problems] == [
        f"is connected to {OLD_ISTIOD.name} of revision {OLD}"
    ]


def test_a_new_pod_that_no_istiod_knows_has_not_arrived() -> None:
    assert why(CART) == [f"is connected to no istiod of revision {NEW}"]


def test_an_istiod_that_did_not_answer_is_named_for_it_may_have_the_proxy() -> None:
    seen = verify([CART], [report(OLD_ISTIOD), silent(NEW_ISTIOD)], revision=NEW)
    assert [one.why for one in seen.problems] == [
        f"is connected to no istiod of revision {NEW} ({NEW_ISTIOD.name} did not answer)"
    ]


def test_a_proxy_of_the_same_name_in_another_namespace_is_another_proxy() -> None:
    other = pod("cart-1", namespace="bank", revision=NEW)
    assert why(CART, proxy(other, NEW_ISTIOD)) == [f"is connected to no istiod of revision {NEW}"]


@pytest.mark.parametrize(
    ("states", "problem"),
    [
        pytest.param(
            {"CDS": ACKED, "LDS": XdsState(sent="n2", acked="n1", error="bad filter")},
            f"rejected its LDS from {NEW_ISTIOD.name}: bad filter",
            id="rejected, with Envoy's words",
        ),
        pytest.param(
            {"CDS": XdsState(sent="n2", acked="n1"), "LDS": ACKED},
            f"has not acknowledged its CDS from {NEW_ISTIOD.name}",
            id="not acknowledged yet",
        ),
        pytest.param(
            {"CDS": ACKED, "LDS": ACKED, "RDS": XdsState(sent="n1")},
            f"has not acknowledged its RDS from {NEW_ISTIOD.name}",
            id="never acknowledged anything of a kind",
        ),
        pytest.param(
            {"RDS": XdsState(sent="n1"), "CDS": XdsState(sent="n1"), "LDS": ACKED},
            f"has not acknowledged its CDS from {NEW_ISTIOD.name}",
            id="two kinds, of which the same one is told every time",
        ),
        pytest.param(
            {"CDS": ACKED}, f"has got no LDS from {NEW_ISTIOD.name} yet", id="no listeners yet"
        ),
        pytest.param(
            {},
            f"has got no CDS and no LDS from {NEW_ISTIOD.name} yet",
            id="connected, and nothing else",
        ),
    ],
)
def test_a_proxy_is_not_in_sync(states: dict[str, XdsState], problem: str) -> None:
    assert why(CART, row(**states)) == [problem]


def test_a_proxy_that_asks_for_clusters_and_listeners_only_is_in_sync() -> None:
    assert why(CART, row(CDS=ACKED, LDS=ACKED)) == []


def test_live_proxies_are_counted_by_revision_in_order() -> None:
    pods = [
        pod("a-1", revision=NEW),
        pod("a-2", revision=OLD),
        pod("a-3", revision=NEW),
        pod("a-4", revision=None),
        pod("a-5", revision=OLD, phase="Succeeded"),
    ]
    assert list(count_by_revision(pods).items()) == [(OLD, 1), (NEW, 2)]


# ---------------------------------------------------------------- whose proxies have to arrive


def chosen(
    *pods: Pod, replicas: int = 3, ready_before: int | None = 2, is_left: bool = False
) -> list[str]:
    """Return the names of those pods of `cart` that are verified."""
    found = to_verify(
        pods,
        {ref(): workload(replicas=replicas)} if replicas else {},
        revision=NEW,
        ready_before={} if ready_before is None else {ref(): ready_before},
        left_behind={ref()} if is_left else set(),
    )
    return [one.name for one in found]


READY: Final = (pod("cart-1", revision=NEW), pod("cart-2", revision=NEW))
PENDING: Final = pod("cart-3", revision=NEW, is_ready=False)


def test_a_workload_that_the_run_has_not_begun_is_not_verified() -> None:
    assert chosen(*READY, pod("cart-3", revision=None), ready_before=None) == []


def test_of_a_workload_that_was_not_wholly_ready_as_many_may_be_missing_as_before() -> None:
    assert chosen(*READY, PENDING) == ["cart-1", "cart-2"]
    assert chosen(READY[0], PENDING) == ["cart-1", "cart-3"]


def test_every_pod_of_a_workload_that_was_ready_has_to_arrive() -> None:
    assert chosen(*READY, PENDING, ready_before=3) == ["cart-1", "cart-2", "cart-3"]
    assert chosen(*READY, PENDING, replicas=0) == ["cart-1", "cart-2", "cart-3"]


def test_what_was_left_behind_may_be_on_another_revision_but_not_without_a_sidecar() -> None:
    old, bare = pod("cart-4", revision=OLD), pod("cart-5", revision=None)
    assert chosen(READY[0], PENDING, old, bare, is_left=True) == ["cart-1", "cart-5"]
    assert chosen(*READY, PENDING, old, bare) == ["cart-1", "cart-2", "cart-4", "cart-5"]
