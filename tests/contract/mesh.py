"""
Istio in a cluster, brought to where a row begins.

A real install takes seconds: so rows share what they only look at, and whoever uses a mesh up says
so. Who injects is asked by dry-run, and nothing of it stays.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from tests.contract import pods, waiting
from tests.contract.client import MERGE, Answer, Json
from tests.contract.istioctl import NEW, NEW_REVISION, OLD, OLD_REVISION, Istioctls
from tests.contract.manifests import container
from tests.contract.place import Cluster, path_of

SYSTEM: Final = "istio-system"
INJECTORS: Final = "mutatingwebhookconfigurations"
VALIDATORS: Final = "validatingwebhookconfigurations"
REVISION: Final = "istio.io/rev"
STATUS: Final = "sidecar.istio.io/status"
_CLUSTER_WIDE: Final = ("clusterroles", "clusterrolebindings", INJECTORS, VALIDATORS)
_WITHIN: Final = (
    "deployments", "services", "serviceaccounts", "configmaps", "roles", "rolebindings", "leases",
    "poddisruptionbudgets",
)  # fmt: skip
Objects = Mapping[str, Json]  # by `plural/name`


@dataclass(frozen=True, kw_only=True)
class Canary:
    """What a canary install beside a live revision did."""

    before: Objects
    after: Objects
    said: str  # on stderr, where it tells how far it is
    seen: list[str]  # what happened meanwhile to a pod of a namespace of the new revision


@dataclass(kw_only=True)
class Mesh:
    """Istio in one cluster, in the state that the rows before have left."""

    cluster: Cluster
    canary: Canary | None = None  # None: another state than two revisions
    _places: list[str] = field(default_factory=list)

    @property
    def istioctl(self) -> Istioctls:
        return self.cluster.istioctls()

    def two_revisions(self) -> Canary:
        """Bring the cluster to 1.28.3, the default, and 1.29.1 beside it."""
        if self.canary is None:
            self.erase()
            self.istioctl.install(OLD, OLD_REVISION)
            self._until_it_validates(OLD_REVISION)
            self.canary = self._installed_beside()
        return self.canary

    def spoil(self) -> None:
        """Say that whoever comes next has to begin anew."""
        self.canary = None

    def erase(self) -> None:
        """Delete Istio, but for its CRDs."""
        for plural in _CLUSTER_WIDE:
            for name in self.cluster.names(plural):
                if name.startswith("istio"):
                    self.cluster.delete(plural, name)
        for pod in self.cluster.names("pods", namespace=SYSTEM):
            self.cluster.delete("pods", pod, namespace=SYSTEM, gracePeriodSeconds=1)
        self.cluster.delete("namespaces", SYSTEM)
        self.cluster.until(
            lambda: self.cluster.find("namespaces", SYSTEM) is None, "Istio is gone", seconds=120
        )

    def objects(self) -> Objects:
        """Return everything that an install may make or change."""
        found: dict[str, Json] = {}
        for plural in (*_CLUSTER_WIDE, "customresourcedefinitions"):
            for one in self.cluster.items(plural):
                if "istio" in one["metadata"]["name"]:
                    found[f"{plural}/{one['metadata']['name']}"] = one
        for plural in _WITHIN:
            for one in self.cluster.items(plural, namespace=SYSTEM):
                found[f"{plural}/{one['metadata']['name']}"] = one
        return found

    def _installed_beside(self) -> Canary:
        place = self.cluster.place(**{REVISION: NEW_REVISION})
        before = self.objects()
        seen = [self._happens(place.name)]
        process = self.istioctl.begin(*self._canary_arguments())
        while process.poll() is None:
            if (now := self._happens(place.name)) != seen[-1]:
                seen.append(now)
            self.cluster.until(lambda: True, "")
        _, said = process.communicate()
        assert process.returncode == 0, said
        self._until_it_validates(NEW_REVISION)
        if (now := self._happens(place.name)) != seen[-1]:
            seen.append(now)
        place.leave()
        return Canary(before=before, after=self.objects(), said=said, seen=seen)

    def _canary_arguments(self) -> list[str]:
        overlay = str(self.istioctl.overlay)
        return [
            "install", "-y", f"--revision={NEW_REVISION}", "-f", overlay, "--set", f"tag={NEW}",
        ]  # fmt: skip

    def _happens(self, namespace: str) -> str:
        answer = self.dry_run(namespace)
        if answer.code >= 300:
            return "fails" if "failed calling webhook" in answer.message else answer.message
        return revision_of(answer.body) or "nobody"

    def _until_it_validates(self, revision: str) -> None:
        name = f"istio-validator-{revision}-{SYSTEM}" if revision else f"istio-validator-{SYSTEM}"
        self.cluster.until(lambda: self.policies(name) == {"Fail"}, f"{name} is closed")

    def policies(self, validator: str) -> set[str]:
        """Return what happens where a validator cannot be called."""
        found = self.cluster.find(VALIDATORS, validator) or {"webhooks": []}
        return {hook["failurePolicy"] for hook in found["webhooks"]}

    def dry_run(self, namespace: str, labels: Json | None = None, **metadata: object) -> Answer:
        """Ask what a pod would be that was made here now."""
        body = {
            "metadata": {"name": "probe", "labels": labels or {}} | metadata,
            "spec": {"containers": [container()]},
        }
        path = path_of("pods", namespace=namespace)
        return self.cluster.client.ask("POST", path, body, dryRun="All")

    def injected_by(
        self, namespace: str, labels: Json | None = None, **metadata: object
    ) -> str | None:
        """Return whose sidecar a pod would get that was made here now."""
        return revision_of(self.dry_run(namespace, labels, **metadata).object)

    def virtual_service(self, namespace: str, *, weight: int, **query: str) -> Answer:
        """Try a VirtualService; one with a negative weight is wrong."""
        route = [
            {"destination": {"host": "nobody"}, "weight": weight},
            {"destination": {"host": "somebody"}},
        ]
        body = {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "probe"},
            "spec": {"hosts": ["nobody"], "http": [{"route": route}]},
        }
        path = path_of("virtualservices", namespace=namespace)
        return self.cluster.client.ask("POST", path, body, **({"dryRun": "All"} | query))

    def targets(self, plural: str, name: str) -> set[str]:
        """Return the Services that a webhook configuration calls."""
        found = self.cluster.find(plural, name) or {"webhooks": []}
        return {hook["clientConfig"]["service"]["name"] for hook in found["webhooks"]}

    def labels(self, plural: str, name: str, *, namespace: str = "") -> dict[str, str]:
        found: dict[str, str] = self.cluster.get(plural, name, namespace=namespace)["metadata"].get(
            "labels", {}
        )
        return found

    def istiod(self, revision: str) -> str:
        """Return the name of a ready istiod pod, as soon as there is one."""

        def found() -> str:
            selector = f"app=istiod,{REVISION}={revision}"
            for pod in self.cluster.items("pods", namespace=SYSTEM, selector=selector):
                if waiting.is_ready(pod) and "deletionTimestamp" not in pod["metadata"]:
                    return str(pod["metadata"]["name"])
            return ""

        return self.cluster.until(found, f"an istiod of {revision}")

    def asked(self, revision: str, path: str, *, port: int = 15014) -> pods.Reply:
        """Ask an istiod over a port-forward."""
        return pods.forwarded(self.cluster.client, SYSTEM, self.istiod(revision), port, path)

    def syncz(self, revision: str, query: str = "") -> dict[str, Json]:
        """Return the proxies that an istiod knows, without istioctls."""
        rows = json.loads(self.asked(revision, f"/debug/syncz{query}").body)
        return {row["proxy"]: row for row in rows or [] if row.get("cluster_id")}

    def scale(self, revision: str, replicas: int) -> None:
        path = path_of("deployments", f"istiod-{revision}", namespace=SYSTEM, sub="scale")
        patch = {"spec": {"replicas": replicas}}
        self.cluster.client.ask("PATCH", path, patch, kind=MERGE).object["spec"]


def revision_of(pod: Json) -> str | None:
    """Return the revision that injected a pod, None if nobody did."""
    status = pod["metadata"].get("annotations", {}).get(STATUS)
    revision: str | None = json.loads(status)["revision"] if status else None
    return revision
