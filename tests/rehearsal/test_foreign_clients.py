"""
The real kubectl and the real istioctl 1.29.1 against the rehearsal cluster, unmodified.

Runs where both are to be had: kubectl on the PATH, and ISTIOCTL_1_29_1 and REAL_MESH_ISTIO set.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.rehearsed import READY
from tests.mesh import judge, manifests
from tests.mesh.cluster import NEW, NEW_REVISION
from tests.mesh.kubectl import Istioctl, Kubectl
from tests.mesh.waiting import until

pytestmark = pytest.mark.foreign

ISTIOCTL = "ISTIOCTL_1_29_1"


@pytest.fixture(scope="module")
def kubectl(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubectl]:
    """Return the real kubectl, led to a rehearsal cluster."""
    if shutil.which("kubectl") is None or not os.environ.get(ISTIOCTL):
        pytest.skip(f"no real clients: kubectl is not on the PATH, or {ISTIOCTL} is not set")
    file = tmp_path_factory.mktemp("foreign") / "kubeconfig"
    command = [sys.executable, "-m", "tests.contract.rehearsed", str(file)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as cluster:
        assert cluster.stdout is not None
        assert cluster.stdout.readline() == READY
        yield Kubectl(kubeconfig=file)
        cluster.terminate()


@pytest.fixture(scope="module")
def istioctl(kubectl: Kubectl) -> Istioctl:
    """Return the real istioctl, led to the same cluster, with its control plane installed."""
    overlay = Path(os.environ["REAL_MESH_ISTIO"])
    program = Istioctl(
        version=NEW, path=Path(os.environ[ISTIOCTL]), overlay=overlay, kubectl=kubectl
    )
    program.install(NEW_REVISION)
    return program


def shop(kubectl: Kubectl, name: str) -> None:
    kubectl.apply(
        manifests.namespace(name), manifests.workload("Deployment", "web", namespace=name)
    )
    rolled_out(kubectl, name)


def rolled_out(kubectl: Kubectl, name: str) -> str:
    return kubectl("rollout", "status", "deployment/web", "-n", name, "--timeout=30s")


def test_kubectl_applies_gets_labels_and_deletes(kubectl: Kubectl) -> None:
    shop(kubectl, "applied")

    table = kubectl("get", "pods", "-n", "applied")
    kubectl("label", "deployment/web", "-n", "applied", "team=blue")
    kubectl.apply(manifests.workload("Deployment", "web", namespace="applied", replicas=2))

    assert table.split()[:4] == ["NAME", "READY", "STATUS", "RESTARTS"]
    assert "1/1" in table
    found = kubectl.get("deployment", "web", namespace="applied")
    assert found["metadata"]["labels"]["team"] == "blue"
    assert found["spec"]["replicas"] == 2
    kubectl("delete", "namespace", "applied", "--timeout=30s")
    assert kubectl.attempt("get", "namespace", "applied").code == 1


def test_kubectl_restarts_waits_and_undoes(kubectl: Kubectl) -> None:
    shop(kubectl, "rolled")
    first = judge.revisions(kubectl, "rolled")

    kubectl("rollout", "restart", "deployment/web", "-n", "rolled")
    said = rolled_out(kubectl, "rolled")
    kubectl("rollout", "undo", "deployment/web", "-n", "rolled")
    rolled_out(kubectl, "rolled")
    kubectl("wait", "deployment/web", "-n", "rolled", "--for=condition=Available", "--timeout=30s")

    assert "successfully rolled out" in said
    assert judge.replica_sets(kubectl, "rolled") == {"web": 2}
    assert judge.revisions(kubectl, "rolled").keys() != first.keys()


def test_kubectl_watches_what_changes(kubectl: Kubectl, tmp_path: Path) -> None:
    shop(kubectl, "watched")
    seen = tmp_path / "seen"
    watch = kubectl.argv("get", "pods", "-w", "-n", "watched", "-o", "name")
    with seen.open("w") as file, subprocess.Popen(watch, stdout=file) as process:
        until(lambda: seen.read_text().count("pod/"), what="the first pod is seen", seconds=15)
        kubectl("rollout", "restart", "deployment/web", "-n", "watched")
        until(
            lambda: len(set(seen.read_text().split())) == 2,
            what="the second pod is seen",
            seconds=15,
        )
        process.terminate()


def test_istioctl_installs_tags_checks_and_uninstalls(kubectl: Kubectl, istioctl: Istioctl) -> None:
    kubectl.apply(
        manifests.namespace("moved", {"istio.io/rev": "prod"}),
    )
    istioctl("tag", "set", "prod", "--revision", NEW_REVISION)
    kubectl.apply(manifests.workload("Deployment", "web", namespace="moved"))
    judge.wait_until_on(kubectl, NEW_REVISION, "moved", count=1)
    tags = json.loads(istioctl("tag", "list", "-o", "json"))
    istioctl("x", "precheck")
    istioctl("tag", "remove", "prod", "-y")

    assert ("prod", NEW_REVISION) in {(one["tag"], one["revision"]) for one in tags}
    assert judge.control_planes(kubectl) == {NEW_REVISION}
    judge.assert_default_is(kubectl, NEW_REVISION)

    istioctl("uninstall", "--revision", NEW_REVISION, "-y")

    until(lambda: not judge.control_planes(kubectl), what="the control plane is gone", seconds=30)
