"""Deployments: how they roll, when they do not, and what their status says meanwhile."""

from tests.contract import waiting
from tests.contract.client import STRATEGIC, Json
from tests.contract.manifests import RESTART, SERVE, pod_spec, rolling, workload
from tests.contract.place import Place


def deploy(place: Place, replicas: int = 1, spec: Json | None = None, **more: object) -> Json:
    """Make a Deployment that loses no pod before it has a new one, and wait for it."""
    given: Json = {"strategy": rolling()} | more
    place.make("deployments", workload(replicas=replicas, spec=spec, **given))
    return waiting.rolled_out(place)


def restart(place: Place, plural: str = "deployments") -> None:
    place.ask("PATCH", plural, "web", RESTART, kind=STRATEGIC).object["spec"]


def replica_sets(place: Place) -> list[Json]:
    """Return an app's ReplicaSets, the oldest first."""
    found = place.items("replicasets")
    return sorted(found, key=lambda one: int(revision(one)))


def revision(obj: Json) -> str:
    return str(obj["metadata"]["annotations"]["deployment.kubernetes.io/revision"])


def progressing(place: Place, field: str, value: str) -> Json:
    """Wait until its condition Progressing says something, and return the Deployment."""

    def found() -> Json | None:
        obj = place.get("deployments", "web")
        return obj if waiting.condition(obj, "Progressing").get(field) == value else None

    return place.until(found, f"Progressing has {field} {value}")


def test_pods_come_by_way_of_a_replica_set_and_carry_its_hash(place: Place) -> None:
    made = deploy(place, replicas=2)

    (owner,) = replica_sets(place)
    pods = waiting.pods(place)
    hashed = owner["metadata"]["labels"]["pod-template-hash"]
    assert owner["metadata"]["name"] == f"web-{hashed}"
    assert {pod["metadata"]["labels"]["pod-template-hash"] for pod in pods} == {hashed}
    assert {pod["metadata"]["ownerReferences"][0]["name"] for pod in pods} == {f"web-{hashed}"}
    assert owner["metadata"]["ownerReferences"][0]["uid"] == made["metadata"]["uid"]
    assert revision(made) == revision(owner) == "1"


def test_a_healthy_one_is_available_and_has_progressed(place: Place) -> None:
    deploy(place)

    found = progressing(place, "reason", "NewReplicaSetAvailable")

    available = waiting.condition(found, "Available")
    assert (available["status"], available["reason"]) == ("True", "MinimumReplicasAvailable")
    assert found["status"]["availableReplicas"] == 1


def test_a_restart_replaces_every_pod_and_keeps_the_old_replica_set(place: Place) -> None:
    deploy(place, replicas=2)
    before = waiting.names(waiting.pods(place))

    restart(place)

    place.until(
        lambda: not (waiting.names(waiting.pods(place)) & before) and waiting.rolled_out(place),
        "every pod is a new one",
    )
    old, new = replica_sets(place)
    assert (old["spec"]["replicas"], new["spec"]["replicas"]) == (0, 2)
    assert revision(place.get("deployments", "web")) == revision(new) == "2"


def test_with_no_unavailability_there_are_never_too_few_or_too_many(place: Place) -> None:
    spec = pod_spec(SERVE, is_probed=True)
    deploy(place, replicas=2, spec=spec)
    seen: list[tuple[int, int]] = []

    restart(place)

    def is_over() -> bool:
        status = place.get("deployments", "web")["status"]
        seen.append((status.get("availableReplicas", 0), status.get("replicas", 0)))
        return len(seen) > 1 and status.get("updatedReplicas") == 2 == status["replicas"]

    place.until(is_over, "the rollout is over")
    assert min(available for available, _ in seen) >= 2
    assert max(total for _, total in seen) <= 3


def test_recreate_ends_the_old_pods_before_it_makes_new_ones(place: Place) -> None:
    deploy(place, replicas=2, strategy={"type": "Recreate"})
    seen: list[set[str]] = []

    restart(place)

    def is_over() -> bool:
        here = place.items("pods", labelSelector="app=web")
        seen.append({one["metadata"]["labels"]["pod-template-hash"] for one in here})
        return len(replica_sets(place)) == 2 and bool(
            replica_sets(place)[1]["status"].get("readyReplicas") == 2
        )

    place.until(is_over, "new pods are ready")
    assert all(len(hashes) <= 1 for hashes in seen)


def test_a_paused_one_does_not_roll_and_says_so(place: Place) -> None:
    deploy(place)
    place.merge("deployments", "web", {"spec": {"paused": True}})

    restart(place)

    found = progressing(place, "reason", "DeploymentPaused")

    assert waiting.condition(found, "Progressing")["status"] == "Unknown"
    assert len(replica_sets(place)) == 1
    place.merge("deployments", "web", {"spec": {"paused": False}})
    place.until(lambda: len(replica_sets(place)) == 2, "it goes on")


def test_one_that_never_gets_ready_exceeds_its_deadline_and_keeps_the_old_pod(
    place: Place,
) -> None:
    deploy(place, progressDeadlineSeconds=3)
    old = waiting.names(waiting.pods(place))
    never = pod_spec(is_probed=True)

    place.merge("deployments", "web", {"spec": {"template": {"spec": never}}})

    found = progressing(place, "status", "False")

    condition = waiting.condition(found, "Progressing")
    new = replica_sets(place)[1]["metadata"]["name"]
    assert condition["reason"] == "ProgressDeadlineExceeded"
    assert condition["message"] == f'ReplicaSet "{new}" has timed out progressing.'
    assert waiting.condition(found, "Available")["status"] == "True"
    assert old < waiting.names(waiting.pods(place))


def test_a_quota_without_room_stops_it_half_way_with_an_event(place: Place) -> None:
    deploy(place)
    quota = {"metadata": {"name": "few"}, "spec": {"hard": {"pods": "1"}}}
    place.make("resourcequotas", quota)
    place.until(lambda: place.get("resourcequotas", "few").get("status", {}).get("used"), "a quota")

    restart(place)

    found = place.until(lambda: waiting.events(place, "FailedCreate"), "an event")
    texts = [one["message"] for one in found]
    assert any(
        text.startswith('Error creating: pods "web-')
        and text.endswith(
            "is forbidden: exceeded quota: few, requested: pods=1, used: pods=1, limited: pods=1"
        )
        for text in texts
    ), texts
    failed = place.until(
        lambda: waiting.condition(place.get("deployments", "web"), "ReplicaFailure"), "a failure"
    )
    assert (failed["status"], failed["reason"]) == ("True", "FailedCreate")
    assert len(waiting.pods(place)) == 1


def test_scaling_changes_the_number_and_not_the_revision(place: Place) -> None:
    deploy(place)

    body = {"spec": {"replicas": 3}}
    place.merge("deployments", "web", body, sub="scale")

    waiting.ready(place, 3)
    assert len(replica_sets(place)) == 1
    place.merge("deployments", "web", {"spec": {"replicas": 0}}, sub="scale")
    place.until(lambda: not place.items("pods", labelSelector="app=web"), "no pods")


def test_a_deleted_pod_is_replaced(place: Place) -> None:
    deploy(place)
    (old,) = waiting.pods(place)

    place.ask("DELETE", "pods", old["metadata"]["name"])

    place.until(lambda: waiting.names(waiting.pods(place)) - waiting.names([old]), "another pod")


def test_a_template_that_was_there_before_gets_its_replica_set_back(place: Place) -> None:
    deploy(place)
    (first,) = replica_sets(place)
    place.json_patch(
        "deployments",
        "web",
        {"op": "add", "path": "/spec/template/metadata/annotations", "value": {"a": "1"}},
    )
    waiting.rolled_out(place)
    place.json_patch(
        "deployments", "web", {"op": "remove", "path": "/spec/template/metadata/annotations"}
    )

    waiting.rolled_out(place)

    assert len(replica_sets(place)) == 2
    assert replica_sets(place)[1]["metadata"]["name"] == first["metadata"]["name"]
    assert revision(place.get("deployments", "web")) == "3"
