"""Parts of objects: status, scale, eviction, and what is refused of them."""

from tests.contract.client import MERGE
from tests.contract.manifests import config, pod, workload
from tests.contract.place import Place


def test_status_is_written_apart_from_the_spec(place: Place) -> None:
    made = place.make("deployments", workload(replicas=0, paused=True))

    patch = {"spec": {"minReadySeconds": 9}, "status": {"collisionCount": 3}}
    changed = place.ask("PATCH", "deployments", "web", patch, kind=MERGE, sub="status").object

    assert "minReadySeconds" not in changed["spec"]
    assert changed["status"]["collisionCount"] == 3
    assert changed["metadata"]["generation"] == made["metadata"]["generation"]


def test_an_update_of_the_object_leaves_its_status(place: Place) -> None:
    place.make("pods", pod() | {"spec": pod()["spec"] | {"schedulerName": "nobody"}})

    changed = place.merge("pods", "web", {"status": {"phase": "Failed"}})

    assert changed["status"]["phase"] == "Pending"


def test_scale_reads_and_writes_the_number_of_pods(place: Place) -> None:
    place.make("deployments", workload(replicas=0, paused=True))

    before = place.get("deployments", "web", "scale")
    body = {"metadata": {"name": "web"}, "spec": {"replicas": 2}}
    after = place.ask("PUT", "deployments", "web", body, sub="scale").object

    assert (before["kind"], before["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert before["spec"] == {}
    assert after["spec"] == {"replicas": 2}
    assert after["status"]["selector"] == "app=web"
    assert place.get("deployments", "web")["spec"]["replicas"] == 2


def test_scale_is_patched_too(place: Place) -> None:
    place.make("statefulsets", workload(replicas=0, serviceName="web"))

    patch = {"spec": {"replicas": 1}}
    place.ask("PATCH", "statefulsets", "web", patch, kind=MERGE, sub="scale").object["spec"]

    assert place.get("statefulsets", "web")["spec"]["replicas"] == 1


def test_a_part_that_an_object_has_not_is_404(place: Place) -> None:
    place.make("configmaps", config())

    answer = place.ask("GET", "configmaps", "one", sub="status")

    assert answer.said == (
        404,
        "NotFound",
        "the server could not find the requested resource",
    )


def test_a_pod_is_bound_once(place: Place) -> None:
    place.make("pods", pod() | {"spec": pod()["spec"] | {"schedulerName": "nobody"}})
    binding = {"metadata": {"name": "web"}, "target": {"kind": "Node", "name": "some-node"}}

    first = place.ask("POST", "pods", "web", binding, sub="binding")
    second = place.ask("POST", "pods", "web", binding, sub="binding")

    assert first.code == 201
    bound = place.get("pods", "web")
    assert bound["spec"]["nodeName"] == "some-node"
    conditions = {one["type"]: one["status"] for one in bound["status"]["conditions"]}
    assert conditions["PodScheduled"] == "True"
    assert (second.code, second.reason) == (409, "Conflict")
    assert "pod web is already assigned to node" in second.message


def test_an_eviction_deletes_a_pod(place: Place) -> None:
    place.make("pods", pod() | {"spec": pod()["spec"] | {"schedulerName": "nobody"}})
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "web"}}

    answer = place.ask("POST", "pods", "web", eviction, sub="eviction")

    assert (answer.code, answer.body["status"]) == (201, "Success")
    assert place.find("pods", "web") is None


def test_a_namespace_s_end_is_asked_for_at_its_finalize(place: Place) -> None:
    namespace = place.client.ask("GET", f"/api/v1/namespaces/{place.name}").object
    namespace["spec"]["finalizers"] = ["contract.example/one", "kubernetes"]

    path = f"/api/v1/namespaces/{place.name}/finalize"
    changed = place.client.ask("PUT", path, namespace).object

    assert changed["spec"]["finalizers"] == ["contract.example/one", "kubernetes"]
    changed["spec"]["finalizers"] = ["kubernetes"]
    place.client.ask("PUT", path, changed).object["spec"]


def test_a_service_account_s_token_is_its_user(place: Place) -> None:
    place.until(lambda: place.find("serviceaccounts", "default"), "a service account")
    request = {"spec": {"expirationSeconds": 600}}

    made = place.ask("POST", "serviceaccounts", "default", request, sub="token").object

    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    them = place.client.as_token(made["status"]["token"])
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    user = them.ask("POST", path, review).object["status"]["userInfo"]
    them.close()
    assert user["username"] == f"system:serviceaccount:{place.name}:default"
    assert {"system:serviceaccounts", f"system:serviceaccounts:{place.name}"} < set(user["groups"])
