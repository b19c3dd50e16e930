"""Leases: what a lock needs of them."""

from tests.contract.client import MERGE, Json
from tests.contract.place import Place

TIME = "2026-01-01T00:00:00.000001Z"


def lease(holder: str) -> Json:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15, "renewTime": TIME}
    return {"metadata": {"name": "lock"}, "spec": spec}


def test_a_lease_is_taken_by_whoever_makes_it_first(place: Place) -> None:
    first = place.ask("POST", "leases", "", lease("us"))
    second = place.ask("POST", "leases", "", lease("them"))

    assert (first.code, second.code) == (201, 409)
    assert place.get("leases", "lock")["spec"]["holderIdentity"] == "us"


def test_of_two_who_renew_from_one_version_only_one_succeeds(place: Place) -> None:
    read = place.make("leases", lease("us"))
    ours, theirs = read["spec"], read["spec"] | {"holderIdentity": "them"}

    first = place.ask("PUT", "leases", "lock", read | {"spec": ours | {"leaseTransitions": 1}})
    second = place.ask("PUT", "leases", "lock", read | {"spec": theirs})

    assert (first.code, second.code, second.reason) == (200, 409, "Conflict")


def test_times_keep_their_microseconds(place: Place) -> None:
    made = place.make("leases", lease("us"))

    assert made["spec"]["renewTime"] == TIME


def test_a_lease_that_is_free_has_no_holder(place: Place) -> None:
    place.make("leases", lease("us"))

    patch = {"spec": {"holderIdentity": None}}
    freed = place.ask("PATCH", "leases", "lock", patch, kind=MERGE).object

    assert "holderIdentity" not in freed["spec"]


def test_a_duration_of_nothing_is_422(place: Place) -> None:
    body = lease("us")
    body["spec"]["leaseDurationSeconds"] = 0

    answer = place.ask("POST", "leases", "", body)

    assert (answer.code, answer.reason) == (422, "Invalid")
    assert "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0" in answer.message
