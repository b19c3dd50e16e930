"""A tag's objects: whose labels they carry decides what an uninstall takes along."""

from typing import Any

import pytest

from deployments.rehearsal.istioctl import tag_objects
from deployments.rehearsal.istioctl.descriptions import Description, Names
from deployments.rehearsal.istioctl.tag_objects import Called, Wish

Json = dict[str, Any]
DESCRIPTION = Description.of("1.29.1")


def called(revision: str = "1-29-1") -> Called:
    """Read an installed revision's own injector, with what istiod wrote into it."""
    names = Names(revision="" if revision == "default" else revision)
    own = DESCRIPTION.one("MutatingWebhookConfiguration", "istio-sidecar-injector", names)
    own["metadata"]["labels"]["operator.istio.io/version"] = "1.29.1"
    for hook in own["webhooks"]:
        hook["clientConfig"]["caBundle"] = "Y2E="
    found = tag_objects.called_by(own)
    assert found is not None
    return found


def wish(tag: str = "prod", revision: str = "1-29-1", labels: Json | None = None) -> Wish:
    return Wish(tag=tag, revision=revision, labels=labels)


def injector(one: Wish) -> Json:
    return tag_objects.injector(DESCRIPTION, one, called(one.revision))


def selected(obj: Json) -> set[str]:
    """Return the values of `istio.io/rev` that a configuration's webhooks look for."""
    return {
        value
        for hook in obj["webhooks"]
        for selector in (hook["namespaceSelector"], hook["objectSelector"])
        for expression in selector["matchExpressions"]
        if expression["key"] == "istio.io/rev" and expression["operator"] == "In"
        for value in expression["values"]
    }


def test_a_tag_looks_for_its_own_name_and_calls_the_revision_itself() -> None:
    obj = injector(wish())

    assert obj["metadata"]["name"] == "istio-revision-tag-prod"
    assert selected(obj) == {"prod"}
    configs = [hook["clientConfig"] for hook in obj["webhooks"]]
    assert {one["service"]["name"] for one in configs} == {"istiod-1-29-1"}
    assert {one["caBundle"] for one in configs} == {"Y2E="}


def test_the_default_tag_has_the_default_revision_s_webhooks_too() -> None:
    assert len(injector(wish())["webhooks"]) == 2
    assert len(injector(wish("default"))["webhooks"]) == 4


def test_people_s_own_tag_carries_nothing_of_the_installer_s() -> None:
    for obj in (injector(wish()), tag_objects.service(DESCRIPTION, wish())):
        labels = obj["metadata"]["labels"]
        assert not [key for key in labels if "operator.istio.io" in key]
        assert labels["istio.io/rev"] == "1-29-1"
        assert labels["istio.io/tag"] == "prod"


def test_the_installer_s_tag_belongs_to_the_revision() -> None:
    given = {"operator.istio.io/managed": "Reconcile"}

    labels = injector(wish("default", labels=given))["metadata"]["labels"]

    assert labels["operator.istio.io/component"] == "Pilot"
    assert labels["operator.istio.io/managed"] == "Reconcile"


@pytest.mark.parametrize("policy", ["Ignore", None])
def test_the_validator_s_policy_is_left_to_istiod_where_it_is_closed(policy: str | None) -> None:
    obj = tag_objects.validator(DESCRIPTION, wish("default"), called(), failure_policy=policy)

    (hook,) = obj["webhooks"]
    assert obj["metadata"]["name"] == "istiod-default-validator"
    assert hook.get("failurePolicy") == policy
    assert hook["clientConfig"]["service"]["path"] == "/validate"
    assert hook["clientConfig"]["caBundle"] == "Y2E="


def test_the_default_of_an_install_without_a_revision_calls_its_service() -> None:
    obj = injector(wish("default", revision="default"))

    assert obj["metadata"]["labels"]["istio.io/rev"] == "default"
    assert {one["clientConfig"]["service"]["name"] for one in obj["webhooks"]} == {"istiod"}


def test_a_deactivated_injector_matches_nothing() -> None:
    shut = tag_objects.deactivated(injector(wish("default")))

    never = {"matchLabels": {"istio.io/deactivated": "never-match"}}
    for hook in shut["webhooks"]:
        assert hook["namespaceSelector"] == hook["objectSelector"] == never
