"""
What may not be kept: names that are none, fields that contradict one another or may never change.

Only what somebody has met. The real API server refuses much more.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast

import msgspec

from deployments.rehearsal.cluster.asking import Asked
from deployments.rehearsal.cluster.errors import Cause, invalid
from deployments.rehearsal.cluster.names import check_name_of, label_causes
from deployments.rehearsal.cluster.objects import (
    Json,
    finalizers_of,
    is_terminating,
    labels_of,
    name_of,
    owners_of,
    ports_of,
    spec_of,
)
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import (
    CONFIGMAPS,
    CRDS,
    DAEMONSETS,
    DEPLOYMENTS,
    JOBS,
    LEASES,
    PODS,
    REPLICASETS,
    SECRETS,
    SERVICES,
    STATEFULSETS,
)
from deployments.rehearsal.cluster.selectors import selects

Check = Callable[[Json], Iterator[Cause]]
ChangeCheck = Callable[[Json, Json], Iterator[Cause]]

_SELECTING: Final = frozenset({DAEMONSETS, DEPLOYMENTS, REPLICASETS, STATEFULSETS})
_SELECTOR_TEXT: Final = "`selector` does not match template `labels`"
_KEY: Final = re.compile(r"[-._a-zA-Z0-9]+")
_LAST_PORT: Final = 65535
_BIGGEST_DATA: Final = 1024 * 1024


def check_new(resource: Resource, obj: Json) -> None:
    """Refuse an object that is not valid. Raises ApiError (422)."""
    causes = [*check_name_of(resource, name_of(obj)), *_causes(resource, obj)]
    if causes:
        raise invalid(resource, name_of(obj), causes)


def check_change(asked: Asked, current: Json, new: Json) -> None:
    """Refuse a change that may not be made. Raises ApiError (422)."""
    if asked.subresource not in {"", "scale"}:
        return
    resource = asked.resource
    causes = [*_finalizers(current, new), *_causes(resource, new)]
    check = _CHANGES.get(resource)
    if check is not None:
        causes += check(current, new)
    if causes:
        raise invalid(resource, name_of(new), causes)


def _causes(resource: Resource, obj: Json) -> Iterator[Cause]:
    yield from label_causes(obj, "metadata")
    yield from _owners(obj)
    check = _CHECKS.get(resource)
    if check is not None:
        yield from check(obj)


def _finalizers(current: Json, new: Json) -> Iterator[Cause]:
    added = [one for one in finalizers_of(new) if one not in finalizers_of(current)]
    if added and is_terminating(current):
        shown = ", ".join(f'"{one}"' for one in added)
        yield Cause.forbidden(
            "metadata.finalizers",
            "no new finalizers can be added if the object is being deleted, found new finalizers "
            f"[]string{{{shown}}}",
        )


def _owners(obj: Json) -> Iterator[Cause]:
    for place, owner in enumerate(owners_of(obj)):
        for field, words in (
            ("apiVersion", "version must not be empty"),
            ("kind", "must not be empty"),
            ("name", "must not be empty"),
            ("uid", "must not be empty"),
        ):
            if not owner.get(field):
                path = f"metadata.ownerReferences[{place}].{field}"
                yield Cause.invalid(path, '""', words)


def _lease(obj: Json) -> Iterator[Cause]:
    spec = spec_of(obj)
    for field, least, words in (
        ("leaseDurationSeconds", 1, "must be greater than 0"),
        ("leaseTransitions", 0, "must be greater than or equal to 0"),
    ):
        number = spec.get(field)
        if isinstance(number, int) and number < least:
            yield Cause.invalid(f"spec.{field}", str(number), words)


def _selecting(obj: Json) -> Iterator[Cause]:
    spec = spec_of(obj)
    selector, template = spec.get("selector"), cast("Json", spec.get("template") or {})
    yield from _replicas(spec)
    if not selector:
        yield Cause.required("spec.selector")
    labels = labels_of(template)
    if not selector or not selects(selector, labels):
        shown = _go_map(labels)
        yield Cause.invalid("spec.template.metadata.labels", shown, _SELECTOR_TEXT)
    yield from _pod_spec(spec_of(template), "spec.template.spec")


def _replicas(spec: Json) -> Iterator[Cause]:
    replicas = spec.get("replicas", 0)
    if isinstance(replicas, int) and replicas < 0:
        yield Cause.invalid("spec.replicas", str(replicas), "must be greater than or equal to 0")


def _pod(obj: Json) -> Iterator[Cause]:
    yield from _pod_spec(spec_of(obj), "spec")


def _pod_spec(spec: Json, path: str) -> Iterator[Cause]:
    containers = cast("list[Json]", spec.get("containers") or [])
    if not containers:
        yield Cause.required(f"{path}.containers")
    names: set[str] = set()
    for kind in ("initContainers", "containers"):
        for place, container in enumerate(spec.get(kind) or ()):
            where = f"{path}.{kind}[{place}]"
            name = str(container.get("name", ""))
            if not name:
                yield Cause.required(f"{where}.name")
            elif name in names:
                yield Cause(f"{where}.name", f'Duplicate value: "{name}"', "FieldValueDuplicate")
            names.add(name)
            if not container.get("image"):
                yield Cause.required(f"{where}.image")


def _service(obj: Json) -> Iterator[Cause]:
    spec = spec_of(obj)
    is_headless = spec.get("clusterIP") == "None" or spec.get("type") == "ExternalName"
    if not spec.get("ports") and not is_headless:
        yield Cause.required("spec.ports")
    for place, port in enumerate(ports_of(spec)):
        number = port.get("port")
        if not isinstance(number, int) or not 0 < number <= _LAST_PORT:
            where, words = (
                f"spec.ports[{place}].port",
                f"must be between 1 and {_LAST_PORT}, inclusive",
            )
            yield Cause.invalid(where, str(number or 0), words)


def _data(obj: Json) -> Iterator[Cause]:
    size = 0
    for part in ("data", "binaryData", "stringData"):
        for key, value in cast("dict[str, Any]", obj.get(part) or {}).items():
            size += len(str(value))
            if not _KEY.fullmatch(key):
                yield Cause.invalid(
                    f"{part}[{key}]",
                    f'"{key}"',
                    "a valid config key must consist of alphanumeric characters, '-', '_' or "
                    "'.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for "
                    "validation is '[-._a-zA-Z0-9]+')",
                )
    if size > _BIGGEST_DATA:
        yield Cause(
            "", f"Too long: may not be more than {_BIGGEST_DATA} bytes", "FieldValueTooLong"
        )


def _definition(obj: Json) -> Iterator[Cause]:
    spec = spec_of(obj)
    names = cast("Json", spec.get("names") or {})
    wanted = f"{names.get('plural', '')}.{spec.get('group', '')}"
    if name_of(obj) != wanted:
        yield Cause.invalid(
            "metadata.name", f'"{name_of(obj)}"', 'must be spec.names.plural+"."+spec.group'
        )
    if spec.get("scope") not in {"Cluster", "Namespaced"}:
        yield Cause.required("spec.scope")
    versions = cast("list[Json]", spec.get("versions") or [])
    if sum(bool(one.get("storage")) for one in versions) != 1:
        yield Cause.invalid(
            "spec.versions",
            msgspec.json.encode(versions).decode(),
            "must have exactly one version marked as storage version",
        )


def _same_selector(current: Json, new: Json) -> Iterator[Cause]:
    before, after = spec_of(current).get("selector"), spec_of(new).get("selector")
    if before != after:
        yield Cause.invalid("spec.selector", _go_selector(after), "field is immutable")


def _same_stateful_set(current: Json, new: Json) -> Iterator[Cause]:
    free = {
        "minReadySeconds",
        "ordinals",
        "persistentVolumeClaimRetentionPolicy",
        "replicas",
        "revisionHistoryLimit",
        "template",
        "updateStrategy",
    }
    if _but(spec_of(current), free) != _but(spec_of(new), free):
        yield Cause.forbidden(
            "spec",
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', "
            "'template', 'updateStrategy', 'revisionHistoryLimit', "
            "'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        )


def _same_pod(current: Json, new: Json) -> Iterator[Cause]:
    if _fixed(spec_of(current)) != _fixed(spec_of(new)):
        yield Cause.forbidden(
            "spec",
            "pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` "
            "(only additions to existing tolerations),`spec.terminationGracePeriodSeconds` "
            "(allow it to be set to 1 if it was previously negative)",
        )


def _fixed(spec: Json) -> Json:
    fixed = _but(spec, {"activeDeadlineSeconds", "tolerations", "ephemeralContainers"})
    for kind in ("containers", "initContainers"):
        fixed[kind] = [_but(one, {"image"}) for one in spec.get(kind) or ()]
    return fixed


def _same_job(current: Json, new: Json) -> Iterator[Cause]:
    for field in ("completions", "selector", "template", "completionMode"):
        if spec_of(current).get(field) != spec_of(new).get(field):
            yield Cause.invalid(
                f"spec.{field}", _go_selector(spec_of(new).get(field)), "field is immutable"
            )


def _but(spec: Json, names: set[str]) -> Json:
    return {name: value for name, value in spec.items() if name not in names}


def _go_map(labels: Mapping[str, str]) -> str:
    return msgspec.json.encode(dict(sorted(labels.items()))).decode()


def _go_selector(selector: Any) -> str:
    return msgspec.json.encode(selector).decode()


_CHECKS: Final[Mapping[Resource, Check]] = {
    **dict.fromkeys(_SELECTING, _selecting),
    CONFIGMAPS: _data,
    CRDS: _definition,
    LEASES: _lease,
    PODS: _pod,
    SECRETS: _data,
    SERVICES: _service,
}
_CHANGES: Final[Mapping[Resource, ChangeCheck]] = {
    DAEMONSETS: _same_selector,
    DEPLOYMENTS: _same_selector,
    JOBS: _same_job,
    PODS: _same_pod,
    REPLICASETS: _same_selector,
    STATEFULSETS: _same_stateful_set,
}
