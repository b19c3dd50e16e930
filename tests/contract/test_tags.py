"""Tags: what istioctl makes of them, what they point at, and what it refuses."""

import json
from collections.abc import Iterator

import pytest

from tests.contract.istioctl import NEW_REVISION, OLD_REVISION
from tests.contract.mesh import INJECTORS, REVISION, SYSTEM, VALIDATORS, Mesh
from tests.contract.place import Place

OLD, NEW = OLD_REVISION, NEW_REVISION
DEFAULT, VALIDATOR = "istio-revision-tag-default", "istiod-default-validator"


@pytest.fixture(scope="module")
def two(mesh: Mesh) -> Mesh:
    """Return a mesh with two revisions, the old one of which is the default."""
    mesh.two_revisions()
    return mesh


@pytest.fixture
def moved(two: Mesh) -> Iterator[Mesh]:
    """Return a mesh whose default is the new revision, for one row."""
    two.istioctl.well("tag", "set", "default", "--revision", NEW, "--overwrite")
    yield two
    two.istioctl.well("tag", "set", "default", "--revision", OLD, "--overwrite")


@pytest.fixture
def tag(two: Mesh) -> Iterator[str]:
    """Return a tag on the old revision, for one row."""
    two.istioctl.well("tag", "set", "mine", "--revision", OLD, "--overwrite")
    yield "mine"
    two.istioctl.run("tag", "remove", "mine", "-y")


def test_a_tag_is_an_injector_and_a_service_and_nobody_s_component(two: Mesh, tag: str) -> None:
    injector = two.labels(INJECTORS, f"istio-revision-tag-{tag}")
    service = two.labels("services", f"istiod-revision-tag-{tag}", namespace=SYSTEM)

    for labels in (injector, service):
        assert (labels["istio.io/tag"], labels[REVISION]) == (tag, OLD)
        assert not [key for key in labels if "operator.istio.io" in key]
    assert len(two.cluster.get(INJECTORS, f"istio-revision-tag-{tag}")["webhooks"]) == 2


def test_it_calls_the_revision_s_own_service(two: Mesh, tag: str) -> None:
    assert two.targets(INJECTORS, f"istio-revision-tag-{tag}") == {f"istiod-{OLD}"}


def test_set_says_what_it_did(two: Mesh) -> None:
    ran = two.istioctl.well("tag", "set", "mine", "--revision", NEW)

    assert ran.out.startswith(
        f'Revision tag "mine" created, referencing control plane revision "{NEW}". '
        "To enable injection using this\n"
        "revision tag, use 'kubectl label namespace <NAMESPACE> istio.io/rev=mine'"
    )
    assert two.istioctl.well("tag", "remove", "mine", "-y").out == "Revision tag mine removed\n"


def test_it_moves_only_if_it_may_be_overwritten(two: Mesh, tag: str, place: Place) -> None:
    place.label({REVISION: tag})

    refused = two.istioctl.run("tag", "set", tag, "--revision", NEW)
    assert two.injected_by(place.name) == OLD
    two.istioctl.well("tag", "set", tag, "--revision", NEW, "--overwrite")

    assert refused.code == 1
    assert 'Error: revision tag "mine" already exists, and --overwrite is false' in refused.err
    assert two.injected_by(place.name) == NEW


def test_it_cannot_point_at_what_is_not_there(two: Mesh) -> None:
    ran = two.istioctl.run("tag", "set", "mine", "--revision", "nosuch")

    assert ran.code == 1
    assert (
        "Error: cannot modify tag: cannot find MutatingWebhookConfiguration or Service with "
        'revision "nosuch"'
    ) in ran.err


def test_it_cannot_have_a_revision_s_name(two: Mesh) -> None:
    ran = two.istioctl.run("tag", "set", NEW, "--revision", OLD)

    assert ran.code == 1
    assert (
        f'Error: cannot create revision tag "{NEW}": '
        "found existing control plane revision with same name"
    ) in ran.err


def test_what_is_not_there_is_not_removed(two: Mesh) -> None:
    ran = two.istioctl.run("tag", "remove", "nosuch", "-y")

    assert ran.code == 1
    assert 'cannot remove tag "nosuch"' in ran.err


def test_a_removed_tag_injects_nobody(two: Mesh, tag: str, place: Place) -> None:
    place.label({REVISION: tag})

    two.istioctl.well("tag", "remove", tag, "-y")

    assert two.injected_by(place.name) is None
    assert two.cluster.find(INJECTORS, f"istio-revision-tag-{tag}") is None
    assert two.cluster.find("services", f"istiod-revision-tag-{tag}", namespace=SYSTEM) is None


def test_the_list_says_which_namespaces_follow_a_tag(two: Mesh, tag: str, place: Place) -> None:
    place.label({REVISION: tag})

    rows = json.loads(two.istioctl.well("tag", "list", "-o", "json").out)

    found = {row["tag"]: row for row in rows if row["tag"]}
    assert found[tag]["revision"] == OLD
    assert place.name in found[tag]["namespaces"]
    assert found["default"]["revision"] == OLD


def test_a_revision_is_in_the_list_by_itself_only_while_it_has_no_tag(two: Mesh) -> None:
    def alone() -> set[str]:
        rows = json.loads(two.istioctl.well("tag", "list", "-o", "json").out)
        return {row["revision"] for row in rows if not row["tag"]}

    for one in ("prod", "mine"):
        two.istioctl.run("tag", "remove", one, "-y")
    assert alone() == {NEW}

    two.istioctl.well("tag", "set", "mine", "--revision", NEW)

    assert alone() == set()
    two.istioctl.well("tag", "remove", "mine", "-y")


def test_the_table_has_three_columns(two: Mesh, tag: str) -> None:
    ran = two.istioctl.well("tag", "list")

    lines = [line.split() for line in ran.out.splitlines()]
    assert lines[0] == ["TAG", "REVISION", "NAMESPACES"]
    assert [tag, OLD] in [line[:2] for line in lines]


def test_the_default_moves_with_its_validator_and_at_once(moved: Mesh, place: Place) -> None:
    place.label({"istio-injection": "enabled"})

    assert moved.targets(INJECTORS, DEFAULT) == {f"istiod-{NEW}"}
    assert moved.targets(VALIDATORS, VALIDATOR) == {f"istiod-{NEW}"}
    assert len(moved.cluster.get(INJECTORS, DEFAULT)["webhooks"]) == 4
    assert moved.labels(VALIDATORS, VALIDATOR)[REVISION] == NEW
    assert (
        moved.labels("services", "istiod-revision-tag-default", namespace=SYSTEM)[REVISION] == NEW
    )
    assert moved.injected_by(place.name) == NEW
    assert moved.virtual_service(place.name, weight=100).code == 201


def test_a_default_that_the_installer_made_keeps_its_labels_when_it_moves(moved: Mesh) -> None:
    labels = moved.labels(INJECTORS, DEFAULT)

    assert labels["operator.istio.io/component"] == "Pilot"
    assert labels["operator.istio.io/version"] == "1.28.3"


def test_moving_it_again_is_free(moved: Mesh) -> None:
    ran = moved.istioctl.well("tag", "set", "default", "--revision", NEW, "--overwrite")

    assert 'Revision tag "default" created' in ran.out


def test_without_overwrite_it_stays(two: Mesh) -> None:
    ran = two.istioctl.run("tag", "set", "default", "--revision", NEW)

    assert ran.code == 1
    assert 'revision tag "default" already exists, and --overwrite is false' in ran.err
    assert two.targets(INJECTORS, DEFAULT) == {f"istiod-{OLD}"}
