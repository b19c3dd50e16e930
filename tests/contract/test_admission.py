"""Admission: which requests a webhook is asked about, and what happens where it cannot be."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.contract.client import Answer, Json
from tests.contract.manifests import config
from tests.contract.mesh import INJECTORS, VALIDATORS
from tests.contract.place import Place

MISSING = 'service "nosuch" not found'


@contextmanager
def webhook(place: Place, plural: str = VALIDATORS, **more: object) -> Iterator[None]:
    """Let a webhook that nobody answers be asked about the ConfigMaps of a namespace."""
    service = {"name": "nosuch", "namespace": place.name, "path": "/ask"}
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}
    hook: Json = {
        "name": "ask.contract.example",
        "admissionReviewVersions": ["v1"],
        "sideEffects": "None",
        "clientConfig": {"service": service},
        "rules": [rule | {"operations": ["CREATE", "UPDATE"]}],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": place.name}},
    }
    path = f"/apis/admissionregistration.k8s.io/v1/{plural}"
    body = {"metadata": {"name": place.name}, "webhooks": [hook | more]}
    place.client.ask("POST", path, body).object["webhooks"]
    try:
        yield
    finally:
        place.client.ask("DELETE", f"{path}/{place.name}")


def create(place: Place, name: str = "one", **query: str) -> Answer:
    return place.ask("POST", "configmaps", "", config(name), **query)


def until_refused(place: Place, **query: str) -> Answer:
    """The API server learns of a webhook a moment later."""

    def refused() -> Answer | None:
        answer = create(place, **query)
        if answer.code < 300:
            place.ask("DELETE", "configmaps", "one")
        return answer if answer.code >= 300 else None

    return place.until(refused, "the webhook is heeded")


@pytest.mark.parametrize("plural", [INJECTORS, VALIDATORS])
def test_where_a_webhook_cannot_be_called_the_request_fails(place: Place, plural: str) -> None:
    with webhook(place, plural):
        answer = until_refused(place)

    assert answer.said == (
        500,
        "InternalError",
        (
            'Internal error occurred: failed calling webhook "ask.contract.example": failed to '
            f'call webhook: Post "https://nosuch.{place.name}.svc:443/ask?timeout=10s": {MISSING}'
        ),
    )


def test_with_a_policy_to_ignore_that_it_does_not(place: Place) -> None:
    with webhook(place):
        until_refused(place)
    with webhook(place, failurePolicy="Ignore"):
        place.until(lambda: create(place).code == 201, "it is created")


def test_a_dry_run_reaches_a_webhook_without_side_effects(place: Place) -> None:
    with webhook(place, sideEffects="NoneOnDryRun"):
        answer = until_refused(place, dryRun="All")

    assert answer.message.endswith(MISSING)


def test_its_timeout_is_in_the_question(place: Place) -> None:
    with webhook(place, timeoutSeconds=3):
        answer = until_refused(place)

    assert "/ask?timeout=3s" in answer.message


def test_it_is_asked_about_what_it_selects_and_nothing_else(place: Place) -> None:
    labelled = config("two", labels={"asked": "yes"})
    with webhook(place, objectSelector={"matchLabels": {"asked": "yes"}}):
        place.until(
            lambda: place.ask("POST", "configmaps", "", labelled, dryRun="All").code == 500,
            "the webhook is heeded",
        )
        other = create(place)
        deleted = place.ask("DELETE", "configmaps", "one")

    assert (other.code, deleted.code) == (201, 200)


def test_an_object_that_would_lose_its_label_is_still_asked_about(place: Place) -> None:
    place.make("configmaps", config(labels={"asked": "yes"}))
    remove = {"op": "remove", "path": "/metadata/labels/asked"}
    with webhook(place, objectSelector={"matchLabels": {"asked": "yes"}}):
        place.until(
            lambda: place.json_patch("configmaps", "one", remove, dryRun="All").code == 500,
            "the webhook is heeded",
        )


def test_webhooks_cannot_keep_people_from_repairing_webhooks(place: Place) -> None:
    rule = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*"], "operations": ["*"]}
    with webhook(place, rules=[rule]):
        until_refused(place)
        path = f"/apis/admissionregistration.k8s.io/v1/{VALIDATORS}/{place.name}"
        answer = place.client.ask("DELETE", path)

    assert answer.code == 200
