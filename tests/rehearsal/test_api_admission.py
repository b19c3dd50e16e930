import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from deployments.rehearsal.cluster.objects import Json, name_of
from deployments.rehearsal.cluster.programs import Request, Response
from deployments.rehearsal.cluster.resources import ENDPOINTSLICES, SERVICES
from deployments.rehearsal.cluster.resources import PODS as PODS_RESOURCE
from tests.rehearsal.api import MAPS, PODS, Api, asked, config_map, pod

MUTATING = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"
VALIDATING = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
Judge = Callable[[Json], Json]


class Webhook:
    """A program that answers reviews by its path, and remembers them."""

    is_ready = True

    def __init__(self, **judges: Judge) -> None:
        self.judges = judges
        self.heard: list[tuple[str, Json]] = []

    def start(self) -> None: ...

    def stop(self) -> None: ...

    async def answer(self, request: Request) -> Response:
        name = request.path.partition("?")[0].strip("/")
        review = json.loads(request.body)["request"]
        self.heard.append((name, review))
        judge = self.judges.get(name)
        if judge is None:
            raise TimeoutError
        response = {"uid": review["uid"]} | judge(review)
        kind = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1"}
        return Response(body=json.dumps(kind | {"response": response}).encode())

    async def run(self, command: Sequence[str]) -> tuple[int, bytes, bytes]:
        return 0, b"", b""


def labelling(**labels: str) -> Judge:
    """Return what puts labels on, and so needs an object that has some."""
    patch = [{"op": "add", "path": f"/metadata/labels/{k}", "value": v} for k, v in labels.items()]
    text = base64.b64encode(json.dumps(patch).encode()).decode()
    return lambda _: {"allowed": True, "patchType": "JSONPatch", "patch": text}


def refusing(text: str) -> Judge:
    return lambda _: {"allowed": False, "status": {"message": text}}


def webhook(name: str = "w.x.io", path: str = "w", **more: object) -> Json:
    service = {"name": "hook", "namespace": "default", "path": f"/{path}"}
    rule = {"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}
    return {
        "name": name,
        "clientConfig": {"service": service, "caBundle": "eA=="},
        "rules": [rule],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    } | more


def labelled(name: str = "a") -> Json:
    return pod(name, labels={"x": "y"})


async def serve(api: Api, program: Webhook) -> None:
    """Run a webhook behind the Service `hook`."""
    running = await api.server.create(PODS_RESOURCE, pod("hook"), namespace="default")
    api.server.programs.register(lambda one: program if name_of(one) == "hook" else None)
    api.server.programs.start(running)
    await api.server.create(
        SERVICES,
        {"metadata": {"name": "hook"}, "spec": {"ports": [{"port": 443, "targetPort": 15017}]}},
        namespace="default",
    )
    labels = {"kubernetes.io/service-name": "hook"}
    await api.server.create(
        ENDPOINTSLICES,
        {
            "metadata": {"name": "hook-1", "labels": labels},
            "addressType": "IPv4",
            "ports": [{"port": 15017}],
            "endpoints": [
                {"conditions": {"ready": True}, "targetRef": {"kind": "Pod", "name": "hook"}}
            ],
        },
        namespace="default",
    )


async def configure(api: Api, path: str, *webhooks: Json, name: str = "c") -> None:
    created = await api.post(path, {"metadata": {"name": name}, "webhooks": list(webhooks)})
    assert created["kind"] != "Status", created


def test_a_mutating_webhook_changes_what_is_created() -> None:
    async def test(api: Api) -> None:
        program = Webhook(w=labelling(seen="yes"))
        await serve(api, program)
        await configure(api, MUTATING, webhook())
        created = await api.post(PODS, labelled())
        dry = await api.post(f"{PODS}?dryRun=All", labelled("b"))

        assert created["metadata"]["labels"] == {"x": "y", "seen": "yes"}
        assert dry["metadata"]["labels"]["seen"] == "yes"
        review = program.heard[1][1]
        assert review["dryRun"] is True
        assert review["operation"] == "CREATE"
        assert review["resource"] == {"group": "", "version": "v1", "resource": "pods"}
        assert review["userInfo"]["username"] == "kubernetes-admin"

    asked(test)


def test_a_generated_name_is_not_known_to_a_mutating_webhook() -> None:
    async def test(api: Api) -> None:
        program = Webhook(w=lambda _: {"allowed": True})
        await serve(api, program)
        await configure(api, MUTATING, webhook())
        body = pod("", generateName="a-")
        del body["metadata"]["name"]
        created = await api.post(PODS, body)

        assert created["metadata"]["name"].startswith("a-")
        assert "name" not in program.heard[0][1]["object"]["metadata"]

    asked(test)


def test_webhooks_are_called_by_the_name_of_their_configuration_and_then_in_order() -> None:
    async def test(api: Api) -> None:
        allow: Judge = lambda _: {"allowed": True}  # noqa: E731
        program = Webhook(one=allow, two=allow, three=allow)
        await serve(api, program)
        await configure(api, MUTATING, webhook(path="three"), name="b")
        await configure(api, MUTATING, webhook(path="one"), webhook("v.x.io", "two"), name="a")
        await api.post(PODS, labelled())

        assert [path for path, _ in program.heard] == ["one", "two", "three"]

    asked(test)


def test_a_webhook_that_asked_for_it_is_called_again_after_a_later_change() -> None:
    async def test(api: Api) -> None:
        program = Webhook(one=lambda _: {"allowed": True}, two=labelling(late="yes"))
        await serve(api, program)
        first = webhook("a.x.io", "one", reinvocationPolicy="IfNeeded")
        await configure(api, MUTATING, first, webhook("b.x.io", "two"))
        await api.post(PODS, labelled())

        assert [path for path, _ in program.heard] == ["one", "two", "one"]

    asked(test)


def test_a_refusal_is_told_in_the_real_words() -> None:
    async def test(api: Api) -> None:
        await serve(api, Webhook(w=refusing("weight -5 < 0")))
        await configure(api, VALIDATING, webhook("validation.istio.io"))
        refused = await api.post(PODS, pod())

        assert refused["code"] == 400
        assert refused["message"] == (
            'admission webhook "validation.istio.io" denied the request: weight -5 < 0'
        )

    asked(test)


@pytest.mark.parametrize(
    ("serves", "changes", "why"),
    [
        pytest.param(False, {}, 'service "hook" not found', id="no Service"),
        pytest.param(True, {"path": "late"}, "context deadline exceeded", id="no answer in time"),
        pytest.param(
            True,
            {"ca": ""},
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            id="no caBundle",
        ),
    ],
)
def test_a_webhook_that_cannot_be_called_fails_closed_unless_told_otherwise(
    serves: bool, changes: dict[str, str], why: str
) -> None:
    async def test(api: Api) -> None:
        if serves:
            await serve(api, Webhook(w=lambda _: {"allowed": True}))
        path = changes.get("path", "w")
        hook = webhook(path=path)
        hook["clientConfig"]["caBundle"] = changes.get("ca", "eA==")
        await configure(api, MUTATING, hook)
        refused = await api.post(PODS, pod())

        assert (refused["code"], refused["reason"]) == (500, "InternalError")
        assert refused["message"] == (
            'Internal error occurred: failed calling webhook "w.x.io": failed to call webhook: '
            f'Post "https://hook.default.svc:443/{path}?timeout=10s": {why}'
        )
        await api.delete(f"{MUTATING}/c")
        await configure(api, MUTATING, hook | {"failurePolicy": "Ignore"})
        assert (await api.post(PODS, pod()))["kind"] == "Pod"

    asked(test)


def test_a_service_without_ready_pods_is_told_as_such() -> None:
    async def test(api: Api) -> None:
        await serve(api, Webhook())
        await api.delete("/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/hook-1")
        await configure(api, MUTATING, webhook())
        refused = await api.post(PODS, pod())

        assert refused["message"].endswith('no endpoints available for service "hook"')

    asked(test)


def test_a_dry_run_does_not_reach_webhooks_with_side_effects() -> None:
    async def test(api: Api) -> None:
        await serve(api, Webhook(w=lambda _: {"allowed": True}))
        await configure(api, MUTATING, webhook(sideEffects="Some"))
        refused = await api.post(f"{PODS}?dryRun=All", pod())

        assert refused["message"] == 'admission webhook "w.x.io" does not support dry run'
        assert (await api.post(PODS, pod()))["kind"] == "Pod"

    asked(test)


@pytest.mark.parametrize(
    ("more", "is_called"),
    [
        pytest.param({}, True, id="no selectors"),
        pytest.param({"objectSelector": {"matchLabels": {"x": "y"}}}, True, id="object matches"),
        pytest.param({"objectSelector": {"matchLabels": {"x": "z"}}}, False, id="object does not"),
        pytest.param(
            {
                "namespaceSelector": {
                    "matchExpressions": [{"key": "istio-injection", "operator": "DoesNotExist"}]
                }
            },
            True,
            id="namespace matches",
        ),
        pytest.param(
            {"namespaceSelector": {"matchLabels": {"istio-injection": "enabled"}}},
            False,
            id="namespace does not",
        ),
        pytest.param(
            {
                "rules": [
                    {
                        "operations": ["UPDATE"],
                        "apiGroups": ["*"],
                        "apiVersions": ["*"],
                        "resources": ["*"],
                    }
                ]
            },
            False,
            id="another operation",
        ),
        pytest.param(
            {
                "rules": [
                    {
                        "operations": ["CREATE"],
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "resources": ["pods"],
                        "scope": "Cluster",
                    }
                ]
            },
            False,
            id="another scope",
        ),
        pytest.param(
            {
                "rules": [
                    {
                        "operations": ["*"],
                        "apiGroups": [""],
                        "apiVersions": ["v1"],
                        "resources": ["pods/status"],
                    }
                ]
            },
            False,
            id="a subresource",
        ),
    ],
)
def test_rules_and_selectors_decide_who_is_called(more: dict[str, Any], is_called: bool) -> None:
    async def test(api: Api) -> None:
        program = Webhook(w=lambda _: {"allowed": True})
        await serve(api, program)
        await configure(api, MUTATING, webhook(**more))
        await api.post(PODS, labelled())

        assert bool(program.heard) is is_called

    asked(test)


def test_deletions_are_reviewed_with_what_goes() -> None:
    async def test(api: Api) -> None:
        program = Webhook(w=refusing("keep it"))
        await serve(api, program)
        rule = {"operations": ["DELETE"], "apiGroups": [""], "apiVersions": ["v1"]}
        await configure(api, VALIDATING, webhook(rules=[rule | {"resources": ["configmaps"]}]))
        await api.post(MAPS, config_map())
        refused = await api.delete(f"{MAPS}/a")

        assert refused["message"] == 'admission webhook "w.x.io" denied the request: keep it'
        assert program.heard[0][1]["object"] is None
        assert program.heard[0][1]["oldObject"]["metadata"]["name"] == "a"

    asked(test)
