"""Verbs: what create, get, update and delete do, and what they refuse."""

import pytest

from tests.contract.client import Json
from tests.contract.manifests import config, pod, workload
from tests.contract.place import Place


def test_create_answers_201_with_uid_time_and_version(place: Place) -> None:
    answer = place.ask("POST", "configmaps", "", config(a="1"))

    metadata = answer.body["metadata"]
    assert answer.code == 201
    assert answer.body["kind"] == "ConfigMap"
    assert {"uid", "creationTimestamp", "resourceVersion"} <= set(metadata)
    assert metadata["namespace"] == place.name


def test_get_returns_what_was_created(place: Place) -> None:
    made = place.make("configmaps", config(a="1"))

    assert place.get("configmaps", "one") == made


def test_a_second_object_of_a_name_is_409_already_exists(place: Place) -> None:
    place.make("configmaps", config())

    answer = place.ask("POST", "configmaps", "", config())

    assert answer.said == (409, "AlreadyExists", 'configmaps "one" already exists')
    assert answer.body["details"] == {"name": "one", "kind": "configmaps"}


def test_what_is_not_there_is_404_with_its_name(place: Place) -> None:
    answer = place.ask("GET", "deployments", "nosuch")

    assert answer.said == (404, "NotFound", 'deployments.apps "nosuch" not found')
    assert answer.body["details"] == {"name": "nosuch", "group": "apps", "kind": "deployments"}


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_what_is_not_there_is_404_to_every_verb(place: Place, method: str) -> None:
    body = {"PUT": config("nosuch"), "PATCH": {"data": {"a": "1"}}, "DELETE": None}[method]
    kind = "application/merge-patch+json" if method == "PATCH" else "application/json"

    answer = place.ask(method, "configmaps", "nosuch", body, kind=kind)

    assert answer.said == (404, "NotFound", 'configmaps "nosuch" not found')


def test_a_namespace_that_is_not_there_is_404(place: Place) -> None:
    answer = place.client.ask("POST", "/api/v1/namespaces/nosuch-ns/configmaps", config())

    assert answer.said == (404, "NotFound", 'namespaces "nosuch-ns" not found')


def test_a_kind_that_is_not_there_is_404_without_a_name(place: Place) -> None:
    answer = place.client.ask("GET", "/apis/nosuch.example/v1/things")

    assert answer.code == 404
    assert answer.message in {
        "the server could not find the requested resource",
        "404 page not found\n",
    }


def test_another_namespace_in_the_body_is_400(place: Place) -> None:
    body = config() | {"metadata": {"name": "one", "namespace": "other"}}

    answer = place.ask("POST", "configmaps", "", body)

    assert answer.said == (
        400,
        "BadRequest",
        "the namespace of the provided object does not match the namespace sent on the request",
    )


def test_another_name_in_the_body_is_400(place: Place) -> None:
    place.make("configmaps", config())

    answer = place.ask("PUT", "configmaps", "one", config("two"))

    assert answer.said == (
        400,
        "BadRequest",
        "the name of the object (two) does not match the name on the URL (one)",
    )


def test_a_body_that_is_no_json_is_400(place: Place) -> None:
    answer = place.ask("POST", "configmaps", "", b"{nothing")

    assert (answer.code, answer.reason) == (400, "BadRequest")


def test_a_body_of_another_kind_is_400(place: Place) -> None:
    answer = place.ask("POST", "configmaps", "", {"apiVersion": "v1", "kind": "Secret"} | config())

    assert (answer.code, answer.reason) == (400, "BadRequest")
    assert "Secret" in answer.message


def test_a_body_of_an_unknown_type_is_415(place: Place) -> None:
    answer = place.ask("POST", "configmaps", "", b"hello", kind="text/plain")

    assert (answer.code, answer.reason) == (415, "UnsupportedMediaType")
    assert answer.message.startswith(
        "the body of the request was in an unknown format - accepted media types include: "
    )


def test_a_method_that_a_resource_has_not_is_405(place: Place) -> None:
    answer = place.ask("PUT", "configmaps", "", config())

    assert answer.said == (
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
    )


def test_a_wrong_token_is_401(place: Place) -> None:
    answer = place.client.as_token("nobody").ask("GET", place.path("configmaps"))

    assert answer.said == (401, "Unauthorized", "Unauthorized")


def test_update_replaces_all_but_what_the_server_owns(place: Place) -> None:
    made = place.make("configmaps", config(labels={"a": "1"}, a="1"))

    changed = place.ask("PUT", "configmaps", "one", config(b="2")).object

    assert changed["data"] == {"b": "2"}
    assert "labels" not in changed["metadata"]
    assert changed["metadata"]["uid"] == made["metadata"]["uid"]
    assert changed["metadata"]["creationTimestamp"] == made["metadata"]["creationTimestamp"]


def test_update_with_an_old_version_is_409_conflict(place: Place) -> None:
    made = place.make("configmaps", config(a="1"))
    place.ask("PUT", "configmaps", "one", config(a="2"))

    answer = place.ask("PUT", "configmaps", "one", made)

    assert answer.said == (
        409,
        "Conflict",
        (
            'Operation cannot be fulfilled on configmaps "one": the object has been modified; '
            "please apply your changes to the latest version and try again"
        ),
    )


def test_an_update_that_changes_nothing_keeps_the_version(place: Place) -> None:
    made = place.make("configmaps", config(a="1"))

    again = place.ask("PUT", "configmaps", "one", made).object

    assert again["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_a_change_of_the_spec_raises_the_generation_and_one_of_labels_does_not(
    place: Place,
) -> None:
    place.make("deployments", workload(replicas=0))

    relabelled = place.merge("deployments", "web", {"metadata": {"labels": {"a": "1"}}})
    scaled = place.merge("deployments", "web", {"spec": {"minReadySeconds": 1}})

    assert relabelled["metadata"]["generation"] == 1
    assert scaled["metadata"]["generation"] == 2


def test_a_generated_name_has_five_letters_behind_its_prefix(place: Place) -> None:
    body = config() | {"metadata": {"generateName": "one-"}}

    names = [place.make("configmaps", body)["metadata"]["name"] for _ in range(2)]

    assert names[0] != names[1]
    assert all(name.startswith("one-") and len(name) == 9 for name in names)


def test_an_object_without_a_name_is_422(place: Place) -> None:
    answer = place.ask("POST", "configmaps", "", {"data": {}})

    assert answer.said == (
        422,
        "Invalid",
        'ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required',
    )


def test_a_name_that_dns_does_not_know_is_422(place: Place) -> None:
    answer = place.ask("POST", "configmaps", "", config("Not_A_Name"))

    assert (answer.code, answer.reason) == (422, "Invalid")
    assert answer.message.startswith(
        'ConfigMap "Not_A_Name" is invalid: metadata.name: Invalid value: "Not_A_Name": '
        "a lowercase RFC 1123 subdomain must consist of"
    )


def test_a_bad_label_is_422_with_its_cause(place: Place) -> None:
    answer = place.ask("POST", "configmaps", "", config(labels={"a": "not a label"}))

    assert (answer.code, answer.reason) == (422, "Invalid")
    (cause,) = answer.body["details"]["causes"]
    assert (cause["reason"], cause["field"]) == ("FieldValueInvalid", "metadata.labels")


def test_a_number_where_text_belongs_is_400(place: Place) -> None:
    answer = place.ask("POST", "configmaps", "", {"metadata": {"name": "one"}, "data": {"a": 1}})

    assert (answer.code, answer.reason) == (400, "BadRequest")
    assert "json: cannot unmarshal number into Go struct field ConfigMap.data" in answer.message


def test_a_deployment_whose_selector_misses_its_template_is_422(place: Place) -> None:
    body = workload(replicas=0)
    body["spec"]["selector"] = {"matchLabels": {"app": "other"}}

    answer = place.ask("POST", "deployments", "", body)

    assert (answer.code, answer.reason) == (422, "Invalid")
    assert answer.message == (
        'Deployment.apps "web" is invalid: spec.template.metadata.labels: Invalid value: '
        '{"app":"web"}: `selector` does not match template `labels`'
    )


def test_a_selector_cannot_be_changed(place: Place) -> None:
    place.make("deployments", workload(replicas=0))
    labels = {"app": "other"}
    spec: Json = {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}}

    answer = place.ask(
        "PATCH", "deployments", "web", {"spec": spec}, kind="application/merge-patch+json"
    )

    assert (answer.code, answer.reason) == (422, "Invalid")
    assert "spec.selector: Invalid value:" in answer.message
    assert answer.message.endswith("field is immutable")


def test_a_pod_keeps_its_containers(place: Place) -> None:
    place.make("pods", pod())

    patch = {"spec": {"nodeSelector": {"a": "b"}}}
    answer = place.ask("PATCH", "pods", "web", patch, kind="application/merge-patch+json")

    assert (answer.code, answer.reason) == (422, "Invalid")
    assert (
        'Pod "web" is invalid: spec: Forbidden: pod updates may not change fields other than'
        in (answer.message)
    )


def test_a_dry_run_answers_as_if_it_were_real_and_keeps_nothing(place: Place) -> None:
    answer = place.ask("POST", "configmaps", "", config(a="1"), dryRun="All")

    assert answer.code == 201
    assert answer.body["data"] == {"a": "1"}
    assert place.find("configmaps", "one") is None


def test_a_dry_run_of_a_change_and_of_a_deletion_keeps_what_is_there(place: Place) -> None:
    made = place.make("configmaps", config(a="1"))

    changed = place.ask("PUT", "configmaps", "one", config(a="2"), dryRun="All").object
    deleted = place.ask("DELETE", "configmaps", "one", dryRun="All")

    assert (changed["data"], deleted.code) == ({"a": "2"}, 200)
    assert place.get("configmaps", "one") == made


def test_an_unknown_dry_run_is_refused(place: Place) -> None:
    answer = place.ask("POST", "configmaps", "", config(), dryRun="Some")

    assert (answer.code, answer.reason) == (422, "Invalid")
    assert 'dryRun: Unsupported value: ["Some"]: supported values: "All"' in answer.message


def test_an_unknown_field_is_refused_only_where_validation_is_strict(place: Place) -> None:
    body = config() | {"datum": {}}

    answer = place.ask("POST", "configmaps", "", body, fieldValidation="Strict")

    assert (answer.code, answer.reason) == (400, "BadRequest")
    assert 'strict decoding error: unknown field "datum"' in answer.message
    assert place.ask("POST", "configmaps", "", body, fieldValidation="Ignore").code == 201


def test_delete_answers_with_a_status_that_names_the_object(place: Place) -> None:
    made = place.make("configmaps", config())

    answer = place.ask("DELETE", "configmaps", "one")

    assert (answer.code, answer.body["status"]) == (200, "Success")
    assert answer.body["details"] == {
        "name": "one",
        "kind": "configmaps",
        "uid": made["metadata"]["uid"],
    }
    assert place.find("configmaps", "one") is None


def test_delete_with_another_uid_is_409(place: Place) -> None:
    place.make("configmaps", config())

    options = {"preconditions": {"uid": "00000000-0000-0000-0000-000000000000"}}
    answer = place.ask("DELETE", "configmaps", "one", options)

    assert (answer.code, answer.reason) == (409, "Conflict")
    assert "the UID in the precondition" in answer.message
    assert place.find("configmaps", "one") is not None


def test_an_object_with_a_finalizer_stays_until_it_is_gone(place: Place) -> None:
    body = config()
    body["metadata"]["finalizers"] = ["contract.example/wait"]
    place.make("configmaps", body)

    answer = place.ask("DELETE", "configmaps", "one")

    assert answer.code == 200
    assert "deletionTimestamp" in place.get("configmaps", "one")["metadata"]
    place.merge("configmaps", "one", {"metadata": {"finalizers": None}})
    assert place.find("configmaps", "one") is None


def test_no_finalizer_is_added_to_what_is_being_deleted(place: Place) -> None:
    body = config()
    body["metadata"]["finalizers"] = ["contract.example/wait"]
    place.make("configmaps", body)
    place.ask("DELETE", "configmaps", "one")

    patch = {"metadata": {"finalizers": ["contract.example/wait", "contract.example/more"]}}
    answer = place.ask("PATCH", "configmaps", "one", patch, kind="application/merge-patch+json")

    assert (answer.code, answer.reason) == (422, "Invalid")
    assert "no new finalizers can be added if the object is being deleted" in answer.message
    place.merge("configmaps", "one", {"metadata": {"finalizers": None}})


def test_delete_of_a_collection_takes_those_that_are_selected(place: Place) -> None:
    place.make("configmaps", config("one", labels={"a": "1"}))
    place.make("configmaps", config("two"))

    answer = place.ask("DELETE", "configmaps", labelSelector="a=1")

    assert answer.code == 200
    assert place.find("configmaps", "one") is None
    assert place.find("configmaps", "two") is not None


def test_defaults_are_filled_in(place: Place) -> None:
    spec = place.make("deployments", workload(replicas=0))["spec"]

    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": "25%", "maxUnavailable": "25%"}
    assert (spec["progressDeadlineSeconds"], spec["revisionHistoryLimit"]) == (600, 10)
    pod_spec = spec["template"]["spec"]
    assert (pod_spec["restartPolicy"], pod_spec["dnsPolicy"]) == ("Always", "ClusterFirst")
    (only,) = pod_spec["containers"]
    assert only["terminationMessagePath"] == "/dev/termination-log"


def test_a_service_gets_an_address(place: Place) -> None:
    ports = [{"port": 80}]
    made = place.make("services", {"metadata": {"name": "web"}, "spec": {"ports": ports}})

    assert made["spec"]["clusterIP"] == made["spec"]["clusterIPs"][0]
    assert made["spec"]["type"] == "ClusterIP"
    assert made["spec"]["ports"] == [{"protocol": "TCP", "port": 80, "targetPort": 80}]


def test_every_namespace_has_its_name_as_a_label_and_a_root_certificate(place: Place) -> None:
    namespace = place.client.ask("GET", f"/api/v1/namespaces/{place.name}").object

    assert namespace["metadata"]["labels"]["kubernetes.io/metadata.name"] == place.name
    assert namespace["status"]["phase"] == "Active"
    assert namespace["spec"]["finalizers"] == ["kubernetes"]
    place.until(lambda: place.find("configmaps", "kube-root-ca.crt"), "a root certificate")
    place.until(lambda: place.find("serviceaccounts", "default"), "a service account")
