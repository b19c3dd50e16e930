"""Who we are and what we may do, as the API server says it."""

from collections.abc import Iterator

import pytest

from tasks.adapters.access import KubernetesAccess
from tasks.domain.access import Denied, Permission
from tasks.domain.errors import RefusedError
from tests.unit.api_server import (
    ApiServer,
    Object,
    Request,
    Stopped,
    connected,
    encoded,
    serving,
)

SECRET = "/api/v1/namespaces/istio-system/secrets/istio-canary"


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with serving() as running:
        yield running


@pytest.fixture
def access(server: ApiServer) -> Iterator[KubernetesAccess]:
    # Asking changes nothing, so a lost Lease does not matter.
    with connected(server, guard=Stopped()) as api:
        yield KubernetesAccess(api)


def only_reads(request: Request) -> Object:
    allowed = request.body["spec"]["resourceAttributes"]["verb"] in {"get", "list"}
    return {"status": {"allowed": allowed, "reason": "" if allowed else "no RBAC policy matched"}}


def test_the_cluster_says_who_we_are(server: ApiServer, access: KubernetesAccess) -> None:
    server.answer(
        "POST", "/selfsubjectreviews", lambda _: {"status": {"userInfo": {"username": "ann"}}}
    )

    assert access.whoami() == "ann"


def test_a_cluster_that_does_not_say_who_we_are_is_refused(
    server: ApiServer, access: KubernetesAccess
) -> None:
    server.answer("POST", "/selfsubjectreviews", lambda _: {"status": {}})

    with pytest.raises(RefusedError, match="does not say who we are"):
        access.whoami()


def test_what_is_denied_comes_with_the_reason_in_the_order_asked(
    server: ApiServer, access: KubernetesAccess
) -> None:
    server.answer("POST", "/selfsubjectaccessreviews", only_reads)
    asked = [Permission(verb=verb, resource="pods") for verb in ("patch", "get", "delete", "list")]

    assert access.denied(asked) == [
        Denied(permission=asked[0], reason="no RBAC policy matched"),
        Denied(permission=asked[2], reason="no RBAC policy matched"),
    ]


def test_an_evaluation_that_failed_is_no_permission(
    server: ApiServer, access: KubernetesAccess
) -> None:
    broken = {"status": {"allowed": False, "evaluationError": "webhook is down"}}
    server.answer("POST", "/selfsubjectaccessreviews", lambda _: broken)

    assert access.denied([Permission(verb="get", resource="pods")])[0].reason == "webhook is down"


def test_a_subresource_is_asked_for_as_one(server: ApiServer, access: KubernetesAccess) -> None:
    server.answer("POST", "/selfsubjectaccessreviews", only_reads)

    access.denied(
        [
            Permission(verb="create", resource="pods/portforward", namespace="istio-system"),
            Permission(verb="patch", resource="deployments", group="apps", name="cart"),
        ]
    )

    asked = [one.body["spec"]["resourceAttributes"] for one in server.requests]
    assert sorted(asked, key=str) == [
        {
            "verb": "create",
            "resource": "pods",
            "subresource": "portforward",
            "namespace": "istio-system",
        },
        {"verb": "patch", "group": "apps", "resource": "deployments", "name": "cart"},
    ]


def test_nothing_asked_is_nothing_denied(server: ApiServer, access: KubernetesAccess) -> None:
    assert access.denied([]) == []
    assert server.requests == []


def test_a_secret_is_decoded(server: ApiServer, access: KubernetesAccess) -> None:
    server.put(SECRET, {"data": {"key": encoded(b"\x00\xffsecret")}})

    assert access.secret("istio-system", "istio-canary", "key") == b"\x00\xffsecret"


@pytest.mark.parametrize(
    ("secret", "sentence"),
    [
        pytest.param(None, "there is no Secret istio-system/istio-canary", id="no Secret"),
        pytest.param({}, "Secret istio-system/istio-canary has no key 'key'", id="no data"),
        pytest.param({"data": {"other": "aGk="}}, "has no key 'key'", id="no such key"),
        pytest.param({"data": {"key": "hunter2!"}}, "is not base64", id="not base64"),
    ],
)
def test_a_secret_that_cannot_be_read_is_refused_without_its_value(
    server: ApiServer, access: KubernetesAccess, secret: Object | None, sentence: str
) -> None:
    if secret is not None:
        server.put(SECRET, secret)

    with pytest.raises(RefusedError, match=sentence) as refused:
        access.secret("istio-system", "istio-canary", "key")

    assert "hunter2" not in str(refused.value)
    assert "aGk=" not in str(refused.value)
