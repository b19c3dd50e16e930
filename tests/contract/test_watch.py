"""Watches: what they tell, from when on, and when they are over."""

from collections.abc import Iterator
from itertools import islice

from tests.contract.client import Json
from tests.contract.manifests import config
from tests.contract.place import Place


def named(events: Iterator[Json], count: int) -> list[tuple[str, str]]:
    """Return the next events, as type and name."""
    return [(one["type"], one["object"]["metadata"]["name"]) for one in islice(events, count)]


def version(place: Place) -> str:
    return str(place.ask("GET", "configmaps").object["metadata"]["resourceVersion"])


def test_a_watch_replays_what_happened_since_a_version(place: Place) -> None:
    before = version(place)
    place.make("configmaps", config(labels={"a": ""}))
    place.merge("configmaps", "one", {"data": {"a": "1"}})
    place.ask("DELETE", "configmaps", "one")

    path = place.path("configmaps")
    with place.client.watch(path, resourceVersion=before, labelSelector="a") as events:
        seen = named(events, 3)

    assert seen == [("ADDED", "one"), ("MODIFIED", "one"), ("DELETED", "one")]


def test_a_watch_tells_what_happens(place: Place) -> None:
    path = place.path("configmaps")
    with place.client.watch(path, resourceVersion=version(place), labelSelector="a") as events:
        place.make("configmaps", config(labels={"a": ""}))
        event = next(events)

    assert event["type"] == "ADDED"
    assert (event["object"]["kind"], event["object"]["apiVersion"]) == ("ConfigMap", "v1")


def test_a_watch_without_a_version_begins_with_what_is_there(place: Place) -> None:
    place.make("configmaps", config(labels={"a": ""}))

    with place.client.watch(place.path("configmaps"), labelSelector="a") as events:
        assert named(events, 1) == [("ADDED", "one")]


def test_what_comes_under_a_selector_is_added_and_what_leaves_it_is_deleted(place: Place) -> None:
    place.make("configmaps", config())

    path = place.path("configmaps")
    with place.client.watch(path, resourceVersion=version(place), labelSelector="a=1") as events:
        place.merge("configmaps", "one", {"metadata": {"labels": {"a": "1"}}})
        place.merge("configmaps", "one", {"metadata": {"labels": {"a": "2"}}})
        seen = named(events, 2)

    assert seen == [("ADDED", "one"), ("DELETED", "one")]


def test_a_deleted_object_s_last_event_has_a_newer_version(place: Place) -> None:
    made = place.make("configmaps", config())
    old = made["metadata"]["resourceVersion"]
    with place.client.watch(place.path("configmaps"), resourceVersion=old) as events:
        place.ask("DELETE", "configmaps", "one")
        event = next(one for one in events if one["object"]["metadata"]["name"] == "one")

    assert event["type"] == "DELETED"
    assert int(event["object"]["metadata"]["resourceVersion"]) > int(old)


def test_a_watch_ends_when_its_time_is_over(place: Place) -> None:
    with place.client.watch(place.path("configmaps"), seconds=1) as events:
        assert all(one["type"] == "ADDED" for one in events)


def test_a_streamed_list_ends_with_a_bookmark(place: Place) -> None:
    place.make("configmaps", config(labels={"a": ""}))
    streamed = place.client.watch(
        place.path("configmaps"),
        sendInitialEvents="true",
        resourceVersionMatch="NotOlderThan",
        allowWatchBookmarks="true",
        labelSelector="a",
    )
    with streamed as events:
        added, bookmark = next(events), next(events)

    assert (added["type"], added["object"]["metadata"]["name"]) == ("ADDED", "one")
    assert bookmark["type"] == "BOOKMARK"
    metadata = bookmark["object"]["metadata"]
    assert metadata["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert int(metadata["resourceVersion"]) >= int(added["object"]["metadata"]["resourceVersion"])


def test_initial_events_without_a_match_are_refused(place: Place) -> None:
    with place.client.watch(place.path("configmaps"), sendInitialEvents="true") as events:
        refused = next(events)["object"]

    assert refused["code"] == 422
    assert (
        "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        in (refused["message"])
    )


def test_a_version_that_nobody_remembers_is_410_as_an_event(place: Place) -> None:
    with place.client.watch(place.path("configmaps"), resourceVersion="1") as events:
        event = next(events)

    assert event["type"] == "ERROR"
    assert (event["object"]["code"], event["object"]["reason"]) == (410, "Expired")
    assert event["object"]["message"].startswith("too old resource version: 1 (")


def test_a_version_that_is_no_number_is_refused(place: Place) -> None:
    with place.client.watch(place.path("configmaps"), resourceVersion="abc") as events:
        refused = next(events)["object"]

    assert refused["code"] == 500
    assert 'strconv.ParseUint: parsing "abc": invalid syntax' in refused["message"]


def test_one_object_is_watched_by_its_name(place: Place) -> None:
    place.make("configmaps", config("one"))
    place.make("configmaps", config("two"))

    path = place.path("configmaps")
    with place.client.watch(path, fieldSelector="metadata.name=two") as events:
        assert named(events, 1) == [("ADDED", "two")]
