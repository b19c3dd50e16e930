"""
Who is where, as kubectl and the istiods themselves say.

The judge shares no code and no belief with what it judges: pods say by annotation who injected
them, each istiod says by /debug/syncz who is connected to it, and webhooks say by service name
where they point.
"""

import json
import time
from collections.abc import Collection
from datetime import datetime

from tests.mesh.kubectl import Json, Kubectl
from tests.mesh.waiting import until

SYSTEM = "istio-system"
WORKLOADS = "deployments,statefulsets,daemonsets"
INJECTORS = "mutatingwebhookconfigurations"
VALIDATORS = "validatingwebhookconfigurations"
_NAMED_BY_REVISION = (
    "deployments,services,serviceaccounts,configmaps,roles,rolebindings,pods,poddisruptionbudgets"
)
_CLUSTER_WIDE = f"clusterroles,clusterrolebindings,{INJECTORS},{VALIDATORS}"
# Every install labels it with its own revision, and no uninstall takes it: it belongs to all.
_SHARED = "ServiceAccount/istio-reader-service-account"


def name_of(item: Json) -> str:
    name: str = item["metadata"]["name"]
    return name


def pods(kubectl: Kubectl, namespace: str) -> list[Json]:
    """Return the pods that are there to stay."""
    return [
        pod
        for pod in kubectl.items("pods", namespace=namespace)
        if "deletionTimestamp" not in pod["metadata"]
        and pod["status"]["phase"] in {"Pending", "Running"}
    ]


def injected_by(pod: Json) -> str | None:
    """Return the revision that gave a pod its sidecar, None if it has none."""
    status = pod["metadata"].get("annotations", {}).get("sidecar.istio.io/status")
    return json.loads(status)["revision"] if status else None


def is_ready(pod: Json) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def revisions(kubectl: Kubectl, namespace: str) -> dict[str, str | None]:
    """Return each pod's revision, by its annotation."""
    return {name_of(pod): injected_by(pod) for pod in pods(kubectl, namespace)}


def syncz(kubectl: Kubectl) -> dict[str, dict[str, Json]]:
    """Return who is connected to the istiods of each revision: `pod.namespace` and its row."""
    answers: dict[str, dict[str, Json]] = {}
    for istiod in kubectl.items("pods", namespace=SYSTEM, selector="app=istiod"):
        if "deletionTimestamp" in istiod["metadata"] or not is_ready(istiod):
            continue
        revision = istiod["metadata"]["labels"]["istio.io/rev"]
        ran = kubectl.within(
            SYSTEM, name_of(istiod), "pilot-discovery", "request", "GET", "/debug/syncz"
        )
        assert ran.code == 0, f"{name_of(istiod)} did not answer: {ran.err}"
        # istioctl shows up as a proxy while it asks; it belongs to no cluster.
        rows = [row for row in json.loads(ran.out) or [] if row.get("cluster_id")]
        answers.setdefault(revision, {}).update({row["proxy"]: row for row in rows})
    return answers


def connected(kubectl: Kubectl, revision: str, namespace: str) -> set[str]:
    """Return the pods of a namespace that a revision's istiods know."""
    rows = syncz(kubectl).get(revision, {})
    return {name.removesuffix(f".{namespace}") for name in rows if name.endswith(f".{namespace}")}


def assert_on(kubectl: Kubectl, revision: str, namespace: str, *, count: int) -> None:
    """Every pod is on a revision and no other, by its annotation and by all istiods."""
    found = pods(kubectl, namespace)
    assert [injected_by(pod) for pod in found] == [revision] * count, revisions(kubectl, namespace)
    assert all(is_ready(pod) for pod in found), [name_of(pod) for pod in found if not is_ready(pod)]
    everywhere = syncz(kubectl)
    for asked, rows in everywhere.items():
        here = {row for row in rows if row.endswith(f".{namespace}")}
        expected = {f"{name_of(pod)}.{namespace}" for pod in found} if asked == revision else set()
        assert here == expected, f"istiods of {asked}"


def assert_acked(kubectl: Kubectl, revision: str) -> None:
    """Whatever a revision's istiods sent was taken, without an error."""
    for proxy, row in syncz(kubectl)[revision].items():
        for kind in ("cluster", "listener", "endpoint", "route"):
            assert row.get(f"{kind}_sent") == row.get(f"{kind}_acked"), (proxy, kind, row)


def is_on(kubectl: Kubectl, revision: str, namespace: str, *, count: int) -> bool:
    """Whether that is so now; for waiting until it is."""
    found = pods(kubectl, namespace)
    names = {name_of(pod) for pod in found if injected_by(pod) == revision and is_ready(pod)}
    return len(found) == len(names) == count and connected(kubectl, revision, namespace) == names


def wait_until_on(kubectl: Kubectl, revision: str, namespace: str, *, count: int) -> None:
    """Wait until as many pods as expected are up on a revision, and connected to it."""
    until(
        lambda: is_on(kubectl, revision, namespace, count=count),
        what=f"{count} pods of {namespace} are up on {revision}",
        seconds=120,
    )


def control_planes(kubectl: Kubectl) -> set[str]:
    """Return the revisions that have an istiod Deployment."""
    found = kubectl.items("deployments", namespace=SYSTEM, selector="app=istiod")
    return {istiod["metadata"]["labels"]["istio.io/rev"] for istiod in found}


def minutes_up(kubectl: Kubectl) -> float:
    """Return for how many minutes the youngest istiod's container has run."""
    istiods = kubectl.items("pods", namespace=SYSTEM, selector="app=istiod")
    begun = [
        datetime.fromisoformat(one["state"]["running"]["startedAt"])
        for istiod in istiods
        for one in istiod["status"].get("containerStatuses", [])
        if "running" in one["state"]
    ]
    return (time.time() - max(one.timestamp() for one in begun)) / 60 if begun else 0


def targets(kubectl: Kubectl, kind: str) -> dict[str, set[str]]:
    """Return the Services that each webhook configuration of a kind calls."""
    return {
        name_of(one): {
            hook["clientConfig"].get("service", {}).get("name") for hook in one.get("webhooks", [])
        }
        for one in kubectl.items(kind)
    }


def default_target(kubectl: Kubectl) -> set[str]:
    """Return the Services that inject for the default revision."""
    return targets(kubectl, INJECTORS).get("istio-revision-tag-default", set())


def validator_target(kubectl: Kubectl) -> set[str]:
    """Return the Services that validate for the default revision."""
    return targets(kubectl, VALIDATORS).get("istiod-default-validator", set())


def istiod(revision: str) -> str:
    """Return the name of a revision's Service."""
    return "istiod" if revision == "default" else f"istiod-{revision}"


def assert_default_is(kubectl: Kubectl, revision: str) -> None:
    assert default_target(kubectl) == {istiod(revision)}
    assert validator_target(kubectl) == {istiod(revision)}
    assert validates(kubectl)


def validates(kubectl: Kubectl) -> bool:
    """Whether Istio's validation answers: it takes a good VirtualService and refuses a bad one."""
    return _dry_run(kubectl, weight=100) and not _dry_run(kubectl, weight=-5)


def _dry_run(kubectl: Kubectl, *, weight: int) -> bool:
    route = [
        {"destination": {"host": "nobody"}, "weight": weight},
        {"destination": {"host": "somebody"}},
    ]
    virtual_service = {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": "probe", "namespace": "default"},
        "spec": {"hosts": ["nobody"], "http": [{"route": route}]},
    }
    return (
        kubectl.attempt(
            "apply", "--dry-run=server", "-f", "-", stdin=json.dumps(virtual_service)
        ).code
        == 0
    )


def leftovers(kubectl: Kubectl, revision: str) -> list[str]:
    """Return all that still names a revision: by label, name, or the Service that it calls."""
    selector = f"istio.io/rev={revision}"
    labelled = kubectl.items(_NAMED_BY_REVISION, namespace=SYSTEM, selector=selector)
    labelled += kubectl.items(_CLUSTER_WIDE, selector=selector)
    found = [f"{one['kind']}/{name_of(one)}" for one in labelled]
    for kind in (INJECTORS, VALIDATORS):
        found += [
            f"{kind}/{name}"
            for name, to in targets(kubectl, kind).items()
            if istiod(revision) in to
        ]
    if revision != "default":
        leases = map(name_of, kubectl.items("leases", namespace=SYSTEM))
        found += [f"Lease/{name}" for name in leases if name.endswith(f"-{revision}")]
    return sorted(set(found) - {_SHARED})


def labels(kubectl: Kubectl, namespace: str) -> dict[str, str]:
    """Return what a namespace says about injection."""
    every: dict[str, str] = kubectl.get("namespace", namespace)["metadata"].get("labels", {})
    return {
        key: value for key, value in every.items() if key in {"istio-injection", "istio.io/rev"}
    }


def versions(kubectl: Kubectl, namespaces: Collection[str]) -> dict[str, str]:
    """Return the resourceVersions of namespaces and their workloads: any change alters them."""
    every = [one for one in kubectl.items("namespaces") if name_of(one) in namespaces]
    every += [one for one in kubectl.items(WORKLOADS) if one["metadata"]["namespace"] in namespaces]
    return {
        f"{one['kind']} {one['metadata'].get('namespace', '')}/{name_of(one)}": one["metadata"][
            "resourceVersion"
        ]
        for one in every
    }


def replica_sets(kubectl: Kubectl, namespace: str) -> dict[str, int]:
    """Return how many ReplicaSets each Deployment has ever had."""
    counted: dict[str, int] = {}
    for one in kubectl.items("replicasets", namespace=namespace):
        owner = one["metadata"]["ownerReferences"][0]["name"]
        counted[owner] = counted.get(owner, 0) + 1
    return counted


def webhooks(kubectl: Kubectl) -> dict[str, Json]:
    """Return what every webhook configuration of Istio does, for comparing before and after."""
    found = kubectl.items(f"{INJECTORS},{VALIDATORS}")
    return {f"{one['kind']}/{name_of(one)}": {"webhooks": one.get("webhooks", [])} for one in found}


def address(kubectl: Kubectl, service: str, *, namespace: str) -> str:
    """Return where a Service answers: by number, since a name would test the DNS as well."""
    found = kubectl.get("service", service, namespace=namespace)["spec"]
    return f"http://{found['clusterIP']}:{found['ports'][0]['port']}/index.html"


def status(kubectl: Kubectl, namespace: str, *, asks: str, of: str = "deploy/client") -> str:
    """Return the HTTP status that a client gets, or why it gets none."""
    ask = f"timeout 5 wget -S -O /dev/null {asks}"
    ran = kubectl.within(namespace, of, "sh", "-c", ask, container="web")
    words = [line.split() for line in ran.err.splitlines() if line.strip().startswith("HTTP/")]
    return words[-1][1] if words else ran.err.strip()
