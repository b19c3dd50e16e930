"""Version rules: distances, names that are taken, Kubernetes' support rows."""

import pytest

from tasks.domain.findings import Severity
from tasks.domain.revision import Version
from tests.builders import NEW, OLD, plane, tag
from tests.unit.checks_cases import found, mesh, names, only

BLOCKS, WARNS = Severity.BLOCKS, Severity.WARNS


@pytest.mark.parametrize(
    ("old", "code"),
    [
        pytest.param("1.30.0", "downgrade", id="a newer minor is there"),
        pytest.param("1.29.2", "downgrade", id="a newer patch is there"),
        pytest.param("1.29.1", "same-version", id="another name for the same"),
        pytest.param("1.26.8", "skips-minors", id="three minors at once"),
    ],
)
def test_an_unsupported_distance_blocks(old: str, code: str) -> None:
    given = mesh(control_planes=(plane(version=old),))
    assert f"BLOCKS {code}:revision/{OLD}" in names(found(given))


@pytest.mark.parametrize("old", ["1.27.0", "1.28.9", "1.29.0"])
def test_a_supported_distance_is_no_finding(old: str) -> None:
    given = mesh(control_planes=(plane(version=old),), kubernetes="v1.33.1")
    assert found(given) == []


def test_too_long_a_jump_names_the_version_to_stop_at() -> None:
    (skip, *_) = found(mesh(control_planes=(plane(version="1.26.8"),)))
    assert skip.todo == "Upgrade to 1.28 first."


@pytest.mark.parametrize("version", [None, "latest"])
def test_an_old_version_that_nobody_knows_blocks(version: str | None) -> None:
    one = only(
        found(mesh(control_planes=(plane(version=version),))),
        BLOCKS,
        f"old-version-unknown:revision/{OLD}",
    )
    assert (version or "no readable image tag") in one.fact


def test_an_old_revision_without_an_istiod_blocks() -> None:
    every = names(found(mesh(control_planes=())))
    assert f"BLOCKS old-version-unknown:revision/{OLD}" in every


@pytest.mark.parametrize("version", ["1.28.3", "unknown"])
def test_an_istioctl_of_another_version_blocks(version: str) -> None:
    one = only(found(istioctl=version), BLOCKS, "istioctl-version:istioctl")
    assert version in one.fact


def test_a_canary_that_somebody_else_installed_blocks() -> None:
    given = mesh(control_planes=(plane(OLD), plane(NEW)))
    only(found(given), BLOCKS, f"revision-taken:revision/{NEW}")


def test_a_tag_that_has_the_canarys_name_blocks() -> None:
    given = mesh(tags=(tag(), tag(NEW, OLD)))
    every = names(found(given, moves_tags=("default", NEW)))
    assert every == [f"BLOCKS revision-taken:revision/{NEW}"]


def test_a_canary_of_our_own_is_adopted() -> None:
    assert found(mesh(control_planes=(plane(OLD), plane(NEW))), adopted=True) == []


@pytest.mark.parametrize("version", ["1.29.0", None])
def test_an_adopted_canary_of_another_version_blocks(version: str | None) -> None:
    given = mesh(control_planes=(plane(OLD), plane(NEW, version=version)))
    only(found(given, adopted=True), BLOCKS, f"adopted-version:revision/{NEW}")


@pytest.mark.parametrize(
    ("kubernetes", "expected"),
    [
        pytest.param("v1.34.4", [], id="both support it"),
        pytest.param("v1.31.0+k3s1", [], id="the oldest that both support"),
        pytest.param(
            "v1.35.0", [f"WARNS kubernetes-unsupported:revision/{OLD}"], id="too new for the old"
        ),
        pytest.param(
            "v1.30.0", [f"WARNS kubernetes-unsupported:revision/{NEW}"], id="too old for the new"
        ),
        pytest.param("weekly", ["WARNS kubernetes-unknown:cluster"], id="no version at all"),
    ],
)
def test_kubernetes_has_to_be_in_both_rows(kubernetes: str, expected: list[str]) -> None:
    assert names(found(mesh(kubernetes=kubernetes))) == expected


def test_an_unknown_newer_minor_is_a_warning_and_no_error() -> None:
    given = mesh(control_planes=(plane(version="1.30.0"),), kubernetes="v1.34.4")
    every = found(given, target=Version(1, 32, 0), istioctl="1.32.0")
    only(every, WARNS, f"unknown-minor:revision/{NEW}")
