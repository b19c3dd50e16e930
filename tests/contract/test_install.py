"""Install: what a canary beside a live revision makes, what it changes, and what it leaves alone."""

import json

import pytest

from tests.contract.client import Json
from tests.contract.istioctl import NEW, NEW_REVISION, OLD, OLD_REVISION
from tests.contract.mesh import INJECTORS, SYSTEM, VALIDATORS, Canary, Mesh

# What a revision brings, by `plural/name`.
OF_A_REVISION = (
    "deployments/istiod-{rev}",
    "services/istiod-{rev}",
    "serviceaccounts/istiod-{rev}",
    "roles/istiod-{rev}",
    "rolebindings/istiod-{rev}",
    "configmaps/istio-{rev}",
    "configmaps/istio-sidecar-injector-{rev}",
    "configmaps/values-{rev}",
    "clusterroles/istiod-clusterrole-{rev}-istio-system",
    "clusterroles/istiod-gateway-controller-{rev}-istio-system",
    "clusterroles/istio-reader-clusterrole-{rev}-istio-system",
    "clusterrolebindings/istiod-clusterrole-{rev}-istio-system",
    "clusterrolebindings/istiod-gateway-controller-{rev}-istio-system",
    "clusterrolebindings/istio-reader-clusterrole-{rev}-istio-system",
    "mutatingwebhookconfigurations/istio-sidecar-injector-{rev}",
    "validatingwebhookconfigurations/istio-validator-{rev}-istio-system",
)
LEASES = ("leases/istio-gateway-deployment-{rev}", "leases/istio-gateway-status-leader-{rev}")


def of(revision: str, names: tuple[str, ...] = OF_A_REVISION) -> set[str]:
    """Return the names of what a revision brings; an unrevisioned one has no suffix."""
    if revision == "default":
        return {name.replace("-{rev}", "") for name in names}
    return {name.format(rev=revision) for name in names}


@pytest.fixture(scope="module")
def canary(mesh: Mesh) -> Canary:
    """Return what the canary install did."""
    return mesh.two_revisions()


def version(obj: Json) -> str:
    return str(obj["metadata"]["resourceVersion"])


def test_a_canary_brings_sixteen_objects_and_two_leases(mesh: Mesh, canary: Canary) -> None:
    made = set(canary.after) - set(canary.before)

    assert made - of(NEW_REVISION, LEASES) == of(NEW_REVISION)
    mesh.cluster.until(
        lambda: of(NEW_REVISION, LEASES) <= set(mesh.objects()), "its leases", seconds=60
    )


@pytest.mark.parametrize(
    "name",
    [
        f"{INJECTORS}/istio-revision-tag-default",
        f"{VALIDATORS}/istiod-default-validator",
        "services/istiod-revision-tag-default",
        f"{INJECTORS}/istio-sidecar-injector-{OLD_REVISION}",
        f"{VALIDATORS}/istio-validator-{OLD_REVISION}-{SYSTEM}",
        f"services/istiod-{OLD_REVISION}",
        f"configmaps/istio-{OLD_REVISION}",
    ],
)
def test_it_leaves_the_old_revision_and_the_default_alone(canary: Canary, name: str) -> None:
    assert version(canary.before[name]) == version(canary.after[name])


def test_it_does_not_restart_the_old_istiod(canary: Canary) -> None:
    name = f"deployments/istiod-{OLD_REVISION}"

    before, after = (
        found[name]["metadata"]["generation"] for found in (canary.before, canary.after)
    )
    assert before == after


def test_it_moves_every_crd_to_its_own_version(canary: Canary) -> None:
    versions = {
        (
            canary.before[name]["metadata"]["labels"]["operator.istio.io/version"],
            one["metadata"]["labels"]["operator.istio.io/version"],
        )
        for name, one in canary.after.items()
        if name.startswith("customresourcedefinitions/")
    }
    assert versions == {(OLD, NEW)}


def test_fourteen_crds_are_shared(canary: Canary) -> None:
    names = {name for name in canary.after if name.startswith("customresourcedefinitions/")}

    assert len(names) == 14


@pytest.mark.parametrize("crd", ["destinationrules", "envoyfilters", "virtualservices"])
def test_the_schemas_of_some_crds_change_under_the_old_revision(canary: Canary, crd: str) -> None:
    name = f"customresourcedefinitions/{crd}.networking.istio.io"

    before, after = (
        found[name]["metadata"]["generation"] for found in (canary.before, canary.after)
    )
    assert after > before


def test_the_reader_s_service_account_is_shared_and_moves_on(canary: Canary) -> None:
    name = "serviceaccounts/istio-reader-service-account"

    assert version(canary.before[name]) != version(canary.after[name])


def test_until_it_is_ready_its_pods_are_bare_then_fail_and_then_are_injected(
    canary: Canary,
) -> None:
    possible = ["nobody", "fails", NEW_REVISION]

    assert canary.seen == [one for one in possible if one in canary.seen]
    assert (canary.seen[0], canary.seen[-1]) == ("nobody", NEW_REVISION)


def test_it_says_on_stderr_how_far_it_is(canary: Canary) -> None:
    said = [line for line in canary.said.splitlines() if line[:1] in {"-", "✔"}]

    assert said[:2] == ["- Processing resources for Istio core.", "✔ Istio core installed ⛵️"]
    assert said[2] == "- Processing resources for Istiod."
    assert said[-3:] == [
        "✔ Istiod installed 🧠",
        "- Pruning removed resources",
        "✔ Installation complete",
    ]


@pytest.mark.parametrize("name", sorted(of(NEW_REVISION)))
def test_everything_of_a_revision_is_labelled_for_its_removal(canary: Canary, name: str) -> None:
    labels = canary.after[name]["metadata"]["labels"]

    assert labels["istio.io/rev"] == NEW_REVISION
    assert labels["operator.istio.io/component"] == "Pilot"
    assert labels["install.operator.istio.io/owning-resource-namespace"] == SYSTEM
    assert labels["operator.istio.io/version"] == NEW


def test_istiods_are_found_by_label(mesh: Mesh, canary: Canary) -> None:
    pods = mesh.cluster.items("pods", namespace=SYSTEM, selector="app=istiod")

    found = {one["metadata"]["labels"]["istio.io/rev"]: one for one in pods}
    assert set(found) == {OLD_REVISION, NEW_REVISION}
    assert found[NEW_REVISION]["metadata"]["labels"]["istio"] == "istiod"
    assert found[NEW_REVISION]["metadata"]["annotations"]["prometheus.io/port"] == "15014"


def test_the_service_of_a_revision_has_istio_s_ports(canary: Canary) -> None:
    spec = canary.after[f"services/istiod-{NEW_REVISION}"]["spec"]

    ports = {one["port"]: one["targetPort"] for one in spec["ports"]}
    assert ports == {15010: 15010, 15012: 15012, 443: 15017, 15014: 15014}
    assert spec["selector"] == {"app": "istiod", "istio.io/rev": NEW_REVISION}


def test_the_first_install_made_the_default_a_part_of_itself(canary: Canary) -> None:
    labels = canary.before[f"{INJECTORS}/istio-revision-tag-default"]["metadata"]["labels"]

    assert (labels["istio.io/tag"], labels["istio.io/rev"]) == ("default", OLD_REVISION)
    assert labels["operator.istio.io/component"] == "Pilot"
    validator = canary.before[f"{VALIDATORS}/istiod-default-validator"]["metadata"]["labels"]
    assert validator["istio.io/rev"] == OLD_REVISION


def test_an_istiod_closes_its_validator(mesh: Mesh, canary: Canary) -> None:
    assert mesh.policies(f"istio-validator-{NEW_REVISION}-{SYSTEM}") == {"Fail"}
    assert mesh.policies("istiod-default-validator") == {"Fail"}


def test_an_install_again_restarts_nothing(mesh: Mesh, canary: Canary) -> None:
    name = f"istiod-{NEW_REVISION}"
    before = mesh.cluster.get("deployments", name, namespace=SYSTEM)["metadata"]["generation"]
    pod = mesh.istiod(NEW_REVISION)

    mesh.istioctl.install(NEW, NEW_REVISION)

    after = mesh.cluster.get("deployments", name, namespace=SYSTEM)["metadata"]["generation"]
    assert (before, pod) == (after, mesh.istiod(NEW_REVISION))
    validator = f"istio-validator-{NEW_REVISION}-{SYSTEM}"
    mesh.cluster.until(lambda: mesh.policies(validator) == {"Fail"}, "it is closed again")


def test_what_would_be_installed_can_be_read_beforehand(mesh: Mesh) -> None:
    ran = mesh.istioctl.well(
        "manifest", "generate", f"--revision={NEW_REVISION}", "-f", str(mesh.istioctl.overlay)
    )

    kinds = [line for line in ran.out.splitlines() if line.startswith("kind: ")]
    assert kinds.count("kind: CustomResourceDefinition") == 14
    assert kinds.count("kind: Deployment") == 1
    assert kinds.count("kind: MutatingWebhookConfiguration") == 1
    assert kinds.count("kind: ValidatingWebhookConfiguration") == 1
    assert f"name: istiod-{NEW_REVISION}" in ran.out


@pytest.mark.parametrize("number", [OLD, NEW])
def test_each_istioctl_says_its_version(mesh: Mesh, number: str) -> None:
    ran = mesh.istioctl.well("version", "--remote=false", "-o", "json", version=number)

    assert json.loads(ran.out)["clientVersion"]["version"] == number


def test_a_revision_whose_name_is_no_label_is_refused(mesh: Mesh) -> None:
    ran = mesh.istioctl.run("install", "-y", "--revision=1.29.1", "-f", str(mesh.istioctl.overlay))

    assert ran.code == 1
    assert "invalid revision specified" in ran.err


def test_an_install_that_nobody_confirms_changes_nothing(mesh: Mesh, canary: Canary) -> None:
    ran = mesh.istioctl.run("install", "--revision=other", "-f", str(mesh.istioctl.overlay))

    assert ran.code == 1
    assert "Cancelled." in ran.out + ran.err
    assert mesh.cluster.find("deployments", "istiod-other", namespace=SYSTEM) is None


def test_findings_are_json_with_where_they_are_explained(mesh: Mesh, canary: Canary) -> None:
    ran = mesh.istioctl.well("analyze", "-A", "-o", "json")

    found = json.loads(ran.out)
    (one,) = (one for one in found if one["origin"] == "Namespace default")
    assert list(one) == ["code", "documentationUrl", "level", "message", "origin"]
    assert (one["code"], one["level"]) == ("IST0102", "Info")
    pages = "https://istio.io/v1.29/docs/reference/config/analysis"
    assert one["documentationUrl"] == f"{pages}/ist0102/?ref=istioctl-analyze"
