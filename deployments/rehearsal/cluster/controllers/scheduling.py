"""
Which node a pod may run on: node names, labels and affinity, as far as workloads here use them.

Nodes are never full: what a pod requests is not counted.
"""

from collections.abc import Sequence
from typing import Final

from deployments.rehearsal.cluster.controllers.reading import pairs, part, texts
from deployments.rehearsal.cluster.objects import Json, labels_of, name_of, objects_in, spec_of
from deployments.rehearsal.cluster.selectors import Requirement

_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"


def fits(pod_spec: Json, node: Json) -> bool:
    """Say whether a node has the name and the labels that a pod asks for."""
    wanted = pairs(pod_spec, "nodeSelector")
    return wanted.items() <= labels_of(node).items() and _has_affinity(pod_spec, node)


def _has_affinity(pod_spec: Json, node: Json) -> bool:
    terms = _terms(pod_spec)
    return not terms or any(_holds(term, node) for term in terms)


def _terms(pod_spec: Json) -> list[Json]:
    return objects_in(part(pod_spec, "affinity", "nodeAffinity", _REQUIRED), "nodeSelectorTerms")


def _holds(term: Json, node: Json) -> bool:
    fields = {"metadata.name": name_of(node)}
    return all(_chooses(rule, fields) for rule in objects_in(term, "matchFields")) and all(
        _chooses(rule, labels_of(node)) for rule in objects_in(term, "matchExpressions")
    )


def _chooses(rule: Json, values: dict[str, str]) -> bool:
    wanted = frozenset(texts(rule, "values"))
    return Requirement(rule["key"], rule["operator"], wanted).matches(values)


def bound_to(pod_spec: Json, node: str) -> Json:
    """Return the spec of a pod that may run on one node only."""
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    given = part(pod_spec, "affinity")
    affinity = part(given, "nodeAffinity") | {_REQUIRED: {"nodeSelectorTerms": [term]}}
    return pod_spec | {"affinity": given | {"nodeAffinity": affinity}}


def bound_node(pod: Json) -> str:
    """Return the node of a pod, or the one that it may run on only; empty if there is none."""
    if name := spec_of(pod).get("nodeName"):
        return str(name)
    for term in _terms(spec_of(pod)):
        for rule in objects_in(term, "matchFields"):
            if rule["key"] == "metadata.name" and rule["values"]:
                return str(rule["values"][0])
    return ""


def complaint(pod_spec: Json, nodes: Sequence[Json]) -> str:
    """Say why no node will do, as the real scheduler does."""
    other = sum(not fits(pod_spec, node) for node in nodes)
    closed = len(nodes) - other
    reasons = [
        f"{other} node(s) didn't match Pod's node affinity/selector" if other else "",
        f"{closed} node(s) were unschedulable" if closed else "",
    ]
    told = ", ".join(filter(None, reasons))
    return f"0/{len(nodes)} nodes are available: {told}." if nodes else "no nodes available"
