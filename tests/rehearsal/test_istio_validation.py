"""What istiod's validation denies of Istio's own configuration, and in which words."""

import pytest

from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.istio import validator


def virtual_service(*weights: int, **changed: object) -> Json:
    route = [{"destination": {"host": "a"}, "weight": weight} for weight in weights]
    spec = {"hosts": ["a"], "http": [{"route": route}], **changed}
    return {"kind": "VirtualService", "metadata": {"name": "a"}, "spec": spec}


def judged(obj: Json) -> Json:
    answer: Json = validator.response("u", obj)["response"]
    return answer


@pytest.mark.parametrize(
    ("obj", "words"),
    [
        pytest.param(virtual_service(-5, 0), "weight -5 < 0", id="a negative weight"),
        pytest.param(
            virtual_service(1, hosts=[]),
            "virtual service must have at least one host",
            id="no host",
        ),
        pytest.param(
            virtual_service(http=[]),
            "http, tcp or tls must be provided in virtual service",
            id="no routes at all",
        ),
        pytest.param(
            {"kind": "Gateway", "spec": {}}, "gateway must have at least one server", id="no server"
        ),
    ],
)
def test_what_is_plainly_wrong_is_denied_in_istio_s_words(obj: Json, words: str) -> None:
    answer = judged(obj)

    assert answer["allowed"] is False
    assert answer["status"]["message"] == f"configuration is invalid: {words}"


def test_several_errors_are_listed() -> None:
    message = judged(virtual_service(-1, -2))["status"]["message"]

    assert message == (
        "configuration is invalid: 2 errors occurred:\n\t* weight -1 < 0\n\t* weight -2 < 0\n\n"
    )


def test_what_is_right_is_allowed() -> None:
    assert judged(virtual_service(100, 0)) == {"uid": "u", "allowed": True}
    assert judged({"kind": "PeerAuthentication", "spec": {}})["allowed"]


def test_an_envoy_filter_is_allowed_with_a_warning_whatever_it_says() -> None:
    answer = judged({"kind": "EnvoyFilter", "spec": {}})

    assert answer["allowed"]
    assert len(answer["warnings"]) == 1
