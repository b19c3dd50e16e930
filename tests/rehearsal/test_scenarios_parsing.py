"""Scenarios are read strictly: a mistake is told by file, line and field, with what would be right."""

from pathlib import Path

import pytest

from deployments.rehearsal.cluster.resources import PODS
from deployments.rehearsal.cluster.shapes import check_shape
from deployments.rehearsal.errors import WrongInputError
from deployments.rehearsal.scenario import parsing
from deployments.rehearsal.scenario.finding import built_in, find
from deployments.rehearsal.scenario.objects import objects_of
from deployments.rehearsal.scenario.values import Kind, Scenario

WHOLE = """\
description: A test's own.
istio: {version: 1.28.3, revision: default, tags: [prod]}
namespaces:
  shop:
    labels: {istio-injection: enabled, shadow: "true"}
    proxies_late_seconds: 1.5
    workloads:
      - {deployment: web, replicas: 3, min_available: 3}
      - {statefulset: db, replicas: 2, strategy: OnDelete}
objects:
  - {apiVersion: v1, kind: ConfigMap, metadata: {name: one, namespace: shop}}
upgrade: {to: 1.29.1}
exit_code: 6
seed: 7
"""


def parse(text: str) -> Scenario:
    return parsing.parse(text, file="mine.yaml", source=Path("/somewhere/mine.yaml"))


def test_a_scenario_says_what_is_there_and_what_is_rehearsed() -> None:
    found = parse(WHOLE)

    assert (found.name, found.exit_code, found.seed) == ("mine", 6, 7)
    assert (found.istio.revision, found.istio.tags) == (None, ("prod",))
    (shop,) = found.namespaces
    assert shop.labels == {"istio-injection": "enabled", "shadow": "true"}
    assert shop.proxies_late_seconds == 1.5
    assert [(one.kind, one.name, one.replicas) for one in shop.workloads] == [
        (Kind.DEPLOYMENT, "web", 3),
        (Kind.STATEFUL_SET, "db", 2),
    ]
    assert found.objects[0]["kind"] == "ConfigMap"
    assert found.upgrade == {"to": "1.29.1"}


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        pytest.param("replicas: 3", "replicas: many", "mine.yaml, line 8: namespaces.shop."
                     "workloads[0].replicas: takes a number from 0 to 5000, not 'many'",
                     id="a number that is none"),
        pytest.param("replicas: 3", "replicsa: 3", "workloads[0].replicsa: there is no such key",
                     id="a key that is mistyped"),
        pytest.param("deployment: web", "rollout: web", "rollout: there is no such key",
                     id="a kind that there is not"),
        pytest.param("deployment: web, ", "", "takes one of deployment, statefulset",
                     id="a workload without a kind"),
        pytest.param("strategy: OnDelete", "strategy: Recreate",
                     "line 9: namespaces.shop.workloads[1].strategy: a statefulset has "
                     "RollingUpdate or OnDelete, not 'Recreate'", id="another kind's strategy"),
        pytest.param("min_available: 3", "partition: 1", "is nothing for a deployment",
                     id="another kind's option"),
        pytest.param("version: 1.28.3", "version: 1.27.0", "line 2: istio.version: there is no "
                     "1.27.0 here; there are 1.28.3, 1.29.1", id="an Istio that is not here"),
        pytest.param("tags: [prod]", "tags: prod", "line 2: istio.tags: takes a list",
                     id="a word for a list"),
        pytest.param("to: 1.29.1", "revision: x", "line 12: upgrade: to is missing",
                     id="an upgrade to nowhere"),
        pytest.param("to: 1.29.1", "to: 1.29.1, istioctl: [x]", "are the rehearsal's own",
                     id="a cluster of the scenario's own"),
        pytest.param("kind: ConfigMap, ", "", "line 11: objects[0]: kind is missing",
                     id="an object that is none"),
        pytest.param("exit_code: 6", "exit_code: 700", "line 13: exit_code: takes a number",
                     id="an exit code that nobody has"),
        pytest.param("seed: 7", "seed: 7\nseed: 8", "line 15: seed: is there twice",
                     id="a key that is there twice"),
        pytest.param("  shop:", "  Shop:", "'Shop' is no name", id="a name that is none"),
        pytest.param("statefulset: db", "statefulset: web", "there are two of web in shop",
                     id="two workloads of one name"),
        pytest.param("namespaces:", "namespaces: [", "mine.yaml, line 5: is no YAML",
                     id="no YAML"),
        pytest.param("shadow: \"true\"", "shadow: [1]", "line 5: namespaces.shop.labels.shadow: "
                     "takes a word", id="a label that is a list"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_by_its_place_with_what_would_be_right(
    before: str, after: str, complaint: str
) -> None:
    assert before in WHOLE

    with pytest.raises(WrongInputError) as raised:
        parse(WHOLE.replace(before, after))

    assert complaint in str(raised.value)
    assert str(raised.value).startswith("mine.yaml")


def test_an_empty_file_is_no_scenario() -> None:
    with pytest.raises(WrongInputError, match=r"mine.yaml: is empty"):
        parse("# nothing\n")


def test_what_is_missing_is_named() -> None:
    with pytest.raises(WrongInputError, match="istio is missing"):
        parse("description: x\nupgrade: {to: 1.29.1}\n")


@pytest.mark.parametrize("name", built_in())
def test_each_built_in_scenario_can_be_read(name: str) -> None:
    assert find(name).description


def test_shop_is_as_large_as_it_says() -> None:
    shop = find("shop")
    workloads = [one for space in shop.namespaces for one in space.workloads]

    assert (len(shop.namespaces), len(workloads), shop.pods) == (12, 60, 400)
    assert {one.kind for one in workloads} == {
        Kind.DEPLOYMENT,
        Kind.STATEFUL_SET,
        Kind.DAEMON_SET,
    }
    assert any(one.is_gateway for one in workloads)
    assert any(one.min_available == one.replicas == 1 for one in workloads)
    assert shop.istio.tags


def test_a_scenario_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(WrongInputError, match="there are attic, shop, sleep, and any file"):
        find("slepe")
    with pytest.raises(WrongInputError, match=r"nowhere/x.yaml cannot be read: No such file"):
        find("nowhere/x.yaml")


def test_a_file_of_ones_own_is_found_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(WHOLE)

    assert find(str(path)).source == str(path)


@pytest.mark.parametrize(
    ("obj", "complaint"),
    [
        pytest.param(
            "&a {apiVersion: v1, kind: ConfigMap, metadata: {name: one}, data: *a}",
            "objects[0]: cannot be written as JSON",
            id="an object without an end",
        ),
        pytest.param(
            "{apiVersion: 1, kind: ConfigMap, metadata: {name: one}}",
            "objects[0].apiVersion: takes a word, not '1'",
            id="a version that is a number",
        ),
        pytest.param(
            "{apiVersion: v1, kind: ConfigMap, metadata: {name: 5}}",
            "objects[0].metadata.name: takes a word, not '5'",
            id="a name that is a number",
        ),
    ],
)
def test_an_object_that_is_none_is_told_by_line_and_field(obj: str, complaint: str) -> None:
    before = "{apiVersion: v1, kind: ConfigMap, metadata: {name: one, namespace: shop}}"

    with pytest.raises(WrongInputError) as refused:
        parse(WHOLE.replace(before, obj))

    assert str(refused.value).startswith(f"mine.yaml, line 11: {complaint}")


@pytest.mark.parametrize("name", built_in())
def test_the_cluster_takes_the_pods_of_each_scenario(name: str) -> None:
    for found in objects_of(find(name)):
        if (template := found.get("spec", {}).get("template")) is not None:
            check_shape(PODS, {"apiVersion": "v1", "kind": "Pod", **template})
