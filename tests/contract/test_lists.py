"""Lists: selectors, pages, tables and metadata alone."""

import pytest

from tests.contract.client import Json
from tests.contract.manifests import config, pod
from tests.contract.place import Place

METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
TABLE = "application/json;as=Table;g=meta.k8s.io;v=v1"


def three(place: Place) -> None:
    place.make("configmaps", config("one", labels={"tier": "a", "x": "1"}))
    place.make("configmaps", config("three", labels={"tier": "b"}))
    place.make("configmaps", config("two", labels={}))


def selected(place: Place, selector: str) -> set[str]:
    found = place.items("configmaps", labelSelector=selector)
    return {one["metadata"]["name"] for one in found} & {"one", "two", "three"}


def test_a_list_has_a_version_and_items_without_a_kind(place: Place) -> None:
    three(place)

    body = place.ask("GET", "configmaps").object

    assert (body["kind"], body["apiVersion"]) == ("ConfigMapList", "v1")
    assert body["metadata"]["resourceVersion"]
    assert all("kind" not in one for one in body["items"])


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("tier=a", {"one"}),
        ("tier==a", {"one"}),
        ("tier!=a", {"two", "three"}),
        ("tier", {"one", "three"}),
        ("!tier", {"two"}),
        ("tier in (a,b)", {"one", "three"}),
        ("tier notin (a)", {"two", "three"}),
        ("tier in (a,b),!x", {"three"}),
    ],
)
def test_labels_select(place: Place, selector: str, expected: set[str]) -> None:
    three(place)

    assert selected(place, selector) == expected


def test_a_selector_that_cannot_be_read_is_400(place: Place) -> None:
    answer = place.ask("GET", "configmaps", labelSelector="a in (b")

    assert (answer.code, answer.reason) == (400, "BadRequest")
    assert "unable to parse requirement" in answer.message


def test_a_name_selects_as_a_field(place: Place) -> None:
    three(place)

    found = place.items("configmaps", fieldSelector="metadata.name=two")

    assert [one["metadata"]["name"] for one in found] == ["two"]


def test_pods_are_selected_by_phase(place: Place) -> None:
    place.make("pods", pod("one") | {"spec": pod()["spec"] | {"schedulerName": "nobody"}})

    assert len(place.items("pods", fieldSelector="status.phase=Pending")) == 1
    assert place.items("pods", fieldSelector="status.phase=Running") == []
    place.make("pods", pod("two") | {"spec": pod()["spec"] | {"nodeName": "nosuch"}})
    assert len(place.items("pods", fieldSelector="spec.nodeName=nosuch")) == 1


def test_a_field_that_does_not_select_is_400(place: Place) -> None:
    answer = place.ask("GET", "configmaps", fieldSelector="data.a=1")

    assert answer.code == 400
    assert answer.message == (
        '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"'
    )


def pages(place: Place, *, limit: int) -> list[Json]:
    found = [place.ask("GET", "configmaps", limit=limit, labelSelector="all").object]
    while token := found[-1]["metadata"].get("continue"):
        found.append(
            place.ask(
                "GET", "configmaps", limit=limit, labelSelector="all", **{"continue": token}
            ).object
        )
    return found


def test_pages_give_everything_once_and_in_order(place: Place) -> None:
    for number in range(5):
        place.make("configmaps", config(f"c-{number}", labels={"all": ""}))

    found = pages(place, limit=2)

    names = [[one["metadata"]["name"] for one in page["items"]] for page in found]
    assert names == [["c-0", "c-1"], ["c-2", "c-3"], ["c-4"]]


def test_pages_show_one_moment(place: Place) -> None:
    for number in range(3):
        place.make("configmaps", config(f"c-{number}", labels={"all": ""}))
    first = place.ask("GET", "configmaps", limit=2).object
    place.make("configmaps", config("c-9"))

    token = first["metadata"]["continue"]
    second = place.ask("GET", "configmaps", limit=20, **{"continue": token}).object

    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert "c-9" not in {one["metadata"]["name"] for one in second["items"]}


def test_a_continue_that_cannot_be_read_is_400(place: Place) -> None:
    answer = place.ask("GET", "configmaps", limit=2, **{"continue": "rubbish"})

    assert (answer.code, answer.reason) == (400, "BadRequest")
    assert answer.message.startswith("invalid continue token: continue key is not valid:")


def test_metadata_alone_is_metadata_alone(place: Place) -> None:
    place.make("configmaps", config(labels={"a": "1"}, a="1"))

    body = place.ask("GET", "configmaps", accept=METADATA, labelSelector="a").object

    assert body["kind"] == "PartialObjectMetadataList"
    (only,) = body["items"]
    assert only["kind"] == "PartialObjectMetadata"
    assert "data" not in only
    assert only["metadata"]["labels"] == {"a": "1"}


def test_a_table_has_the_columns_that_kubectl_prints(place: Place) -> None:
    place.make("pods", pod("one"))

    body = place.ask("GET", "pods", accept=TABLE).object

    columns = [one["name"] for one in body["columnDefinitions"]]
    assert columns[:5] == ["Name", "Ready", "Status", "Restarts", "Age"]
    (row,) = body["rows"]
    assert row["cells"][0] == "one"
    assert row["object"]["kind"] == "PartialObjectMetadata"


def test_a_list_of_all_namespaces_says_whose_each_is(place: Place) -> None:
    place.make("configmaps", config(labels={"of": place.name}))

    found = place.client.ask("GET", "/api/v1/configmaps", labelSelector=f"of={place.name}").items

    assert [one["metadata"]["namespace"] for one in found] == [place.name]


def test_an_answer_in_an_unknown_form_is_406(place: Place) -> None:
    answer = place.ask("GET", "configmaps", accept="text/csv")

    assert (answer.code, answer.reason) == (406, "NotAcceptable")
