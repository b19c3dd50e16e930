"""Faults befall what they name, from the moment that they name, and nothing else."""

import asyncio
from collections.abc import Callable
from typing import Any

from deployments.rehearsal.cluster.controllers.fates import CRASH_LOOP, NEVER_READY, NORMAL
from deployments.rehearsal.faults.parsing import parse_faults
from deployments.rehearsal.faults.troubles import Troubles
from deployments.rehearsal.scenario.finding import find

SHOP = find("shop")
OLD, NEW = "1-28-3", "1-29-1"


def troubles(*texts: str) -> Troubles:
    return Troubles(parse_faults(texts, SHOP), late={"search": 2.0}, new=NEW)


def pod(namespace: str, replica_set: str, *, revision: str = NEW) -> dict[str, Any]:
    owner = {"kind": "ReplicaSet", "name": replica_set, "controller": True}
    metadata = {
        "name": f"{replica_set}-abcde",
        "namespace": namespace,
        "uid": "1",
        "annotations": {"istio.io/rev": revision},
        "ownerReferences": [owner],
    }
    return {"metadata": metadata}


def begun(found: Troubles, ask: Callable[[Troubles], object]) -> object:
    """Return an answer of troubles that have just begun."""

    async def told() -> object:
        found.begin()
        return ask(found)

    return asyncio.run(told())


def test_a_stuck_rollout_befalls_one_workload_s_pods_under_the_new_revision() -> None:
    found = troubles("stuck-rollout:bank/ledger", "crash-loop:bank/fraud")

    fates = begun(
        found,
        lambda it: [
            it.of(pod("bank", "ledger-5d98bc9469")),
            it.of(pod("bank", "fraud-5d98bc9469")),
            it.of(pod("bank", "ledger-5d98bc9469", revision=OLD)),
            it.of(pod("bank", "ledgers-5d98bc9469")),
            it.of(pod("web", "ledger-5d98bc9469")),
        ],
    )

    assert fates == [NEVER_READY, CRASH_LOOP, NORMAL, NORMAL, NORMAL]


def test_nothing_goes_wrong_before_the_upgrade_begins_or_before_its_moment() -> None:
    found = troubles("stuck-rollout:bank/ledger@60")
    ledger = pod("bank", "ledger-5d98bc9469")

    assert found.of(ledger) is NORMAL
    assert begun(found, lambda it: it.of(ledger)) is NORMAL


def test_the_mesh_is_moody_where_it_was_asked_to_be() -> None:
    found = troubles("proxies-stale:bank", "proxies-rejected:web", "istiod-silent:1-29-1")
    bank, web = pod("bank", "ledger-1"), pod("web", "assets-1")
    istiods = [{"metadata": {"labels": {"istio.io/rev": one}}} for one in (OLD, NEW)]

    assert begun(found, lambda it: (it.is_stale(bank), it.is_stale(web))) == (True, False)
    assert begun(found, lambda it: it.rejection(bank)) is None
    assert begun(found, lambda it: it.rejection(web)) is not None
    assert begun(found, lambda it: [it.is_silent(one) for one in istiods]) == [False, True]


def test_sidecars_are_lost_in_the_namespace_that_was_named_and_in_no_other() -> None:
    found = troubles("sidecars-lost:bank")
    bank, web = pod("bank", "ledger-1"), pod("web", "assets-1")

    assert not found.loses_sidecar(bank)  # the upgrade has not begun
    assert begun(found, lambda it: (it.loses_sidecar(bank), it.loses_sidecar(web))) == (True, False)


def test_late_proxies_are_no_fault_but_the_scenario_s_own() -> None:
    assert troubles().lag(pod("search", "query-1")) == 2.0
    assert troubles().lag(pod("web", "assets-1")) == 0.0
