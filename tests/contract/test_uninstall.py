"""
Uninstall: what it lists, what it removes, what it says of proxies, and what breaks afterwards.

First the old revision goes, whose default has moved to the new one, and then the new one, to which
a default points that istioctl made. Both are told as stories, and the rows look at what was seen.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.contract import waiting
from tests.contract.client import Answer
from tests.contract.istioctl import NEW_REVISION, OLD_REVISION
from tests.contract.manifests import SERVE, pod_spec, workload
from tests.contract.mesh import INJECTORS, REVISION, SYSTEM, VALIDATORS, Mesh, Objects
from tests.contract.place import Place
from tests.contract.test_install import LEASES, of
from tests.mesh.kubectl import Ran

OLD, NEW = OLD_REVISION, NEW_REVISION
# The parts of the default revision, and of the user's tag `stable`.
DEFAULT = {
    f"{INJECTORS}/istio-revision-tag-default",
    f"{VALIDATORS}/istiod-default-validator",
    "services/istiod-revision-tag-default",
}
STABLE = {f"{INJECTORS}/istio-revision-tag-stable", "services/istiod-revision-tag-stable"}
SHARED = {
    "configmaps/istio-ca-root-cert",
    "configmaps/istio-leader",
    "configmaps/istio-namespace-controller-election",
    "serviceaccounts/istio-reader-service-account",
}


@dataclass(frozen=True, kw_only=True)
class Removal:
    """What was seen while the old revision was uninstalled."""

    place: Place  # of a pod that the old revision had injected
    proxy: str
    before: Objects
    dry: Ran
    after_dry: Objects
    unconfirmed: Ran
    ran: Ran
    after: Objects
    again: Ran


@pytest.fixture(scope="module")
def removal(mesh: Mesh) -> Iterator[Removal]:
    """Uninstall the old revision; the default is the new one, the tag stable is left behind."""
    mesh.two_revisions()
    mesh.spoil()
    place = mesh.cluster.place(**{REVISION: OLD})
    yield removed(mesh, place)
    place.leave()


def removed(mesh: Mesh, place: Place) -> Removal:
    run = mesh.istioctl.run
    place.make("deployments", workload(replicas=1, spec=pod_spec(SERVE, is_probed=True)))
    (pod,) = waiting.ready(place, 1)
    proxy = f"{pod['metadata']['name']}.{place.name}"
    mesh.istioctl.well("tag", "set", "stable", "--revision", OLD, "--overwrite")
    mesh.istioctl.well("tag", "set", "default", "--revision", NEW, "--overwrite")
    mesh.cluster.until(lambda: proxy in mesh.syncz(OLD), "the proxy is connected", seconds=60)
    mesh.cluster.until(lambda: of(OLD, LEASES) <= set(mesh.objects()), "leases", seconds=60)
    before = mesh.objects()
    dry = run("uninstall", "--dry-run", "--revision", OLD, "-y")
    after_dry = mesh.objects()
    unconfirmed = run("uninstall", "--revision", OLD)
    ran = run("uninstall", "--revision", OLD, "-y")
    mesh.cluster.until(lambda: not of(OLD) & set(mesh.objects()), "it is gone")
    again = run("uninstall", "--revision", OLD, "-y")
    return Removal(
        place=place,
        proxy=proxy,
        before=before,
        dry=dry,
        after_dry=after_dry,
        unconfirmed=unconfirmed,
        ran=ran,
        after=mesh.objects(),
        again=again,
    )


def pruned(ran: Ran) -> list[str]:
    """Return what a dry run says on stdout that it would delete."""
    beginning, end = "Not pruning object ", " because of dry run."
    lines = [line.strip() for line in ran.out.splitlines()]
    return sorted(
        line.removeprefix(beginning).removesuffix(end) for line in lines if beginning in line
    )


def test_a_dry_run_names_each_object_that_would_go(removal: Removal) -> None:
    listed = pruned(removal.dry)

    assert removal.dry.code == 0
    assert len(listed) == 16
    assert f"apps/v1, Kind=Deployment/istiod-{OLD}.{SYSTEM}" in listed
    assert f"/v1, Kind=Service/istiod-{OLD}.{SYSTEM}" in listed
    kind = "admissionregistration.k8s.io/v1, Kind=MutatingWebhookConfiguration"
    assert f"{kind}/istio-sidecar-injector-{OLD}." in listed


def test_a_dry_run_removes_nothing_and_says_that_it_is_complete(removal: Removal) -> None:
    assert set(removal.after_dry) == set(removal.before)
    assert removal.dry.err.endswith("✔ Uninstall complete")


def test_an_uninstall_names_the_proxies_that_are_connected(removal: Removal) -> None:
    said = removal.ran.out + removal.ran.err

    assert f"There are still 1 proxies pointing to the control plane revision {OLD}" in said
    assert removal.proxy in said


def test_an_uninstall_that_nobody_confirms_is_cancelled(removal: Removal) -> None:
    said = removal.unconfirmed.out + removal.unconfirmed.err

    assert removal.unconfirmed.code == 1
    assert "Proceed? (y/N)" in said
    assert "Cancelled." in said


def test_confirmed_it_removes_the_sixteen_whoever_is_connected(removal: Removal) -> None:
    assert removal.ran.code == 0
    assert removal.ran.err.endswith("✔ Uninstall complete")
    assert set(removal.before) - set(removal.after) == of(OLD)


def test_the_default_that_had_moved_stays(removal: Removal) -> None:
    assert set(removal.after) >= DEFAULT


def test_a_user_s_tag_stays(removal: Removal) -> None:
    assert set(removal.after) >= STABLE


def test_the_leases_stay(removal: Removal) -> None:
    assert set(removal.after) >= of(OLD, LEASES)


def test_what_is_shared_stays(removal: Removal) -> None:
    assert set(removal.after) >= SHARED
    assert len([name for name in removal.after if name.startswith("customresource")]) == 14


def test_an_uninstall_again_finds_nothing_but_the_tag(removal: Removal) -> None:
    said = removal.again.out + removal.again.err

    assert removal.again.code == 0
    assert (
        "No resources will be pruned from the cluster. Please double check the input configs"
        in (said)
    )


def test_a_revision_that_nothing_names_is_an_error(mesh: Mesh, removal: Removal) -> None:
    ran = mesh.istioctl.run("uninstall", "--revision", "nosuch", "-y")

    assert ran.code == 1
    assert "could not find target revision" in ran.err


def test_pods_of_the_removed_revision_serve_on(mesh: Mesh, removal: Removal) -> None:
    (pod,) = waiting.pods(removal.place)

    assert f"{pod['metadata']['name']}.{removal.place.name}" == removal.proxy
    assert waiting.is_ready(pod)


def test_namespaces_that_name_the_removed_revision_get_bare_pods_silently(
    mesh: Mesh, removal: Removal, place: Place
) -> None:
    place.label({REVISION: OLD})

    assert mesh.injected_by(place.name) is None


def test_pods_of_a_tag_that_was_left_behind_cannot_be_made(
    mesh: Mesh, removal: Removal, place: Place
) -> None:
    place.label({REVISION: "stable"})

    answer = mesh.dry_run(place.name)

    assert answer.said == (
        500,
        "InternalError",
        (
            "Internal error occurred: failed calling webhook "
            '"rev.namespace.sidecar-injector.istio.io": failed to call webhook: Post '
            f'"https://istiod-{OLD}.{SYSTEM}.svc:443/inject?timeout=10s": '
            f'service "istiod-{OLD}" not found'
        ),
    )


def test_those_who_follow_the_default_are_the_new_revision_s(
    mesh: Mesh, removal: Removal, place: Place
) -> None:
    place.label({"istio-injection": "enabled"})

    assert mesh.injected_by(place.name) == NEW
    assert mesh.virtual_service(place.name, weight=100).code == 201


@dataclass(frozen=True, kw_only=True)
class Abandoned:
    """What was left when the default's revision went, and the default was made by `tag set`."""

    removed: Ran  # `tag remove default`
    validator_stays: bool
    labels: dict[str, str]  # of the default that `tag set` made from nothing
    after: Objects
    pod: Answer
    virtual_service: Answer


@pytest.fixture(scope="module")
def abandoned(mesh: Mesh, removal: Removal) -> Abandoned:
    """Make the default by istioctl alone, and uninstall the revision that it points to."""
    removed = mesh.istioctl.well("tag", "remove", "default", "-y")
    stays = mesh.cluster.find(VALIDATORS, "istiod-default-validator") is not None
    mesh.cluster.delete(VALIDATORS, "istiod-default-validator")
    mesh.istioctl.well("tag", "set", "default", "--revision", NEW)
    labels = mesh.labels(INJECTORS, "istio-revision-tag-default")
    mesh.cluster.until(lambda: mesh.policies("istiod-default-validator") == {"Fail"}, "closed")
    mesh.istioctl.well("uninstall", "--revision", NEW, "-y")
    mesh.cluster.until(lambda: not of(NEW) & set(mesh.objects()), "it is gone")
    place = mesh.cluster.place(**{"istio-injection": "enabled"})
    seen = Abandoned(
        removed=removed,
        validator_stays=stays,
        labels=labels,
        after=mesh.objects(),
        pod=mesh.dry_run(place.name),
        virtual_service=mesh.virtual_service(place.name, weight=100),
    )
    place.leave()
    return seen


def test_a_removed_default_leaves_its_validator(abandoned: Abandoned) -> None:
    assert abandoned.removed.out == "Revision tag default removed\n"
    assert abandoned.validator_stays


def test_a_default_that_istioctl_made_is_nobody_s_component(abandoned: Abandoned) -> None:
    assert not [key for key in abandoned.labels if "operator.istio.io" in key]


def test_it_outlives_the_revision_that_it_points_to(abandoned: Abandoned) -> None:
    assert set(abandoned.after) >= DEFAULT


def test_then_pods_of_enabled_namespaces_cannot_be_made(abandoned: Abandoned) -> None:
    assert abandoned.pod.code == 500
    assert abandoned.pod.message.startswith(
        'Internal error occurred: failed calling webhook "namespace.sidecar-injector.istio.io": '
    )
    assert abandoned.pod.message.endswith(f'service "istiod-{NEW}" not found')


def test_then_nothing_of_istio_s_can_be_written(abandoned: Abandoned) -> None:
    said = abandoned.virtual_service
    assert said.code == 500
    assert said.message.startswith(
        'Internal error occurred: failed calling webhook "validation.istio.io": '
    )
    assert said.message.endswith(f'service "istiod-{NEW}" not found')


def test_a_tag_whose_revision_is_gone_is_still_listed(mesh: Mesh, abandoned: Abandoned) -> None:
    rows = json.loads(mesh.istioctl.well("tag", "list", "-o", "json").out)

    assert {row["tag"] for row in rows} >= {"default", "stable"}
