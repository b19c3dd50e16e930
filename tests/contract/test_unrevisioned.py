"""From an unrevisioned control plane: what it is called, how it gives way, and how it goes."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.contract import waiting
from tests.contract.client import Json
from tests.contract.istioctl import NEW, NEW_REVISION, OLD
from tests.contract.manifests import SERVE, pod_spec, workload
from tests.contract.mesh import INJECTORS, REVISION, SYSTEM, VALIDATORS, Mesh, Objects, revision_of
from tests.contract.place import Place
from tests.contract.test_install import of
from tests.contract.test_uninstall import DEFAULT
from tests.mesh.kubectl import Ran

INJECTOR = f"{INJECTORS}/istio-sidecar-injector"
NEVER: Json = {"matchLabels": {"istio.io/deactivated": "never-match"}}


@dataclass(frozen=True, kw_only=True)
class Story:
    """What was seen on the way from `default` to a revision, and to nothing."""

    first: Objects  # unrevisioned alone
    pod: Json  # of an enabled namespace then
    tags: list[Json]
    refused: Ran  # moving the default without --overwrite
    moved: Objects
    said: Ran  # the uninstall of `default`
    pods: set[str]  # which are all on the new revision by then
    after: Objects
    injected_by: str | None  # in an enabled namespace
    is_validated: bool
    in_the_end: Objects  # the new one uninstalled too
    finally_injected_by: str | None


@pytest.fixture(scope="module")
def story(mesh: Mesh) -> Iterator[Story]:
    """Tell the story once."""
    mesh.spoil()
    mesh.erase()
    place = mesh.cluster.place(**{"istio-injection": "enabled"})
    yield told(mesh, place)
    place.leave()
    mesh.spoil()


def told(mesh: Mesh, place: Place) -> Story:
    run, well = mesh.istioctl.run, mesh.istioctl.well
    mesh.istioctl.install(OLD)
    mesh.cluster.until(lambda: mesh.policies(f"istio-validator-{SYSTEM}") == {"Fail"}, "closed")
    place.make("deployments", workload(replicas=1, spec=pod_spec(SERVE, is_probed=True)))
    (pod,) = waiting.ready(place, 1)
    first = mesh.objects()
    tags = json.loads(well("tag", "list", "-o", "json").out)
    mesh.istioctl.install(NEW, NEW_REVISION)
    refused = run("tag", "set", "default", "--revision", NEW_REVISION)
    well("tag", "set", "default", "--revision", NEW_REVISION, "--overwrite")
    moved = mesh.objects()
    place.ask("DELETE", "pods", pod["metadata"]["name"])
    pods = _moved_pods(mesh, place)
    said = run("uninstall", "--revision", "default", "-y")
    mesh.cluster.until(lambda: not of("default") & set(mesh.objects()), "it is gone")
    after, injected_by = mesh.objects(), mesh.injected_by(place.name)
    is_validated = mesh.virtual_service(place.name, weight=100).code == 201
    well("uninstall", "--revision", NEW_REVISION, "-y")
    mesh.cluster.until(lambda: not of(NEW_REVISION) & set(mesh.objects()), "all is gone")
    return Story(
        first=first,
        pod=pod,
        tags=tags,
        refused=refused,
        moved=moved,
        said=said,
        pods=pods,
        after=after,
        injected_by=injected_by,
        is_validated=is_validated,
        in_the_end=mesh.objects(),
        finally_injected_by=mesh.injected_by(place.name),
    )


def _moved_pods(mesh: Mesh, place: Place) -> set[str]:
    """Wait until a place's only pod is one of the new revision, and is connected."""

    def found() -> set[str]:
        names = {
            f"{one['metadata']['name']}.{place.name}"
            for one in waiting.pods(place)
            if revision_of(one) == NEW_REVISION
        }
        return names & set(mesh.syncz(NEW_REVISION))

    return mesh.cluster.until(found, "a pod of the new revision", seconds=60)


def test_it_is_called_default(story: Story) -> None:
    assert set(story.first) >= of("default")
    for name in of("default"):
        assert story.first[name]["metadata"]["labels"][REVISION] == "default"


def test_its_pods_say_default(story: Story) -> None:
    assert revision_of(story.pod) == "default"
    assert story.pod["metadata"]["annotations"][REVISION] == "default"


def test_its_installer_makes_the_tag_default_too(story: Story) -> None:
    assert {"tag": "default", "revision": "default", "namespaces": []} in story.tags
    for name in (INJECTOR, f"{INJECTORS}/istio-revision-tag-default"):
        assert len(story.first[name]["webhooks"]) == 4


def test_the_default_does_not_move_by_itself(story: Story) -> None:
    assert story.refused.code == 1
    assert (
        'Error: revision tag "default" already exists, and --overwrite is false'
        in story.refused.err
    )


def test_moving_it_shuts_the_unrevisioned_injector(story: Story) -> None:
    hooks = story.moved[INJECTOR]["webhooks"]

    assert len(hooks) == 4
    assert [one["namespaceSelector"] for one in hooks] == [NEVER] * 4
    assert [one["objectSelector"] for one in hooks] == [NEVER] * 4


def test_moving_it_points_tag_and_validator_elsewhere(story: Story) -> None:
    for name in (
        f"{INJECTORS}/istio-revision-tag-default",
        f"{VALIDATORS}/istiod-default-validator",
    ):
        services = {one["clientConfig"]["service"]["name"] for one in story.moved[name]["webhooks"]}
        assert services == {f"istiod-{NEW_REVISION}"}
        assert story.moved[name]["metadata"]["labels"][REVISION] == NEW_REVISION


def test_its_uninstall_counts_the_proxies_of_all_revisions(story: Story) -> None:
    said = story.said.out + story.said.err

    assert "There are still 1 proxies pointing to the control plane revision default" in said
    assert all(name in said for name in story.pods)


def test_its_uninstall_removes_sixteen_objects_and_not_the_default(story: Story) -> None:
    gone = set(story.moved) - set(story.after)

    assert story.said.code == 0
    assert gone == of("default")
    assert set(story.after) >= DEFAULT


def test_enabled_namespaces_are_the_new_revision_s_then(story: Story) -> None:
    assert (story.injected_by, story.is_validated) == (NEW_REVISION, True)


def test_a_default_that_the_installer_made_goes_with_the_revision_that_it_points_to(
    story: Story,
) -> None:
    assert not set(story.in_the_end) & DEFAULT


def test_then_enabled_namespaces_get_bare_pods_silently(story: Story) -> None:
    assert story.finally_injected_by is None
