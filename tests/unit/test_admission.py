"""Dry-run pods and VirtualServices: what is sent, and how the answers are read."""

import json
from collections.abc import Callable, Iterator

import pytest

from tasks.adapters.admission import KubernetesAdmission
from tasks.domain.errors import RefusedError, TransientError
from tasks.domain.inventory import Kind, WorkloadRef
from tests.unit.api_server import ApiServer, Object, Refusal, Request, Stopped, connected, serving

SHOP = "/api/v1/namespaces/shop"
APPS = "/apis/apps/v1/namespaces/shop"
STATUS = "sidecar.istio.io/status"
NO_ENDPOINTS = (
    'Internal error occurred: failed calling webhook "rev.namespace.sidecar-injector.istio.io": '
    'failed to call webhook: Post "https://istiod-1-29-1.istio-system.svc:443/inject?timeout=10s":'
    ' no endpoints available for service "istiod-1-29-1"'
)


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with serving() as running:
        yield running


@pytest.fixture
def admission(server: ApiServer) -> Iterator[KubernetesAdmission]:
    # A dry-run changes nothing, so a lost Lease does not matter.
    with connected(server, guard=Stopped()) as api:
        yield KubernetesAdmission(api)


def injecting(annotations: dict[str, str]) -> Callable[[Request], Object]:
    def answer(request: Request) -> Object:
        metadata = request.body["metadata"]
        merged = {**metadata.get("annotations", {}), **annotations}
        return {**request.body, "metadata": {**metadata, "annotations": merged}}

    return answer


def refusing(code: int, reason: str, message: str) -> Callable[[Request], Object]:
    def answer(_request: Request) -> Object:
        raise Refusal(code, reason, message)

    return answer


def sent(server: ApiServer) -> Object:
    return server.changes()[-1].body


def cart(kind: Kind) -> WorkloadRef:
    return WorkloadRef(namespace="shop", kind=kind, name="cart")


def test_the_status_annotation_names_the_revision(
    server: ApiServer, admission: KubernetesAdmission
) -> None:
    status = json.dumps({"initContainers": ["istio-init"], "revision": "1-29-1"})
    server.answer("POST", "/pods", injecting({STATUS: status, "istio.io/rev": "prod"}))

    assert admission.injected_by("shop", labels={"istio.io/rev": "1-29-1"}) == "1-29-1"


@pytest.mark.parametrize("status", ['{"containers":["istio-proxy"]}', "not JSON"])
def test_an_older_injector_names_it_in_its_other_annotation(
    server: ApiServer, admission: KubernetesAdmission, status: str
) -> None:
    server.answer("POST", "/pods", injecting({STATUS: status, "istio.io/rev": "1-20-0"}))

    assert admission.injected_by("shop") == "1-20-0"


def test_a_sidecar_of_no_known_revision_is_refused(
    server: ApiServer, admission: KubernetesAdmission
) -> None:
    server.answer("POST", "/pods", injecting({STATUS: "{}"}))

    with pytest.raises(RefusedError, match="does not say of which revision"):
        admission.injected_by("shop")


def test_a_pod_that_nobody_injects_has_no_revision(admission: KubernetesAdmission) -> None:
    assert admission.injected_by("shop", labels={"istio.io/rev": "nosuch"}) is None


def test_a_bare_pod_passes_the_strictest_pod_security(
    server: ApiServer, admission: KubernetesAdmission
) -> None:
    admission.injected_by("shop", labels={"sidecar.istio.io/inject": "true"})

    pod = sent(server)
    assert pod["metadata"]["labels"] == {"sidecar.istio.io/inject": "true"}
    assert pod["metadata"]["name"].startswith("istio-canary-probe-")
    (container,) = pod["spec"]["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_nothing_is_made(server: ApiServer, admission: KubernetesAdmission) -> None:
    admission.injected_by("shop")
    admission.validates("shop")

    assert server.objects == {}
    assert {one.query["dryRun"] for one in server.requests} == {"All"}


def test_a_workloads_own_template_is_tried(
    server: ApiServer, admission: KubernetesAdmission
) -> None:
    template = {
        "metadata": {"labels": {"app": "cart"}, "annotations": {"a": "b", STATUS: "{}"}},
        "spec": {"containers": [{"name": "cart", "image": "cart:1"}], "hostNetwork": True},
    }
    server.put(f"{APPS}/deployments/cart", {"spec": {"template": template}})

    # The template's own status annotation, copied from some pod, is no proof of an injection.
    assert admission.injected_by("shop", template_of=cart(Kind.DEPLOYMENT)) is None

    pod = sent(server)
    assert pod["metadata"]["labels"] == {"app": "cart"}
    assert pod["metadata"]["annotations"] == {"a": "b"}
    assert pod["spec"] == template["spec"]


def test_a_stateful_sets_claims_become_empty_volumes(
    server: ApiServer, admission: KubernetesAdmission
) -> None:
    spec = {
        "template": {
            "spec": {
                "containers": [{"name": "db", "volumeMounts": [{"name": "data"}]}],
                "volumes": [
                    {"name": "config", "configMap": {"name": "db"}},
                    {"name": "data", "hostPath": {"path": "/data"}},
                ],
            }
        },
        "volumeClaimTemplates": [{"metadata": {"name": "data"}}],
    }
    server.put(f"{APPS}/statefulsets/cart", {"spec": spec})

    admission.injected_by("shop", template_of=cart(Kind.STATEFUL_SET))

    assert sent(server)["spec"]["volumes"] == [
        {"name": "config", "configMap": {"name": "db"}},
        {"name": "data", "emptyDir": {}},
    ]


def test_claims_need_no_other_volumes(server: ApiServer, admission: KubernetesAdmission) -> None:
    claims = [{"metadata": {"name": "data"}}]
    spec = {"template": {"spec": {"containers": []}}, "volumeClaimTemplates": claims}
    server.put(f"{APPS}/statefulsets/cart", {"spec": spec})

    admission.injected_by("shop", template_of=cart(Kind.STATEFUL_SET))

    assert sent(server)["spec"]["volumes"] == [{"name": "data", "emptyDir": {}}]


def test_an_argo_rollout_may_borrow_a_deployments_template(
    server: ApiServer, admission: KubernetesAdmission
) -> None:
    server.put(
        "/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/cart",
        {"spec": {"workloadRef": {"kind": "Deployment", "name": "lender"}}},
    )
    template = {"metadata": {"labels": {"app": "lent"}}, "spec": {"containers": []}}
    server.put(f"{APPS}/deployments/lender", {"spec": {"template": template}})

    admission.injected_by("shop", template_of=cart(Kind.ROLLOUT))

    assert sent(server)["metadata"]["labels"] == {"app": "lent"}


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({}, "shop/Rollout/cart has no pod template"),
        ({"workloadRef": {"kind": "PodTemplate", "name": "x"}}, "from a PodTemplate"),
    ],
)
def test_a_rollout_without_a_template_is_refused(
    server: ApiServer, admission: KubernetesAdmission, spec: Object, sentence: str
) -> None:
    server.put("/apis/argoproj.io/v1alpha1/namespaces/shop/rollouts/cart", {"spec": spec})

    with pytest.raises(RefusedError, match=sentence):
        admission.injected_by("shop", template_of=cart(Kind.ROLLOUT))


def test_a_bare_pod_has_no_template_to_try(admission: KubernetesAdmission) -> None:
    with pytest.raises(RefusedError, match="shop/Pod/cart has no pod template"):
        admission.injected_by("shop", template_of=cart(Kind.POD))


@pytest.mark.parametrize(
    ("code", "reason", "message"),
    [
        pytest.param(500, "InternalError", NO_ENDPOINTS, id="the injector has no endpoints"),
        pytest.param(403, "Forbidden", "exceeded quota: q, requested: pods=1", id="quota"),
        pytest.param(403, "Forbidden", 'violates PodSecurity "restricted:latest"', id="security"),
        pytest.param(400, "BadRequest", 'admission webhook "policy" denied it', id="a webhook"),
    ],
)
def test_an_admission_refusal_is_told_in_the_api_servers_words(
    server: ApiServer, admission: KubernetesAdmission, code: int, reason: str, message: str
) -> None:
    server.answer("POST", "/pods", refusing(code, reason, message))

    with pytest.raises(RefusedError) as refused:
        admission.injected_by("shop")

    assert message in str(refused.value)


def test_another_server_error_may_pass(server: ApiServer, admission: KubernetesAdmission) -> None:
    server.answer("POST", "/pods", refusing(500, "InternalError", "etcdserver: leader changed"))

    with pytest.raises(TransientError, match="leader changed"):
        admission.injected_by("shop")


def test_istios_validation_is_asked_with_a_virtual_service(
    server: ApiServer, admission: KubernetesAdmission
) -> None:
    admission.validates("shop")

    assert server.requests[0].path == "/apis/networking.istio.io/v1/namespaces/shop/virtualservices"
    assert sent(server)["spec"]["hosts"] == ["istio-canary-probe.invalid"]


def test_a_validator_that_is_not_there_is_refused(
    server: ApiServer, admission: KubernetesAdmission
) -> None:
    message = (
        'Internal error occurred: failed calling webhook "validation.istio.io": '
        'service "istiod-1-28-3" not found'
    )
    server.answer("POST", "/virtualservices", refusing(500, "InternalError", message))

    with pytest.raises(RefusedError, match='service "istiod-1-28-3" not found'):
        admission.validates("shop")
