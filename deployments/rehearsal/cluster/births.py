"""
What a new object is given: its place, and after mutating admission its name, uid and time.

In this order, because webhooks do not see names that are generated yet.
"""

import random
import uuid
from collections.abc import Callable
from itertools import count
from typing import Final

from deployments.rehearsal.cluster.errors import Cause, bad_request, invalid
from deployments.rehearsal.cluster.objects import (
    Json,
    copied,
    metadata_of,
    name_of,
    namespace_of,
    now_rfc3339,
)
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import (
    CONTROLLERREVISIONS,
    NAMESPACES,
    PODS,
    REPLICATIONCONTROLLERS,
)

_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"  # no vowels, so that no word comes out
_SUFFIX: Final = 5
_LONGEST_BASE: Final = 63 - _SUFFIX
_COUNTED_GROUPS: Final = frozenset(
    {
        "admissionregistration.k8s.io",
        "apiextensions.k8s.io",
        "apps",
        "batch",
        "discovery.k8s.io",
        "networking.k8s.io",
        "policy",
        "scheduling.k8s.io",
    }
)
_CHOICE: Final = random.SystemRandom()
_EMPTY: Final[tuple[object, ...]] = (None, {}, [])
# What only the server says; a client's word for it is not taken.
_SERVERS: Final = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "resourceVersion",
    "selfLink",
    "uid",
)


def prepared(resource: Resource, body: Json, namespace: str) -> Json:
    """Return the object that a body asks for. Raises ApiError where it contradicts itself."""
    kind = {"apiVersion": resource.api_version, "kind": resource.kind}
    obj = kind | copied(body) | kind
    metadata = metadata_of(obj)
    for field in _SERVERS:
        metadata.pop(field, None)
    if resource.namespaced:
        metadata["namespace"] = _place(body, namespace)
    else:
        metadata.pop("namespace", None)
    metadata = said(metadata)
    if resource.has_status and resource != NAMESPACES:
        obj.pop("status", None)
    return obj | {"metadata": metadata}


def said(metadata: Json) -> Json:
    """Return metadata without what is empty, which the real one does not keep."""
    return {key: value for key, value in metadata.items() if value not in _EMPTY}


def born(resource: Resource, obj: Json, is_taken: Callable[[str], bool]) -> Json:
    """Return the object with everything that makes it one of its own, a generated name among it."""
    metadata = metadata_of(obj) | {"uid": str(uuid.uuid4()), "creationTimestamp": now_rfc3339()}
    if not metadata.get("name"):
        base = str(metadata.get("generateName", ""))
        names = (_generated(resource, base) for _ in count())
        metadata["name"] = next(name for name in names if not is_taken(name))
    if counts_generations(resource):
        metadata["generation"] = 1
    return obj | {"metadata": metadata}


def counts_generations(resource: Resource) -> bool:
    """Say whether metadata.generation is kept for this kind."""
    return resource != CONTROLLERREVISIONS and (
        resource.is_custom
        or resource.group in _COUNTED_GROUPS
        or resource in {PODS, REPLICATIONCONTROLLERS}
    )


def _place(body: Json, namespace: str) -> str:
    given = namespace_of(body)
    if namespace and given and given != namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    return namespace or given


def _generated(resource: Resource, base: str) -> str:
    if not base:
        cause = Cause.required("metadata.name", "name or generateName is required")
        raise invalid(resource, "", [cause])
    return base[:_LONGEST_BASE] + "".join(_CHOICE.choices(_ALPHABET, k=_SUFFIX))


def check_name(body: Json, name: str) -> None:
    """Refuse a body that names another object than the URL does."""
    if name_of(body) and name_of(body) != name:
        raise bad_request(
            f"the name of the object ({name_of(body)}) does not match the name on the URL ({name})"
        )
