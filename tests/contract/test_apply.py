"""Server-side apply: who owns a field, who is in the way, and what goes when it is not wished any more."""

from tests.contract.client import APPLY, Answer, Json
from tests.contract.manifests import config, container, workload
from tests.contract.place import Place


def apply(place: Place, body: Json, *, manager: str = "us", **query: str) -> Answer:
    whole = {"apiVersion": "v1", "kind": "ConfigMap"} | body
    return place.ask("PATCH", "configmaps", "one", whole, kind=APPLY, fieldManager=manager, **query)


def owners(obj: Json) -> dict[str, str]:
    return {one["manager"]: one["operation"] for one in obj["metadata"]["managedFields"]}


def test_apply_creates_what_is_not_there(place: Place) -> None:
    answer = apply(place, config(a="1"))

    assert answer.code == 201
    assert owners(answer.body) == {"us": "Apply"}


def test_apply_again_changes_nothing(place: Place) -> None:
    made = apply(place, config(a="1")).object

    again = apply(place, config(a="1"))

    assert again.code == 200
    assert again.body["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


def test_apply_without_a_manager_is_refused(place: Place) -> None:
    answer = apply(place, config(a="1"), manager="")

    assert (answer.code, answer.reason) == (422, "Invalid")
    assert "fieldManager: Required value: is required for apply patch" in answer.message


def test_what_is_not_applied_any_more_goes(place: Place) -> None:
    apply(place, config(a="1", b="2"))

    changed = apply(place, config(a="1")).object

    assert changed["data"] == {"a": "1"}


def test_what_others_own_stays(place: Place) -> None:
    apply(place, config(a="1"))

    both = apply(place, config(b="2"), manager="others").object
    alone = apply(place, config(), manager="others").object

    assert both["data"] == {"a": "1", "b": "2"}
    assert alone["data"] == {"a": "1"}


def test_another_value_for_what_somebody_owns_is_409_and_names_them(place: Place) -> None:
    apply(place, config(a="1"))

    answer = apply(place, config(a="2"), manager="others")

    assert (answer.code, answer.reason) == (409, "Conflict")
    assert answer.message == 'Apply failed with 1 conflict: conflict with "us": .data.a'
    (cause,) = answer.body["details"]["causes"]
    assert cause == {
        "reason": "FieldManagerConflict",
        "message": 'conflict with "us"',
        "field": ".data.a",
    }


def test_force_takes_it_from_them(place: Place) -> None:
    apply(place, config(a="1"))

    taken = apply(place, config(a="2"), manager="others", force="true").object

    assert taken["data"] == {"a": "2"}
    fields = {one["manager"]: one["fieldsV1"] for one in taken["metadata"]["managedFields"]}
    assert "f:data" in fields["others"]
    assert "f:a" not in fields.get("us", {}).get("f:data", {})


def test_the_same_value_is_owned_together(place: Place) -> None:
    apply(place, config(a="1"))
    shared = apply(place, config(a="1"), manager="others")

    left = apply(place, config(), manager="us").object

    assert shared.code == 200
    assert left["data"] == {"a": "1"}


def test_an_update_owns_what_it_changes(place: Place) -> None:
    apply(place, config(a="1"))

    place.merge("configmaps", "one", {"data": {"a": "2"}}, fieldManager="hand")
    answer = apply(place, config(a="1"))

    assert answer.code == 409
    assert 'conflict with "hand" using v1' in answer.message
    assert owners(place.get("configmaps", "one"))["hand"] == "Update"


def test_apply_merges_containers_by_name(place: Place) -> None:
    place.make("deployments", workload(replicas=0), fieldManager="them")
    spec: Json = {"template": {"spec": {"containers": [container(name="other")]}}}
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": spec,
    }

    applied = place.ask("PATCH", "deployments", "web", body, kind=APPLY, fieldManager="us").object

    names = [one["name"] for one in applied["spec"]["template"]["spec"]["containers"]]
    assert names == ["web", "other"]


def test_apply_takes_yaml(place: Place) -> None:
    text = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: one\ndata:\n  a: '1'\n"

    answer = place.ask("PATCH", "configmaps", "one", text, kind=APPLY, fieldManager="us")

    assert (answer.code, answer.body["data"]) == (201, {"a": "1"})


def test_managed_fields_in_an_apply_are_refused(place: Place) -> None:
    body = config(a="1")
    body["metadata"]["managedFields"] = [{"manager": "x"}]

    answer = apply(place, body)

    assert (answer.code, answer.message) == (400, "metadata.managedFields must be nil")
