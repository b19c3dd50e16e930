"""From a scenario's text to its values: strictly, so that nobody rehearses something else."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from deployments.rehearsal.scenario import generating
from deployments.rehearsal.scenario.documents import Place, read
from deployments.rehearsal.scenario.values import Istio, Json, Namespace, Scenario
from deployments.rehearsal.scenario.workload_parsing import dns_label, parse_workload

VERSIONS: Final = ("1.28.3", "1.29.1")
MOST_PODS: Final = 50_000
UNREVISIONED: Final = "default"
_LONGEST_WAIT: Final = 600.0

_SCENARIO: Final = {
    "description": "one sentence for people",
    "istio": "what is installed when the rehearsal begins",
    "namespaces": "by name",
    "generate": "as many as wanted",
    "objects": "any other objects, as Kubernetes has them",
    "faults": "as --fault takes them",
    "upgrade": "parameters of the upgrade",
    "exit_code": "how the upgrade is meant to end",
    "seed": "of everything that chance decides",
}
_ISTIO: Final = {"version": "", "revision": "", "tags": ""}
_NAMESPACE: Final = {"labels": "", "proxies_late_seconds": "", "workloads": ""}
_GENERATE: Final = {"namespaces": "", "workloads": "", "pods": "", "seed": ""}
_REVISION: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,54}[a-z0-9])?")


def parse(text: str, *, file: str, source: Path) -> Scenario:
    """Read a scenario; messages call it `file`. Raises WrongInputError naming line and field."""
    document = read(text, file)
    found = document.closed(_SCENARIO)
    for required in ("description", "istio", "upgrade"):
        if required not in found:
            raise document.wrong(f"{required} is missing: {_SCENARIO[required]}")
    seed = found["seed"].integer(0, 2**31) if "seed" in found else 0
    scenario = Scenario(
        name=source.stem,
        source=str(source.absolute()),
        description=found["description"].text(),
        istio=_istio(found["istio"]),
        namespaces=_namespaces(found),
        objects=tuple(_object(one) for one in _listed(found.get("objects"))),
        faults=tuple(one.text() for one in _listed(found.get("faults"))),
        fault_places=tuple(one.where for one in _listed(found.get("faults"))),
        upgrade=_upgrade(found["upgrade"]),
        exit_code=found["exit_code"].integer(0, 6) if "exit_code" in found else 0,
        seed=seed,
    )
    if scenario.pods > MOST_PODS:
        raise document.wrong(f"asks for {scenario.pods:,} pods; {MOST_PODS:,} are the most")
    return scenario


def _listed(place: Place | None) -> Sequence[Place]:
    return tuple(place.items()) if place else ()


def _istio(place: Place) -> Istio:
    found = place.closed(_ISTIO)
    version = found["version"].text() if "version" in found else VERSIONS[0]
    if version not in VERSIONS:
        raise found["version"].wrong(f"there is no {version} here; there are {', '.join(VERSIONS)}")
    revision = _revision(found["revision"]) if "revision" in found else version.replace(".", "-")
    return Istio(
        version=version,
        revision=None if revision == UNREVISIONED else revision,
        tags=tuple(_revision(one) for one in _listed(found.get("tags"))),
    )


def _revision(place: Place) -> str:
    name = place.text()
    if not _REVISION.fullmatch(name):
        raise place.wrong(f"{name!r} is no name of a revision or tag, such as 1-28-3 or prod")
    return name


def _namespaces(found: dict[str, Place]) -> tuple[Namespace, ...]:
    written = found["namespaces"].fields() if "namespaces" in found else {}
    spaces = [_namespace(name, place) for name, place in written.items()]
    if "generate" in found:
        names = {one.name for one in spaces}
        made = _generated(found["generate"])
        for one in made:
            if one.name in names:
                raise found["generate"].wrong(f"makes namespace {one.name}, which is there already")
        spaces += made
    return tuple(spaces)


def _namespace(name: str, place: Place) -> Namespace:
    dns_label(name, place)
    found = place.closed(_NAMESPACE)
    late = found.get("proxies_late_seconds")
    workloads = [parse_workload(one) for one in _listed(found.get("workloads"))]
    for number, one in enumerate(workloads):
        if any(one.name == other.name for other in workloads[:number]):
            again = tuple(found["workloads"].items())[number]
            raise again.wrong(f"there are two of {one.name} in {name}, and each has a Service")
    return Namespace(
        name=name,
        labels=found["labels"].texts() if "labels" in found else {},
        proxies_late_seconds=late.number(0, _LONGEST_WAIT) if late else 0.0,
        workloads=tuple(workloads),
    )


def _generated(place: Place) -> list[Namespace]:
    found = place.closed(_GENERATE)
    for required in ("namespaces", "workloads", "pods"):
        if required not in found:
            raise place.wrong(f"{required} is missing: how many of them there shall be")
    namespaces = found["namespaces"].integer(1, 5_000)
    workloads = found["workloads"].integer(namespaces, MOST_PODS)
    pods = found["pods"].integer(workloads, MOST_PODS)
    seed = found["seed"].integer(0, 2**31) if "seed" in found else 0
    return generating.generated(namespaces=namespaces, workloads=workloads, pods=pods, seed=seed)


def _object(place: Place) -> Json:
    found = place.fields()
    for required in ("apiVersion", "kind", "metadata"):
        if required not in found:
            raise place.wrong(f"{required} is missing: objects are written as for kubectl apply")
    for word in ("apiVersion", "kind"):
        found[word].word()
    if "name" not in (metadata := found["metadata"].fields()):
        raise found["metadata"].wrong("name is missing")
    for word in ("name", "namespace"):
        if word in metadata:
            metadata[word].word()
    return place.mapping()


def _upgrade(place: Place) -> Json:
    found = place.mapping()
    if "to" not in found:
        raise place.wrong(f"to is missing: the version to upgrade to, such as {VERSIONS[1]}")
    if "cluster" in found or "istioctl" in found:
        raise place.wrong("cluster and istioctl are the rehearsal's own; leave them out")
    return found
