"""Clusters of any size that look like clusters: a few large namespaces, many small ones."""

import random
from typing import Final

from deployments.rehearsal.scenario.values import Kind, Namespace, Workload

_ENABLED: Final = {"istio-injection": "enabled"}
# In a hundred workloads of a cluster.
_KINDS: Final = (Kind.DEPLOYMENT,) * 88 + (Kind.STATEFUL_SET,) * 12
_MOST_IN_ORDER: Final = 9  # pods of a StatefulSet: they go one after the other, and nobody has many


def generated(*, namespaces: int, workloads: int, pods: int, seed: int) -> list[Namespace]:
    """Return exactly so many of each; the same for the same seed."""
    dice = random.Random(seed)  # noqa: S311 - the same cluster twice
    sizes = _shares(dice, pods, workloads)
    counts = _shares(dice, workloads, namespaces)
    found: list[Namespace] = []
    for number, count in enumerate(counts, 1):
        own = [_workload(dice, f"app-{index}", sizes.pop()) for index in range(1, count + 1)]
        found.append(Namespace(name=f"team-{number:04}", labels=_ENABLED, workloads=tuple(own)))
    return found


def _workload(dice: random.Random, name: str, replicas: int) -> Workload:
    kind = dice.choice(_KINDS)
    if replicas > _MOST_IN_ORDER:
        kind = Kind.DEPLOYMENT
    return Workload(kind=kind, name=name, replicas=replicas)


def _shares(dice: random.Random, total: int, parts: int) -> list[int]:
    """Cut a number into parts of at least one, most of them small."""
    weights = [dice.paretovariate(1.6) for _ in range(parts)]
    spare, whole = total - parts, sum(weights)
    found = [1 + int(spare * weight / whole) for weight in weights]
    for index in range(total - sum(found)):
        found[index % parts] += 1
    return found
