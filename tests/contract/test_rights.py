"""Rights: who may do what, how that is asked beforehand, and how it is refused."""

from collections.abc import Iterator

import pytest

from tests.contract.client import Client, Json
from tests.contract.manifests import config
from tests.contract.place import Place

REVIEWS = "/apis/authorization.k8s.io/v1"


@pytest.fixture
def somebody(place: Place) -> Iterator[Client]:
    """Return a client with the rights of a service account: none."""
    place.until(lambda: place.find("serviceaccounts", "default"), "a service account")
    made = place.ask("POST", "serviceaccounts", "default", {"spec": {}}, sub="token").object
    client = place.client.as_token(made["status"]["token"])
    yield client
    client.close()


def grant(place: Place, *rules: Json) -> None:
    place.make("roles", {"metadata": {"name": "some"}, "rules": list(rules)})
    subject = {"kind": "ServiceAccount", "name": "default", "namespace": place.name}
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "some"}
    binding = {"metadata": {"name": "some"}, "subjects": [subject], "roleRef": role}
    place.make("rolebindings", binding)


def rule(*verbs: str, resources: str = "configmaps", **more: list[str]) -> Json:
    return {"apiGroups": [""], "resources": [resources], "verbs": list(verbs)} | more


def may(client: Client, **attributes: str) -> bool:
    body = {"spec": {"resourceAttributes": attributes}}
    answer = client.ask("POST", f"{REVIEWS}/selfsubjectaccessreviews", body)
    assert answer.code == 201
    allowed: bool = answer.body["status"]["allowed"]
    return allowed


def until_allowed(place: Place, client: Client, path: str) -> None:
    """Wait for a right: authorizers learn of a new binding a moment later."""
    place.until(lambda: client.ask("GET", path).code == 200, f"a right to {path}")


def test_without_a_right_it_is_403_with_who_what_and_where(place: Place, somebody: Client) -> None:
    answer = somebody.ask("GET", place.path("configmaps"))

    user = f"system:serviceaccount:{place.name}:default"
    assert answer.said == (
        403,
        "Forbidden",
        (
            f'configmaps is forbidden: User "{user}" cannot list resource "configmaps" '
            f'in API group "" in the namespace "{place.name}"'
        ),
    )


def test_cluster_wide_it_says_so(place: Place, somebody: Client) -> None:
    answer = somebody.ask("GET", "/apis/apps/v1/deployments/nosuch".rpartition("/")[0])

    user = f"system:serviceaccount:{place.name}:default"
    assert answer.message == (
        f'deployments.apps is forbidden: User "{user}" cannot list resource "deployments" '
        'in API group "apps" at the cluster scope'
    )


def test_a_role_gives_its_verbs_in_its_namespace_and_no_more(
    place: Place, somebody: Client
) -> None:
    grant(place, rule("list", "get"))
    until_allowed(place, somebody, place.path("configmaps"))

    assert somebody.ask("POST", place.path("configmaps"), config()).code == 403
    assert somebody.ask("GET", "/api/v1/namespaces/default/configmaps").code == 403


def test_a_role_may_name_its_objects(place: Place, somebody: Client) -> None:
    grant(place, rule("get", resourceNames=["one"]))
    place.make("configmaps", config("one"))
    place.make("configmaps", config("two"))

    until_allowed(place, somebody, place.path("configmaps", "one"))

    assert somebody.ask("GET", place.path("configmaps", "two")).code == 403


def test_a_part_of_an_object_is_a_right_of_its_own(place: Place, somebody: Client) -> None:
    grant(place, rule("get", resources="pods/portforward"))
    attributes = {"namespace": place.name, "resource": "pods", "verb": "get"}
    place.until(lambda: may(somebody, **attributes, subresource="portforward"), "a right")

    assert not may(somebody, **attributes)


def test_an_administrator_may_everything_and_can_ask(place: Place) -> None:
    assert may(place.client, verb="*", resource="*", group="*")
    assert may(place.client, verb="create", resource="pods", namespace=place.name)


def test_who_asks_is_told_who_they_are(place: Place) -> None:
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"

    user = place.client.ask("POST", path, body).object["status"]["userInfo"]

    assert "system:authenticated" in user["groups"]
    assert user["username"]


def test_without_a_token_nobody_reads(place: Place) -> None:
    nobody = place.client.as_token("")

    answer = nobody.ask("GET", place.path("configmaps"))

    nobody.close()
    assert answer.code in {401, 403}
