"""Labels of namespaces, and resources that only one revision sees."""

import pytest

from tasks.domain.findings import Severity
from tests.builders import MESH, NEW, OLD, labelled_config, namespace, tag
from tests.unit.checks_cases import found, mesh, names, only

BLOCKS, WARNS = Severity.BLOCKS, Severity.WARNS


def test_point_10_a_namespace_that_asks_for_nobody_blocks() -> None:
    given = mesh(namespaces=(namespace(labels={"istio.io/rev": "nosuch"}),), pods=())
    one = only(found(given), BLOCKS, "unknown-revision:namespace/shop")
    assert "silently" in one.fact
    assert f"kubectl label namespace shop istio.io/rev={OLD} --overwrite" in one.todo


def test_point_10_a_tag_that_leads_nowhere_blocks_who_follows_it() -> None:
    given = mesh(
        tags=(tag(), tag("prod", "1-27-0")),
        namespaces=(namespace(labels={"istio.io/rev": "prod"}),),
        pods=(),
    )
    only(found(given), BLOCKS, "unknown-revision:namespace/shop")


def test_a_default_tag_that_leads_nowhere_blocks_as_well() -> None:
    given = mesh(tags=(tag("default", "1-27-0"),), pods=())
    only(found(given, moves_tags=()), BLOCKS, "unknown-revision:namespace/shop")


def test_a_default_tag_that_is_not_there_is_said_once_for_all() -> None:
    given = mesh(tags=(), pods=())
    only(found(given, moves_tags=()), WARNS, "no-default-tag:tag/default")


@pytest.mark.parametrize(
    "space",
    [
        pytest.param(namespace("kube-system", labels={"istio.io/rev": "x"}), id="Kubernetes'"),
        pytest.param(namespace(MESH, labels={"istio.io/rev": "x"}), id="the control planes'"),
        pytest.param(
            namespace("gone", labels={"istio.io/rev": "x"}, is_terminating=True), id="going"
        ),
        pytest.param(namespace("free", labels={}), id="asks for nothing"),
        pytest.param(namespace("off", labels={"istio-injection": "disabled"}), id="wants none"),
    ],
)
def test_namespaces_that_nothing_moves_are_not_judged(space: object) -> None:
    assert found(mesh(namespaces=(space,))) == []


@pytest.mark.parametrize(
    ("value", "counts"), [("enabled", "the default revision injects"), ("disabled", "nobody")]
)
def test_point_3_of_both_labels_the_one_that_counts_is_named(value: str, counts: str) -> None:
    labels = {"istio-injection": value, "istio.io/rev": "1-27-0"}
    one = only(
        found(mesh(namespaces=(namespace(labels=labels),), pods=())),
        WARNS,
        "both-labels:namespace/shop",
    )
    assert f"only istio-injection counts, so {counts}" in one.fact


def test_point_3_any_other_value_of_istio_injection_shuts_it_out() -> None:
    given = mesh(namespaces=(namespace(labels={"istio-injection": "yes"}),), pods=())
    only(found(given), WARNS, "injection-value:namespace/shop")


def test_a_resource_that_only_the_old_revision_sees_blocks() -> None:
    configs = (labelled_config(), labelled_config(NEW), labelled_config("1-27-0"))
    given = mesh(labelled_configs=configs)
    one = only(found(given), BLOCKS, "config-of-old-revision:shop/VirtualService/cart")
    assert one.todo.startswith("Run kubectl -n shop label virtualservice cart istio.io/rev-")


def test_every_namespace_is_named_by_itself() -> None:
    spaces = tuple(namespace(name, labels={"istio.io/rev": "nosuch"}) for name in ("b", "a"))
    assert names(found(mesh(namespaces=spaces, pods=()))) == [
        "BLOCKS unknown-revision:namespace/a",
        "BLOCKS unknown-revision:namespace/b",
    ]
