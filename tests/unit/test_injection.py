"""Who injects a pod: the whole table that was seen on a running mesh, cell by cell."""

from collections.abc import Mapping
from typing import Final

import pytest

from tasks.domain.injection import followed, is_closed, namespace_follows
from tests.builders import NEW, OLD, inventory, namespace, plane, tag

NONE: Final[Mapping[str, str]] = {}
ENABLED: Final = {"istio-injection": "enabled"}
DISABLED: Final = {"istio-injection": "disabled"}
OTHER: Final = {"istio-injection": "yes"}
TRUE: Final = {"sidecar.istio.io/inject": "true"}
FALSE: Final = {"sidecar.istio.io/inject": "false"}


def rev(name: str) -> dict[str, str]:
    return {"istio.io/rev": name}


PODS: Final = {
    "a plain pod": NONE,
    "inject=true": TRUE,
    "inject=false": FALSE,
    "rev=1-29-1": rev(NEW),
    "rev=prod": rev("prod"),
    "inject=true + rev=1-29-1": TRUE | rev(NEW),
    "rev=nosuch": rev("nosuch"),
    "inject=true + rev=nosuch": TRUE | rev("nosuch"),
}

# One letter a pod, in their order: (o)ld, (n)ew, (-) nobody.
ROWS: Final = {
    "istio-injection=enabled": (ENABLED, "oo-ooooo"),
    "istio-injection=enabled + rev=1-29-1": (ENABLED | rev(NEW), "oo-ooooo"),
    "istio-injection=disabled": (DISABLED, "--------"),
    "istio-injection=disabled + rev=1-29-1": (DISABLED | rev(NEW), "--------"),
    "istio-injection=yes": (OTHER, "--------"),
    "istio-injection=yes + rev=1-29-1": (OTHER | rev(NEW), "--------"),
    "istio-injection empty": ({"istio-injection": ""}, "--------"),
    "rev=1-28-3": (rev(OLD), "oo-ooooo"),
    "rev=default": (rev("default"), "oo-ooooo"),
    "rev=1-29-1": (rev(NEW), "nn-nnnnn"),
    "rev=prod": (rev("prod"), "nn-nnnnn"),
    "rev=nosuch": (rev("nosuch"), "--------"),
    "no labels": (NONE, "-o-nnn--"),
}
LETTERS: Final = {"o": OLD, "n": NEW, "-": None}


CELLS: Final = [
    pytest.param(labels, pod, LETTERS[letter], id=f"{row} / {column} / {LETTERS[letter]}")
    for row, (labels, letters) in ROWS.items()
    for (column, pod), letter in zip(PODS.items(), letters, strict=True)
]


@pytest.mark.parametrize(("space", "pod", "revision"), CELLS)
def test_injection(space: Mapping[str, str], pod: Mapping[str, str], revision: str | None) -> None:
    mesh = inventory(tags=(tag("default", OLD), tag("prod", NEW)))
    assert mesh.effective_revision(namespace(labels=space), pod) == revision


@pytest.mark.parametrize(
    ("space", "name"),
    [
        pytest.param(ENABLED, "default", id="istio-injection=enabled asks for the default"),
        pytest.param(ENABLED | rev(NEW), "default", id="which wins over istio.io/rev"),
        pytest.param(DISABLED | rev(NEW), None, id="so does istio-injection=disabled"),
        pytest.param(OTHER | rev(NEW), None, id="and any other value"),
        pytest.param(rev(NEW), NEW, id="a revision"),
        pytest.param(rev("prod"), "prod", id="a tag, by its own name"),
        pytest.param(rev(""), None, id="an empty label asks for nothing"),
        pytest.param(NONE, None, id="no labels"),
    ],
)
def test_point_3_a_relabelled_namespace_is_followed_only_without_istio_injection(
    space: Mapping[str, str], name: str | None
) -> None:
    assert namespace_follows(space) == name


@pytest.mark.parametrize(
    ("space", "closed"),
    [
        pytest.param(NONE, False, id="no labels"),
        pytest.param(rev(NEW), False, id="a revision"),
        pytest.param(ENABLED, False, id="enabled"),
        pytest.param(DISABLED, True, id="disabled"),
        pytest.param(OTHER, True, id="any other value"),
    ],
)
def test_a_namespace_is_closed_by_any_istio_injection_but_enabled(
    space: Mapping[str, str], closed: bool
) -> None:
    assert is_closed(space) is closed


def test_the_name_that_is_followed_need_not_exist() -> None:
    assert followed(rev("nosuch"), NONE) == "nosuch"
    assert followed(NONE, rev("nosuch")) == "nosuch"


def test_an_empty_revision_label_of_a_pod_asks_for_nothing() -> None:
    assert followed(NONE, rev("")) is None
    assert followed(NONE, TRUE | rev("")) == "default"


def test_without_a_default_tag_an_istiod_that_calls_itself_default_is_the_default() -> None:
    mesh = inventory(control_planes=(plane("default"), plane(NEW)), tags=())
    assert mesh.effective_revision(namespace(labels=ENABLED)) == "default"
    assert mesh.effective_revision(namespace(labels=rev("default"))) == "default"
    assert mesh.effective_revision(namespace(labels=NONE), TRUE) == "default"


def test_after_the_default_has_moved_the_name_default_means_the_tag() -> None:
    mesh = inventory(control_planes=(plane("default"), plane(NEW)), tags=(tag("default", NEW),))
    assert mesh.effective_revision(namespace(labels=rev("default"))) == NEW
    assert mesh.effective_revision(namespace(labels=ENABLED)) == NEW


def test_without_any_default_enabled_namespaces_are_injected_by_nobody() -> None:
    mesh = inventory(tags=())
    assert mesh.default_revision is None
    assert mesh.effective_revision(namespace(labels=ENABLED)) is None
