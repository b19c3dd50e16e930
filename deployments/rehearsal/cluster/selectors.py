"""Label and field selectors, as text in a query and as LabelSelector objects."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from deployments.rehearsal.cluster.errors import bad_request
from deployments.rehearsal.cluster.objects import Json, labels_of
from deployments.rehearsal.cluster.registry import Resource

Test = Callable[[Json], bool]

_WORD: Final = r"[A-Za-z0-9][A-Za-z0-9_./-]*"
_REQUIREMENT: Final = re.compile(
    rf"""\s*(?:
      (?P<absent>!)\s*(?P<no>{_WORD})
    | (?P<key>{_WORD})\s*(?:
          (?P<operator>==|=|!=)\s*(?P<value>[A-Za-z0-9_.-]*)
        | \s(?P<set>in|notin)\s*\((?P<values>[^()]*)\)
      )?
    )\s*(?:,|$)""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one label."""

    key: str
    operator: str  # In, NotIn, Exists, DoesNotExist, as in a LabelSelector
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case _:
                return self.key not in labels


def parsed(text: str) -> tuple[Requirement, ...]:
    """Return what a `labelSelector` asks for. Raises ApiError (400) for one that is none."""
    found: list[Requirement] = []
    place = 0
    while place < len(text):
        match = _REQUIREMENT.match(text, place)
        if match is None or match.end() == place:
            raise bad_request(
                f"unable to parse requirement: found '{text[place:].strip()}', expected: identifier"
            )
        found.append(_requirement(match))
        place = match.end()
    return tuple(found)


def _requirement(match: "re.Match[str]") -> Requirement:
    if match["absent"]:
        return Requirement(match["no"], "DoesNotExist")
    key = match["key"]
    if match["set"]:
        values = frozenset(value.strip() for value in match["values"].split(","))
        return Requirement(key, "In" if match["set"] == "in" else "NotIn", values)
    if match["operator"] is None:
        return Requirement(key, "Exists")
    is_not = match["operator"] == "!="
    return Requirement(key, "NotIn" if is_not else "In", frozenset({match["value"]}))


def requirements_of(selector: Json | None) -> tuple[Requirement, ...] | None:
    """Return what a LabelSelector asks for: nothing if it is empty; None, no object, without one."""
    if selector is None:
        return None
    labels = cast("Mapping[str, str]", selector.get("matchLabels") or {})
    expressions = cast("list[Json]", selector.get("matchExpressions") or [])
    return (
        *(Requirement(key, "In", frozenset({value})) for key, value in labels.items()),
        *(
            Requirement(one["key"], one["operator"], frozenset(one.get("values") or ()))
            for one in expressions
        ),
    )


def selects(selector: Json | None, labels: Mapping[str, str]) -> bool:
    """Say whether a LabelSelector selects an object with these labels."""
    requirements = requirements_of(selector)
    return requirements is not None and all(one.matches(labels) for one in requirements)


def selector_text(selector: Json) -> str:
    """Return a LabelSelector, or a plain map of labels, as text for a query."""
    is_plain = not {"matchLabels", "matchExpressions"} & set(selector)
    plain = {key: value for key, value in selector.items() if isinstance(value, str)}
    requirements = requirements_of({"matchLabels": plain} if is_plain else selector)
    return ",".join(_text(one) for one in sorted(requirements or (), key=lambda one: one.key))


def _text(requirement: Requirement) -> str:
    values = sorted(requirement.values)
    match requirement.operator:
        case "Exists":
            return requirement.key
        case "DoesNotExist":
            return f"!{requirement.key}"
        case "In" if len(values) == 1:
            return f"{requirement.key}={values[0]}"
        case operator:
            return f"{requirement.key} {operator.lower()} ({','.join(values)})"


def label_test(text: str) -> Test:
    requirements = parsed(text)
    return lambda obj: all(one.matches(labels_of(obj)) for one in requirements)


# Besides metadata.name and metadata.namespace, which every kind has.
_FIELDS: Final[Mapping[str, frozenset[str]]] = {
    "pods": frozenset(
        {
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "spec.hostNetwork",
            "status.phase",
            "status.podIP",
            "status.nominatedNodeName",
        }
    ),
    "events": frozenset(
        {
            *(
                f"involvedObject.{field}"
                for field in (
                    "kind",
                    "namespace",
                    "name",
                    "uid",
                    "apiVersion",
                    "resourceVersion",
                    "fieldPath",
                )
            ),
            "reason",
            "reportingComponent",
            "source",
            "type",
        }
    ),
    "secrets": frozenset({"type"}),
    "namespaces": frozenset({"status.phase"}),
    "nodes": frozenset({"spec.unschedulable"}),
    "jobs": frozenset({"status.successful"}),
    "replicasets": frozenset({"status.replicas"}),
    "services": frozenset({"spec.clusterIP", "spec.type"}),
}


def field_test(resource: Resource, text: str) -> Test:
    """Return what a `fieldSelector` asks for. Raises ApiError (400) for fields not selectable."""
    tests = [_field_test(resource, part) for part in text.split(",") if part]
    return lambda obj: all(test(obj) for test in tests)


def _field_test(resource: Resource, text: str) -> Test:
    match = re.fullmatch(r"([^=!]+)(==|=|!=)(.*)", text, re.DOTALL)
    if match is None:
        raise bad_request(f"invalid selector: '{text}'; can't understand '{text}'")
    field, operator, value = match.groups()
    known = {"metadata.name", *(("metadata.namespace",) if resource.namespaced else ())}
    if resource.plural not in _FIELDS and field not in known:
        only = ", ".join(f'"{one}"' for one in sorted(known))
        raise bad_request(f'"{field}" is not a known field selector: only {only}')
    if field not in known | _FIELDS.get(resource.plural, frozenset()):
        raise bad_request(f"field label not supported: {field}")
    steps = field.split(".")
    return lambda obj: (_value(obj, steps) == value) is (operator != "!=")


def _value(obj: Json, steps: list[str]) -> str:
    value: object = obj
    for step in steps:
        value = cast("dict[str, object]", value).get(step) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
