"""Clusters of any size: exactly as large as asked for, and the same each time."""

from pathlib import Path

import pytest

from deployments.rehearsal.errors import WrongInputError
from deployments.rehearsal.scenario import parsing
from deployments.rehearsal.scenario.generating import generated
from deployments.rehearsal.scenario.objects import objects_of
from deployments.rehearsal.scenario.values import Kind, Namespace, Scenario


def parse(generate: str) -> Scenario:
    text = f"description: x\nistio: {{}}\nupgrade: {{to: 1.29.1}}\ngenerate: {generate}\n"
    return parsing.parse(text, file="mine.yaml", source=Path("/mine.yaml"))


def sizes(spaces: list[Namespace]) -> tuple[int, int, int]:
    workloads = [one for space in spaces for one in space.workloads]
    return len(spaces), len(workloads), sum(one.replicas for one in workloads)


@pytest.mark.parametrize("wanted", [(1, 1, 1), (12, 60, 400), (500, 4_000, 50_000)])
def test_a_generated_cluster_has_exactly_so_many_of_each(wanted: tuple[int, int, int]) -> None:
    namespaces, workloads, pods = wanted

    found = generated(namespaces=namespaces, workloads=workloads, pods=pods, seed=3)

    assert sizes(found) == wanted
    assert all(one.replicas > 0 for space in found for one in space.workloads)


def test_the_same_seed_makes_the_same_cluster_and_another_one_another() -> None:
    one, same, other = (
        generated(namespaces=5, workloads=40, pods=300, seed=seed) for seed in (1, 1, 2)
    )

    assert one == same
    assert one != other


def test_more_workloads_than_pods_are_refused() -> None:
    with pytest.raises(WrongInputError, match=r"line 4: generate.pods: takes a number from 10 to"):
        parse("{namespaces: 2, workloads: 10, pods: 5}")


def test_a_generated_cluster_is_one_of_objects_that_can_be_made() -> None:
    found = list(objects_of(parse("{namespaces: 2, workloads: 3, pods: 9, seed: 1}")))

    assert [one["kind"] for one in found[:2]] == ["Namespace", "Namespace"]
    assert sum(one["spec"].get("replicas", 0) for one in found if "spec" in one) == 9


def test_large_workloads_are_such_that_roll_many_pods_at_a_time() -> None:
    found = generated(namespaces=50, workloads=500, pods=5_000, seed=1)
    ordered = [
        one.replicas for space in found for one in space.workloads if one.kind is Kind.STATEFUL_SET
    ]

    assert ordered
    assert max(ordered) <= 9
