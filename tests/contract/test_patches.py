"""Patches: JSON, merge and strategic merge, and how they fail."""

from tests.contract.client import JSON_PATCH, MERGE, STRATEGIC
from tests.contract.manifests import config, container, workload
from tests.contract.place import Place


def test_a_json_patch_adds_replaces_removes_moves_and_copies(place: Place) -> None:
    place.make("configmaps", config(a="1", b="2", c="3"))

    patched = place.json_patch(
        "configmaps",
        "one",
        {"op": "replace", "path": "/data/a", "value": "9"},
        {"op": "remove", "path": "/data/b"},
        {"op": "move", "from": "/data/c", "path": "/data/d"},
        {"op": "copy", "from": "/data/d", "path": "/data/e"},
        {"op": "add", "path": "/metadata/labels", "value": {"x~y": "1"}},
    ).code

    assert patched == 422  # `~` is no letter of a label
    patched_well = place.json_patch(
        "configmaps",
        "one",
        {"op": "replace", "path": "/data/a", "value": "9"},
        {"op": "remove", "path": "/data/b"},
        {"op": "move", "from": "/data/c", "path": "/data/d"},
        {"op": "copy", "from": "/data/d", "path": "/data/e"},
        {"op": "add", "path": "/metadata/annotations", "value": {"x/y": "1"}},
        {"op": "replace", "path": "/metadata/annotations/x~1y", "value": "2"},
    ).object
    assert patched_well["data"] == {"a": "9", "d": "3", "e": "3"}
    assert patched_well["metadata"]["annotations"] == {"x/y": "2"}


def test_a_json_patch_whose_test_fails_is_422_and_changes_nothing(place: Place) -> None:
    made = place.make("configmaps", config(a="1"))

    answer = place.json_patch(
        "configmaps",
        "one",
        {"op": "test", "path": "/data/a", "value": "2"},
        {"op": "replace", "path": "/data/a", "value": "3"},
    )

    assert (answer.code, answer.reason) == (422, "Invalid")
    assert place.get("configmaps", "one") == made


def test_a_json_patch_of_a_path_that_is_not_there_is_422(place: Place) -> None:
    place.make("configmaps", config(a="1"))

    answer = place.json_patch("configmaps", "one", {"op": "remove", "path": "/data/nosuch"})

    assert (answer.code, answer.reason) == (422, "Invalid")


def test_a_json_patch_that_is_no_list_is_400(place: Place) -> None:
    place.make("configmaps", config(a="1"))

    answer = place.ask("PATCH", "configmaps", "one", {"data": {}}, kind=JSON_PATCH)

    assert (answer.code, answer.reason) == (400, "BadRequest")


def test_a_merge_patch_sets_and_null_removes(place: Place) -> None:
    place.make("configmaps", config(labels={"a": "1", "b": "2"}, a="1"))

    patch = {"metadata": {"labels": {"a": None, "c": "3"}}, "data": {"a": "2"}}
    patched = place.merge("configmaps", "one", patch)

    assert patched["metadata"]["labels"] == {"b": "2", "c": "3"}
    assert patched["data"] == {"a": "2"}


def test_a_merge_patch_replaces_lists(place: Place) -> None:
    place.make("deployments", workload(replicas=0))

    containers = [container(name="other")]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    patched = place.merge("deployments", "web", patch)

    names = [one["name"] for one in patched["spec"]["template"]["spec"]["containers"]]
    assert names == ["other"]


def test_a_merge_patch_with_an_old_version_is_409(place: Place) -> None:
    made = place.make("configmaps", config(a="1"))
    place.merge("configmaps", "one", {"data": {"a": "2"}})

    version = {"resourceVersion": made["metadata"]["resourceVersion"]}
    patch = {"metadata": version, "data": {"a": "3"}}
    answer = place.ask("PATCH", "configmaps", "one", patch, kind=MERGE)

    assert (answer.code, answer.reason) == (409, "Conflict")
    assert place.get("configmaps", "one")["data"] == {"a": "2"}


def test_a_strategic_patch_merges_lists_by_their_key(place: Place) -> None:
    place.make("deployments", workload(replicas=0))

    containers = [{"name": "web", "env": [{"name": "A", "value": "1"}]}, container(name="other")]
    patch = {"spec": {"template": {"spec": {"containers": containers}}}}
    patched = place.ask("PATCH", "deployments", "web", patch, kind=STRATEGIC).object

    found = {one["name"]: one for one in patched["spec"]["template"]["spec"]["containers"]}
    assert set(found) == {"web", "other"}
    assert found["web"]["image"] == "docker.io/library/busybox:1"
    assert found["web"]["env"] == [{"name": "A", "value": "1"}]


def test_a_strategic_patch_deletes_and_replaces_as_it_is_told(place: Place) -> None:
    body = workload(replicas=0)
    body["spec"]["template"]["spec"]["containers"].append(container(name="other"))
    place.make("deployments", body)

    containers = [{"name": "other", "$patch": "delete"}]
    strategy = {"$patch": "replace", "type": "Recreate"}
    patch = {"spec": {"strategy": strategy, "template": {"spec": {"containers": containers}}}}
    patched = place.ask("PATCH", "deployments", "web", patch, kind=STRATEGIC).object

    names = [one["name"] for one in patched["spec"]["template"]["spec"]["containers"]]
    assert names == ["web"]
    assert patched["spec"]["strategy"] == {"type": "Recreate"}


def test_a_strategic_patch_of_a_custom_object_is_415(place: Place) -> None:
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    answer = place.client.ask("PATCH", f"{path}/nosuch.example", {}, kind="application/yaml")

    assert (answer.code, answer.reason) == (415, "UnsupportedMediaType")


def test_a_restart_is_one_annotation_in_the_template(place: Place) -> None:
    place.make("deployments", workload(replicas=0))
    note = {"kubectl.kubernetes.io/restartedAt": "2026-01-01T00:00:00Z"}
    patch = {"spec": {"template": {"metadata": {"annotations": note}}}}

    patched = place.ask("PATCH", "deployments", "web", patch, kind=STRATEGIC).object

    assert patched["spec"]["template"]["metadata"]["annotations"] == note
    assert patched["spec"]["template"]["metadata"]["labels"] == {"app": "web"}
    assert patched["metadata"]["generation"] == 2
