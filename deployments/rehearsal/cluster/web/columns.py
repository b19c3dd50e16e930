"""The columns of the tables that `kubectl get` shows, for the kinds that people look at most."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

from deployments.rehearsal.cluster.objects import (
    Json,
    is_true,
    labels_of,
    metadata_of,
    name_of,
    object_in,
    objects_in,
    ports_of,
    spec_of,
    status_of,
)
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import (
    CONFIGMAPS,
    CRDS,
    CRONJOBS,
    DAEMONSETS,
    DEPLOYMENTS,
    EVENTS,
    HPAS,
    JOBS,
    LEASES,
    MUTATING_WEBHOOKS,
    NAMESPACES,
    NODES,
    PDBS,
    PODS,
    REPLICASETS,
    SECRETS,
    SERVICEACCOUNTS,
    SERVICES,
    STATEFULSETS,
    VALIDATING_WEBHOOKS,
)
from deployments.rehearsal.cluster.selectors import selector_text
from deployments.rehearsal.cluster.web import pod_cells
from deployments.rehearsal.cluster.web.durations import age, duration, moment

Cell = Callable[[Json, datetime], Any]
_NONE: Final = "<none>"
_ROLE: Final = "node-role.kubernetes.io/"


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its heading, and what stands in it."""

    name: str
    cell: Cell
    type: str = "string"
    priority: int = 0  # above 0: only shown when asked for more

    def definition(self) -> Json:
        return {
            "name": self.name,
            "type": self.type,
            "format": "name" if self.name == "Name" else "",
            "description": "",
            "priority": self.priority,
        }


def at(*steps: str, default: Any = "") -> Cell:
    """Return a cell that shows one field."""

    def cell(obj: Json, _now: datetime) -> Any:
        found: object = obj
        for step in steps:
            found = cast("dict[str, object]", found).get(step) if isinstance(found, dict) else None
        return default if found is None else found

    return cell


def born(obj: Json, now: datetime) -> str:
    return age(metadata_of(obj).get("creationTimestamp"), now)


NAME: Final = Column("Name", lambda obj, _: name_of(obj))
AGE: Final = Column("Age", born)


def _number(name: str, *steps: str) -> Column:
    return Column(name, at(*steps, default=0), "integer")


def _wide(name: str, *steps: str) -> Column:
    return Column(name, at(*steps, default=_NONE), priority=1)


def _template(obj: Json) -> Json:
    return spec_of(object_in(spec_of(obj), "template"))


_CONTAINERS: Final = (
    Column(
        "Containers",
        lambda obj, _: ",".join(
            str(c.get("name", "")) for c in objects_in(_template(obj), "containers")
        ),
        priority=1,
    ),
    Column(
        "Images",
        lambda obj, _: ",".join(
            str(c.get("image", "")) for c in objects_in(_template(obj), "containers")
        ),
        priority=1,
    ),
)
_SELECTOR: Final = Column(
    "Selector",
    lambda obj, _: selector_text(object_in(spec_of(obj), "selector")) or _NONE,
    priority=1,
)


def _of(part: str, *, whole: str = "replicas") -> Cell:
    """Return a cell with how many of the wanted ones are so."""
    return lambda obj, _: f"{status_of(obj).get(part, 0)}/{spec_of(obj).get(whole, 0)}"


def _ports(service: Json, _now: datetime) -> str:
    texts = [
        f"{one['port']}"
        + (f":{one['nodePort']}" if one.get("nodePort") else "")
        + f"/{one.get('protocol', 'TCP')}"
        for one in ports_of(spec_of(service))
    ]
    return ",".join(texts) or _NONE


def _external(service: Json, _now: datetime) -> str:
    if spec_of(service).get("type") == "LoadBalancer":
        ingress = objects_in(object_in(status_of(service), "loadBalancer"), "ingress")
        return ",".join(one.get("ip") or one["hostname"] for one in ingress) or "<pending>"
    return str(spec_of(service).get("externalName") or _NONE)


def _node_status(node: Json, _now: datetime) -> str:
    status = "Ready" if is_true(node, "Ready") else "NotReady"
    return f"{status},SchedulingDisabled" if spec_of(node).get("unschedulable") else status


def _roles(node: Json, _now: datetime) -> str:
    roles = (key.removeprefix(_ROLE) for key in labels_of(node) if key.startswith(_ROLE))
    return ",".join(sorted(roles)) or _NONE


def _job_status(job: Json, _now: datetime) -> str:
    for kind, text in (("Complete", "Complete"), ("Failed", "Failed"), ("Suspended", "Suspended")):
        if is_true(job, kind):
            return text
    return "Running"


def _job_duration(job: Json, now: datetime) -> str:
    status = status_of(job)
    start, end = status.get("startTime"), status.get("completionTime")
    if not start:
        return ""
    return duration(((moment(end) if end else now) - moment(start)).total_seconds())


def _seen(field: str) -> Cell:
    def cell(event: Json, now: datetime) -> str:
        return age(event.get(field) or event.get("eventTime"), now)

    return cell


def _involved(event: Json, _now: datetime) -> str:
    involved = object_in(event, "involvedObject")
    return f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}"


def _source(event: Json, _now: datetime) -> str:
    source = object_in(event, "source")
    component = source.get("component") or event.get("reportingComponent", "")
    return ", ".join(one for one in (component, source.get("host", "")) if one)


def _data(obj: Json, _now: datetime) -> int:
    return len(object_in(obj, "data")) + len(object_in(obj, "binaryData"))


def _limit(field: str) -> Cell:
    return lambda obj, _: str(spec_of(obj).get(field, "N/A"))


def _since(*steps: str) -> Cell:
    def cell(obj: Json, now: datetime) -> str:
        found = at(*steps)(obj, now)
        return age(found, now) if found else _NONE

    return cell


COLUMNS: Final[Mapping[Resource, Sequence[Column]]] = {
    PODS: (
        NAME,
        Column("Ready", lambda pod, _: pod_cells.ready(pod)),
        Column("Status", lambda pod, _: pod_cells.status(pod)),
        Column("Restarts", pod_cells.restarts),
        AGE,
        _wide("IP", "status", "podIP"),
        _wide("Node", "spec", "nodeName"),
        _wide("Nominated Node", "status", "nominatedNodeName"),
        Column("Readiness Gates", lambda _pod, _: _NONE, priority=1),
    ),
    DEPLOYMENTS: (
        NAME,
        Column("Ready", _of("readyReplicas")),
        _number("Up-to-date", "status", "updatedReplicas"),
        _number("Available", "status", "availableReplicas"),
        AGE,
        *_CONTAINERS,
        _SELECTOR,
    ),
    REPLICASETS: (
        NAME,
        _number("Desired", "spec", "replicas"),
        _number("Current", "status", "replicas"),
        _number("Ready", "status", "readyReplicas"),
        AGE,
        *_CONTAINERS,
        _SELECTOR,
    ),
    STATEFULSETS: (NAME, Column("Ready", _of("readyReplicas")), AGE, *_CONTAINERS),
    DAEMONSETS: (
        NAME,
        _number("Desired", "status", "desiredNumberScheduled"),
        _number("Current", "status", "currentNumberScheduled"),
        _number("Ready", "status", "numberReady"),
        _number("Up-to-date", "status", "updatedNumberScheduled"),
        _number("Available", "status", "numberAvailable"),
        Column(
            "Node Selector",
            lambda obj, _: selector_text(object_in(_template(obj), "nodeSelector")) or _NONE,
        ),
        AGE,
        *_CONTAINERS,
        _SELECTOR,
    ),
    JOBS: (
        NAME,
        Column("Status", _job_status),
        Column("Completions", _of("succeeded", whole="completions")),
        Column("Duration", _job_duration),
        AGE,
        *_CONTAINERS,
        _SELECTOR,
    ),
    CRONJOBS: (
        NAME,
        Column("Schedule", at("spec", "schedule")),
        Column("Timezone", at("spec", "timeZone", default=_NONE)),
        Column("Suspend", at("spec", "suspend", default=False), "boolean"),
        Column("Active", lambda obj, _: len(objects_in(status_of(obj), "active")), "integer"),
        Column("Last Schedule", _since("status", "lastScheduleTime")),
        AGE,
    ),
    SERVICES: (
        NAME,
        Column("Type", at("spec", "type")),
        Column("Cluster-IP", at("spec", "clusterIP", default=_NONE)),
        Column("External-IP", _external),
        Column("Port(s)", _ports),
        AGE,
        _SELECTOR,
    ),
    NAMESPACES: (NAME, Column("Status", at("status", "phase")), AGE),
    NODES: (
        NAME,
        Column("Status", _node_status),
        Column("Roles", _roles),
        AGE,
        Column("Version", at("status", "nodeInfo", "kubeletVersion")),
    ),
    EVENTS: (
        Column("Last Seen", _seen("lastTimestamp")),
        Column("Type", at("type")),
        Column("Reason", at("reason")),
        Column("Object", _involved),
        _wide("Subobject", "involvedObject", "fieldPath"),
        Column("Source", _source, priority=1),
        Column("Message", lambda event, _: str(event.get("message", "")).strip()),
        Column("First Seen", _seen("firstTimestamp"), priority=1),
        Column("Count", at("count", default=1), priority=1),
        Column("Name", lambda obj, _: name_of(obj), priority=1),
    ),
    CONFIGMAPS: (NAME, Column("Data", _data), AGE),
    SECRETS: (NAME, Column("Type", at("type")), Column("Data", _data), AGE),
    SERVICEACCOUNTS: (NAME, Column("Secrets", lambda o, _: len(objects_in(o, "secrets"))), AGE),
    LEASES: (NAME, Column("Holder", at("spec", "holderIdentity")), AGE),
    PDBS: (
        NAME,
        Column("Min Available", _limit("minAvailable")),
        Column("Max Unavailable", _limit("maxUnavailable")),
        _number("Allowed Disruptions", "status", "disruptionsAllowed"),
        AGE,
    ),
    HPAS: (
        NAME,
        Column(
            "Reference",
            lambda obj, _: "/".join(
                str(object_in(spec_of(obj), "scaleTargetRef").get(part, ""))
                for part in ("kind", "name")
            ),
        ),
        Column("Targets", lambda _obj, _: "<unknown>"),
        Column("MinPods", at("spec", "minReplicas", default="<unset>")),
        _number("MaxPods", "spec", "maxReplicas"),
        _number("Replicas", "status", "currentReplicas"),
        AGE,
    ),
    MUTATING_WEBHOOKS: (
        NAME,
        Column("Webhooks", lambda obj, _: len(objects_in(obj, "webhooks")), "integer"),
        AGE,
    ),
    VALIDATING_WEBHOOKS: (
        NAME,
        Column("Webhooks", lambda obj, _: len(objects_in(obj, "webhooks")), "integer"),
        AGE,
    ),
    CRDS: (NAME, Column("Created At", at("metadata", "creationTimestamp"))),
}
