"""Nothing is uninstalled while anything uses it, or while nobody can say whether anything does."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from tests.mesh import judge, manifests, rights
from tests.mesh.cluster import NEW_REVISION, OLD_REVISION
from tests.mesh.kubectl import Json, Kubectl
from tests.mesh.product import DONE, STOPPED, Ended, Product, Running
from tests.mesh.waiting import until

pytestmark = pytest.mark.mesh

SHORT = {"removal_seconds": 10, "proxies_seconds": 20}


def settle(kubectl: Kubectl) -> None:
    kubectl.apply(*manifests.sleep())
    judge.wait_until_on(kubectl, OLD_REVISION, "test-ns", count=2)


def assert_old_is_there(kubectl: Kubectl) -> None:
    """Everything has moved, and the old revision is as alive as before."""
    assert judge.control_planes(kubectl) == {OLD_REVISION, NEW_REVISION}
    assert OLD_REVISION in judge.syncz(kubectl)
    judge.assert_default_is(kubectl, NEW_REVISION)


def assert_old_is_gone(kubectl: Kubectl) -> None:
    assert judge.control_planes(kubectl) == {NEW_REVISION}
    assert judge.leftovers(kubectl, OLD_REVISION) == []
    assert judge.labels(kubectl, "test-ns") == {"istio-injection": "enabled"}


def bound(revision: str) -> Json:
    """Return a Deployment whose pods choose their revision by a label of their own."""
    labels = {"istio.io/rev": revision}
    return manifests.workload("Deployment", "bound", namespace="alone", pod_labels=labels)


def test_point_10_pods_that_were_never_restarted_are_named_and_keep_the_old_revision(
    kubectl: Kubectl, product: Product
) -> None:
    settle(kubectl)
    bare = manifests.pod("bare", namespace="test-ns")
    kubectl.apply(bare, manifests.namespace("alone"), bound(OLD_REVISION))
    judge.wait_until_on(kubectl, OLD_REVISION, "test-ns", count=3)
    judge.wait_until_on(kubectl, OLD_REVISION, "alone", count=1)
    parameters = product.parameters(timeouts=SHORT)

    refused = product.upgrade(parameters=parameters).exited(STOPPED)

    assert "bare" in refused.story
    assert "bound" in refused.story
    assert judge.revisions(kubectl, "test-ns")["bare"] == OLD_REVISION
    judge.assert_on(kubectl, OLD_REVISION, "alone", count=1)
    assert_old_is_there(kubectl)

    kubectl("delete", "pod", "bare", "-n", "test-ns")
    kubectl.apply(bare, bound(NEW_REVISION))
    judge.wait_until_on(kubectl, NEW_REVISION, "test-ns", count=3)
    judge.wait_until_on(kubectl, NEW_REVISION, "alone", count=1)
    product.upgrade(parameters=parameters).exited(DONE)
    assert_old_is_gone(kubectl)
    again = product.upgrade(parameters=parameters).exited(DONE)
    assert again.document["outcome"] == "NothingToDo"


def test_point_2_while_an_istiod_cannot_be_read_or_has_just_started_nothing_is_removed(
    kubectl: Kubectl, product: Product, tmp_path: Path
) -> None:
    settle(kubectl)
    theirs = rights.kubeconfig(kubectl, tmp_path / "somebody", rights.role(port_forward=True))
    somebody = replace(product, mesh=replace(product.mesh, kubectl=theirs))
    parameters = product.parameters(timeouts={"removal_seconds": 15})
    begin = partial(somebody.start_upgrade, "--gates", "uninstall", parameters=parameters)
    until(lambda: judge.minutes_up(kubectl) >= 1, what="the old istiod is believed", seconds=90)

    refused = at_the_last_gate(somebody, begin(), partial(add_a_silent_istiod, kubectl))
    assert "istiod-silent" in refused.exited(STOPPED).story
    kubectl("delete", "pod", "istiod-silent", "-n", judge.SYSTEM)
    assert_old_is_there(kubectl)

    refused = at_the_last_gate(somebody, begin(), partial(forbid_port_forward, kubectl, theirs))
    assert "port" in refused.exited(STOPPED).story
    kubectl.apply(rights.role(port_forward=True))
    assert_old_is_there(kubectl)

    began = time.monotonic()
    ended = at_the_last_gate(somebody, begin(), partial(restart_old_istiod, kubectl))
    if ended.code == STOPPED:  # fifteen seconds do not suffice for the proof: an answer as well
        assert_old_is_there(kubectl)
        until(lambda: judge.minutes_up(kubectl) >= 1, what="it is believed again", seconds=90)
        ended = at_the_last_gate(somebody, begin(), lambda: None)
    ended.exited(DONE)
    assert time.monotonic() - began >= 60, "an istiod that has just started proves nothing"
    assert_old_is_gone(kubectl)


def at_the_last_gate(product: Product, running: Running, then: Callable[[], object]) -> Ended:
    """Let something happen while the run waits to uninstall, and approve nevertheless."""
    run = product.waiting_at("uninstall", running)["run"]
    then()
    product.approve(run)
    return running.wait()


def add_a_silent_istiod(kubectl: Kubectl) -> None:
    kubectl.apply(rights.impostor(OLD_REVISION))
    ready = ("--for=condition=Ready", "--timeout=30s")
    kubectl("wait", "pod/istiod-silent", "-n", judge.SYSTEM, *ready)


def forbid_port_forward(kubectl: Kubectl, theirs: Kubectl) -> None:
    kubectl.apply(rights.role(port_forward=False))
    until(lambda: not rights.may_port_forward(theirs), what="the right is gone")


def restart_old_istiod(kubectl: Kubectl) -> None:
    old = f"deployment/{judge.istiod(OLD_REVISION)}"
    kubectl("rollout", "restart", old, "-n", judge.SYSTEM)
    kubectl("rollout", "status", old, "-n", judge.SYSTEM, "--timeout=60s")
