"""
Junk: bodies that are JSON, and yet nothing of what they should be.

The real server decodes into typed structs and so notices every wrong type. Here the fields that
somebody reads are looked at, by name: a wrong type elsewhere is kept as it is.
"""

from collections.abc import Callable, Mapping
from typing import Final, cast

from deployments.rehearsal.cluster.errors import bad_request
from deployments.rehearsal.cluster.objects import Json, object_in
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import (
    CONFIGMAPS,
    EVENTS,
    REPLICATIONCONTROLLERS,
    SECRETS,
    SERVICES,
)

_Is = Callable[[object], bool]


def _is_map(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(one, str) for one in cast("Json", value).values()
    )


def _is_objects(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, dict) for one in cast("list[object]", value)
    )


def is_texts(value: object) -> bool:
    return isinstance(value, list) and all(
        isinstance(one, str) for one in cast("list[object]", value)
    )


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_owners(value: object) -> bool:
    return _is_objects(value) and all(
        isinstance(owner.get(field, ""), str)
        for owner in cast("list[Json]", value)
        for field in ("apiVersion", "kind", "name", "uid")
    )


def _is_accounts(value: object) -> bool:
    return _is_objects(value) and all(
        _is_tree(one.get("fieldsV1") or {}) for one in cast("list[Json]", value)
    )


def _is_tree(value: object) -> bool:
    return isinstance(value, dict) and all(map(_is_tree, cast("Json", value).values()))


_METADATA: Final[Mapping[str, _Is]] = {
    "annotations": _is_map,
    "finalizers": is_texts,
    "generateName": _is_text,
    "labels": _is_map,
    "managedFields": _is_accounts,
    "name": _is_text,
    "namespace": _is_text,
    "ownerReferences": _is_owners,
    "resourceVersion": _is_text,
    "uid": _is_text,
}


def _is_number_or_text(value: object) -> bool:
    return is_number(value) or isinstance(value, str)


def _is_object_or_text(value: object) -> bool:
    return isinstance(value, dict | str)


def _is_flag(value: object) -> bool:
    return isinstance(value, bool)


_FIELDS: Final[Mapping[_Is, str]] = {
    _is_flag: "hostNetwork paused publishNotReadyAddresses served suspend unschedulable",
    _is_map: "annotations labels matchLabels nodeSelector",
    is_number: """activeDeadlineSeconds backoffLimit completions containerPort expirationSeconds
        failedJobsHistoryLimit initialDelaySeconds leaseDurationSeconds leaseTransitions maxReplicas
        minReadySeconds minReplicas nodePort parallelism partition periodSeconds priority
        progressDeadlineSeconds replicas restartCount revisionHistoryLimit
        successfulJobsHistoryLimit terminationGracePeriodSeconds""",
    _is_number_or_text: "maxSurge maxUnavailable minAvailable targetPort",
    _is_object: """affinity aggregationRule binaryData clientConfig configMap conversion data
        deleteOptions exec fieldRef hard httpGet involvedObject jobTemplate lifecycle limits
        livenessProbe metadata names namespaceSelector nodeAffinity nonResourceAttributes
        objectSelector ordinals preStop projected readinessProbe requests resourceAttributes roleRef
        rollingUpdate scaleTargetRef secret securityContext selector service serviceAccountToken
        spec startupProbe strategy stringData target tcpSocket template updateStrategy valueFrom""",
    _is_object_or_text: "source status",
    _is_objects: """additionalPrinterColumns clusterRoleSelectors conditions containerStatuses
        containers endpoints env ephemeralContainers initContainerStatuses initContainers
        matchExpressions matchFields nodeSelectorTerms ports rules sources subjects subsets
        tolerations versions volumes webhooks""",
    _is_text: """clusterIP component fieldPath holderIdentity image key kind name nodeName operator
        plural restartPolicy schedule scope serviceAccountName singular type uid""",
    is_texts: """apiGroups apiVersions args audiences categories command finalizers groups
        nonResourceURLs operations resourceNames shortNames values verbs""",
}
_BUILT_IN: Final[Mapping[str, _Is]] = {
    name: is_right for is_right, names in _FIELDS.items() for name in names.split()
}
# Whose rules are about resources; elsewhere these are what a container may use.
_RULED: Final = frozenset(
    {"admissionregistration.k8s.io", "authorization.k8s.io", "rbac.authorization.k8s.io"}
)
_PLAINLY_SELECTING: Final = frozenset({REPLICATIONCONTROLLERS, SERVICES})  # by labels alone
_TEXTS: Final = frozenset({CONFIGMAPS, SECRETS})
# What is in these are names that somebody else chose.
_OPAQUE: Final = frozenset(
    [
        "allocatable",
        "binaryData",
        "capacity",
        "data",
        "hard",
        "limits",
        "openAPIV3Schema",
        "requests",
        "stringData",
    ]
)


def check_shape(resource: Resource, body: object) -> Json:
    """Return a body, unless something known in it has the wrong type. Raises ApiError (400)."""
    if not isinstance(body, dict):
        raise _refused(resource, body, "")
    obj = cast("Json", body)
    _check_shape(resource, obj)
    return obj


def _check_shape(resource: Resource, body: Json) -> None:
    if not isinstance(body.get("metadata", {}), dict | None):
        raise _refused(resource, body["metadata"], "metadata")
    for name, is_right in _METADATA.items():
        value = object_in(body, "metadata").get(name)
        if value is not None and not is_right(value):
            raise _refused(resource, value, f"metadata.{name}")
    if resource.is_custom:
        return
    for name, value in body.items():
        if name != "metadata":
            _check(resource, name, value, name)
    if resource in _TEXTS:
        _check_texts(resource, body)


def _check_texts(resource: Resource, body: Json) -> None:
    for field in ("data", "binaryData", "stringData"):
        for value in object_in(body, field).values():
            if not isinstance(value, str | None):
                raise _refused(resource, value, field, wanted="string")


def _right(resource: Resource, name: str, path: str) -> _Is | None:
    """Return the test of a field, of which some are different things in different places."""
    if name == "resources":
        return is_texts if resource.group in _RULED else _is_object
    if name == "selector" and resource in _PLAINLY_SELECTING:
        return _is_map
    if name == "port" and resource == SERVICES:
        return is_number
    if name == "source" and resource == EVENTS:
        return _is_object
    if path.endswith(f"nodeAffinity.{name}") and name.startswith("required"):
        return _is_object
    return _BUILT_IN.get(name)


def _check(resource: Resource, name: str, value: object, path: str) -> None:
    is_right = _right(resource, name, path)
    if value is not None and is_right is not None and not is_right(value):
        raise _refused(resource, value, path)
    if isinstance(value, dict) and name not in _OPAQUE and is_right is not _is_map:
        for inner, one in cast("Json", value).items():
            _check(resource, inner, one, f"{path}.{inner}")
    items = cast("list[object]", value) if isinstance(value, list) else []
    for one in items:
        if isinstance(one, dict):
            _check(resource, "", cast("Json", one), path)


_GO_NAMES: Final = {
    "bool": "bool",
    "float": "number",
    "int": "number",
    "list": "array",
    "str": "string",
}


def _refused(resource: Resource, value: object, path: str, *, wanted: str = "") -> Exception:
    kind = f" of type {wanted}" if wanted else ""
    given = _GO_NAMES.get(type(value).__name__, "object")
    return bad_request(
        f'{resource.kind} in version "{resource.version}" cannot be handled as a '
        f"{resource.kind}: json: cannot unmarshal {given} into Go struct field "
        f"{resource.kind}.{path}{kind}"
    )
