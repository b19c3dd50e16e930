"""
Brings a cluster that may be used up back to one revision of Istio, and nothing else.

Everything that names Istio is deleted, whoever made it, and so is every namespace that Kubernetes
itself does not have.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.mesh import judge
from tests.mesh.kubectl import CommandFailedError, Istioctl, Kubectl
from tests.mesh.waiting import until

OLD, NEW = "1.28.3", "1.29.1"
OLD_REVISION, NEW_REVISION = "1-28-3", "1-29-1"
_KEPT = {"default", "kube-system", "kube-public", "kube-node-lease", "local-path-storage"}
_ISTIO_CLUSTER_WIDE = (
    "mutatingwebhookconfigurations,validatingwebhookconfigurations,clusterroles,clusterrolebindings"
)


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """A cluster with kubectl and one istioctl for each version."""

    kubectl: Kubectl
    old: Istioctl
    new: Istioctl

    def start(self, revision: str) -> None:
        """Bring the cluster to one healthy 1.28.3, the default, under this revision or none."""
        names = (
            {judge.name_of(one) for one in self.kubectl.items("namespaces")}
            - _KEPT
            - {judge.SYSTEM}
        )
        self._begin_to_delete(names)
        self.forget()
        if not self._is_clean(revision):
            self.erase()
            self.old.install("" if revision == "default" else revision)
        self._wait_until_healthy(revision)
        until(
            lambda: not self._present(names),
            what="the namespaces of the test before are gone",
            seconds=120,
        )

    def forget(self) -> None:
        """Delete what the product kept about a run."""
        ours = ("-l", "app.kubernetes.io/managed-by=istio-canary")
        self._delete("configmaps,secrets,leases", "-n", judge.SYSTEM, *ours)
        self._delete("leases", "-n", judge.SYSTEM, "istio-canary")
        self._delete("clusterroles,clusterrolebindings", "-l", "mesh-test")

    def erase(self) -> None:
        """Delete Istio but its CRDs: every install brings them to its own version."""
        for selector in ("istio.io/rev", "operator.istio.io/component"):
            self._delete(_ISTIO_CLUSTER_WIDE, "-l", selector)
        here = ("-n", judge.SYSTEM)
        # The leader's records go too: a new istiod would wait until those of a dead one lapse.
        self._delete("deployments,services,configmaps,leases", "--all", *here)
        self._delete(
            "roles,rolebindings,serviceaccounts,poddisruptionbudgets", "-l", "istio.io/rev", *here
        )
        self._delete("pods", "--all", "--grace-period=1", *here)

    def _delete(self, kinds: str, *arguments: str) -> None:
        self.kubectl("delete", kinds, "--ignore-not-found", *arguments, timeout=120)

    def _begin_to_delete(self, names: set[str]) -> None:
        if names:
            self.kubectl(
                "delete", "namespaces", *sorted(names), "--wait=false", "--ignore-not-found"
            )
        # Not by force: a kubelet without cgroups for pods crashes over a pod that is suddenly gone.
        for name in names:
            self.kubectl.attempt(
                "delete", "pods", "--all", "-n", name, "--grace-period=1", "--wait=false"
            )

    def _present(self, names: set[str]) -> set[str]:
        return {judge.name_of(one) for one in self.kubectl.items("namespaces")} & names

    def _is_clean(self, revision: str) -> bool:
        """Whether the test before left exactly what this one starts from."""
        if judge.SYSTEM not in {judge.name_of(one) for one in self.kubectl.items("namespaces")}:
            return False
        istiods = self.kubectl.items("deployments", namespace=judge.SYSTEM)
        images = [one["spec"]["template"]["spec"]["containers"][0]["image"] for one in istiods]
        expected = {istiod: judge.istiod(revision) for istiod in self._expected_webhooks(revision)}
        actual = judge.targets(self.kubectl, judge.INJECTORS) | judge.targets(
            self.kubectl, judge.VALIDATORS
        )
        crds = self.kubectl.items("customresourcedefinitions", selector="operator.istio.io/version")
        versions = {one["metadata"]["labels"]["operator.istio.io/version"] for one in crds}
        return (
            images == [f"docker.io/istio/pilot:{self.old.version}"]
            and judge.control_planes(self.kubectl) == {revision}
            and actual == {name: {service} for name, service in expected.items()}
            and versions == {self.old.version}
            and not self._is_deactivated()
        )

    @staticmethod
    def _expected_webhooks(revision: str) -> set[str]:
        ending = "" if revision == "default" else f"-{revision}"
        names = {f"istio-sidecar-injector{ending}", f"istio-validator{ending}-{judge.SYSTEM}"}
        return names | {"istio-revision-tag-default", "istiod-default-validator"}

    def _is_deactivated(self) -> bool:
        return "never-match" in self.kubectl("get", judge.INJECTORS, "-o", "json")

    def _wait_until_healthy(self, revision: str) -> None:
        self.kubectl(
            "rollout",
            "status",
            f"deployment/{judge.istiod(revision)}",
            "-n",
            judge.SYSTEM,
            "--timeout=90s",
        )
        until(lambda: judge.validates(self.kubectl), what=f"the validator of {revision} answers")
        judge.assert_default_is(self.kubectl, revision)


def from_environment() -> Mesh | None:
    """Return the cluster that the environment names, None where there is none."""
    if missing_from_environment():
        return None
    kubectl = Kubectl()
    overlay = Path(os.environ["REAL_MESH_ISTIO"])
    old, new = (
        Istioctl(
            version=version,
            path=Path(os.environ[_variable(version)]),
            overlay=overlay,
            kubectl=kubectl,
        )
        for version in (OLD, NEW)
    )
    return Mesh(kubectl=kubectl, old=old, new=new)


def missing_from_environment() -> list[str]:
    """Return the variables that a real mesh needs and that are not set."""
    needed = ("KUBECONFIG", "REAL_MESH_ISTIO", _variable(OLD), _variable(NEW))
    return [name for name in needed if not os.environ.get(name)]


def _variable(version: str) -> str:
    return f"ISTIOCTL_{version.replace('.', '_')}"


def reset() -> bool:
    """Start the cluster afresh by REAL_MESH_RESET's command; False where it names none."""
    command = os.environ.get("REAL_MESH_RESET")
    if not command:
        return False
    done = subprocess.run(command.split(), capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise CommandFailedError(f"{command}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return True


def started(mesh: Mesh, revision: str) -> Mesh:
    """Return the mesh with one old revision, after a reset if it cannot be had otherwise."""
    try:
        mesh.start(revision)
    except AssertionError:
        if not reset():
            raise
        mesh.start(revision)
    return mesh
