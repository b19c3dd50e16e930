"""What a plan needs to be allowed: exactly that, each once."""

import msgspec
import pytest

from tasks.domain.access import Permission
from tasks.domain.inventory import Kind
from tasks.domain.permissions import needed, plural
from tasks.domain.plan import Action, Batch, Install, NamespaceMove, Plan, Wave, WorkloadMove
from tasks.domain.rendering import InstallRequest, Rendered, RenderedObject
from tests.builders import MESH, NEW, OLD, ref

PLAN = Plan(
    old_revision=OLD,
    old_version="1.28.3",
    new_revision=NEW,
    new_version="1.29.1",
    install=Install(
        request=InstallRequest(revision=NEW), istioctl="1.29.1", manifest_sha256="a" * 64
    ),
)


def moving(*moves: NamespaceMove, **changes: object) -> Plan:
    waves = (Wave(number=1, batches=(Batch(number=1, wave=1, namespaces=moves),)),)
    return msgspec.structs.replace(PLAN, waves=waves, **changes)


def space(name: str = "shop", *workloads: WorkloadMove) -> NamespaceMove:
    return NamespaceMove(name=name, before={}, after={}, workloads=workloads)


def restarting(kind: Kind, action: Action = Action.RESTART) -> WorkloadMove:
    return WorkloadMove(ref=ref(kind=kind), action=action, pods=2)


def manifest(*kinds: tuple[str, str, str]) -> Rendered:
    objects = tuple(
        RenderedObject(api_version=version, kind=kind, name="x", namespace=namespace)
        for version, kind, namespace in kinds
    )
    return Rendered(sha256="a" * 64, objects=objects)


def asked(plan: Plan = PLAN, rendered: Rendered | None = None) -> list[str]:
    return [str(one) for one in needed(plan, rendered, istio_namespace=MESH)]


def test_each_is_asked_once_and_in_order() -> None:
    plan = moving(space("shop"), space("pay"), tags=("default",))
    made = needed(plan, manifest(("v1", "Service", MESH)), istio_namespace=MESH)
    assert list(made) == sorted(set(made))


def test_point_15_port_forward_is_asked_for_both_ways() -> None:
    every = asked()
    assert f"get pods/portforward in {MESH}" in every
    assert f"create pods/portforward in {MESH}" in every


def test_point_15_webhooks_and_services_are_asked_for_where_a_tag_moves() -> None:
    wanted = {
        "patch admissionregistration.k8s.io/mutatingwebhookconfigurations in the whole cluster",
        "patch admissionregistration.k8s.io/validatingwebhookconfigurations in the whole cluster",
        f"patch services in {MESH}",
        f"delete services in {MESH}",
        f"create services in {MESH}",
    }
    assert wanted <= set(asked(msgspec.structs.replace(PLAN, tags=("default",))))
    assert not {one for one in wanted if one.startswith("patch")} & set(asked())


def test_point_15_tokens_of_service_accounts_are_not_asked_for() -> None:
    assert not [one for one in asked() if "token" in one]


def test_a_namespace_is_patched_by_name_and_lies_in_itself() -> None:
    made = needed(moving(space()), None, istio_namespace=MESH)
    assert Permission(verb="patch", resource="namespaces", namespace="shop", name="shop") in made
    assert Permission(verb="create", resource="pods", namespace="shop") in made


def test_a_namespace_whose_labels_only_settle_is_asked_for_too() -> None:
    plan = msgspec.structs.replace(PLAN, settle_only=(space("pay"),))
    assert "patch namespaces 'pay' in pay" in asked(plan)


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        (Kind.DEPLOYMENT, "apps/deployments"),
        (Kind.STATEFUL_SET, "apps/statefulsets"),
        (Kind.DAEMON_SET, "apps/daemonsets"),
        (Kind.ROLLOUT, "argoproj.io/rollouts"),
    ],
)
def test_a_kind_is_patched_only_where_one_of_it_restarts(kind: Kind, resource: str) -> None:
    every = asked(moving(space("shop", restarting(kind)), space("pay")))
    assert f"patch {resource} in shop" in every
    assert f"patch {resource} in pay" not in every
    assert "delete pods in shop" not in every


def test_pods_are_deleted_only_where_nobody_else_replaces_them() -> None:
    every = asked(moving(space("shop", restarting(Kind.STATEFUL_SET, Action.DELETE_PODS))))
    assert "delete pods in shop" in every
    assert "get apps/statefulsets in shop" in every
    assert "patch apps/statefulsets in shop" not in every


def test_what_istio_restarts_by_itself_needs_no_right_of_ours() -> None:
    every = asked(moving(space("shop", restarting(Kind.DEPLOYMENT, Action.BY_ITSELF))))
    assert "patch apps/deployments in shop" not in every


def test_every_kind_of_the_manifest_is_created_read_and_patched() -> None:
    crd = ("apiextensions.k8s.io/v1", "CustomResourceDefinition", "")
    every = asked(PLAN, manifest(crd, ("v1", "ConfigMap", MESH)))
    for verb in ("create", "get", "patch"):
        resource = "apiextensions.k8s.io/customresourcedefinitions"
        assert f"{verb} {resource} in the whole cluster" in every
        assert f"{verb} configmaps in {MESH}" in every


def test_the_journal_and_the_lease_are_asked_for() -> None:
    every = asked()
    for one in ("create configmaps", "patch configmaps", "list configmaps"):
        assert f"{one} in {MESH}" in every
    for verb in ("create", "get", "update"):
        assert f"{verb} coordination.k8s.io/leases in {MESH}" in every


def test_a_run_that_keeps_the_old_revision_may_have_to_remove_the_canary() -> None:
    plan = msgspec.structs.replace(PLAN, removes_old=False)
    every = asked(plan)
    assert f"delete apps/deployments in {MESH}" in every
    assert f"delete coordination.k8s.io/leases in {MESH}" in every
    assert "delete rbac.authorization.k8s.io/clusterroles in the whole cluster" in every
    assert not [one for one in every if "virtualservices" in one]


def test_budgets_and_autoscalers_are_deleted_only_if_the_manifest_has_them() -> None:
    budget = ("policy/v1", "PodDisruptionBudget", MESH)
    one = f"delete policy/poddisruptionbudgets in {MESH}"
    assert one in asked(PLAN, manifest(budget))
    assert one not in asked(PLAN, manifest(("v1", "Service", MESH)))
    assert one not in asked()


def test_validation_is_proved_in_the_first_namespace_that_moves() -> None:
    assert "create networking.istio.io/virtualservices in shop" in asked(moving(space()))
    assert "create networking.istio.io/virtualservices in default" in asked()


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        ("Deployment", "deployments"),
        ("NetworkPolicy", "networkpolicies"),
        ("Ingress", "ingresses"),
        ("MutatingWebhookConfiguration", "mutatingwebhookconfigurations"),
    ],
)
def test_a_resource_is_named_by_kubernetes_own_rule(kind: str, resource: str) -> None:
    assert plural(kind) == resource
