"""Which fields of which kinds are read from protobuf, by their numbers in Kubernetes' own definitions."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final


class Read(Enum):
    """How a value is read that is no message."""

    TEXT = auto()
    BYTES = auto()  # base64 in JSON
    RAW = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a message: its name in JSON, and how it is to be read."""

    name: str
    message: "Mapping[int, Field] | None" = None
    read: Read = Read.TEXT
    is_repeated: bool = False
    is_map: bool = False
    is_plain: bool = False  # a message that is in JSON what its only field is


Message = Mapping[int, Field]


def texts(*names: str) -> dict[int, Field]:
    """Return fields that are numbered from one."""
    return {number: Field(name=name) for number, name in enumerate(names, 1)}


def _lists(*names: str) -> dict[int, Field]:
    return {number: Field(name=name, is_repeated=True) for number, name in enumerate(names, 1)}


def _map(name: str, value: Field | None = None) -> Field:
    entry = {1: Field(name="key"), 2: value or Field(name="value")}
    return Field(name=name, message=entry, is_map=True)


_BYTES: Final = Field(name="value", read=Read.BYTES)
_QUANTITY: Final = Field(name="value", message={1: Field(name="string")}, is_plain=True)
_METADATA: Final = texts("name", "generateName", "namespace") | {
    11: _map("labels"),
    12: _map("annotations"),
}
_OWN: Final = {1: Field(name="metadata", message=_METADATA)}
_ACCESS: Final = {
    1: Field(
        name="resourceAttributes",
        message=texts("namespace", "verb", "group", "version", "resource", "subresource", "name"),
    ),
    2: Field(name="nonResourceAttributes", message=texts("path", "verb")),
}
_TOKEN: Final = _lists("audiences") | {4: Field(name="expirationSeconds")}
_RULES: Final = Field(
    name="rules",
    message=_lists("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs"),
    is_repeated=True,
)
_BINDING: Final = _OWN | {
    2: Field(
        name="subjects", message=texts("kind", "apiGroup", "name", "namespace"), is_repeated=True
    ),
    3: Field(name="roleRef", message=texts("apiGroup", "kind", "name")),
}
_DELETE: Final = {
    1: Field(name="gracePeriodSeconds"),
    4: Field(name="propagationPolicy"),
    5: Field(name="dryRun", is_repeated=True),
}


def _spec(message: Message) -> dict[int, Field]:
    return _OWN | {2: Field(name="spec", message=message)}


KINDS: Final[Mapping[str, Message]] = {
    "ClusterRole": _OWN | {2: _RULES},
    "ClusterRoleBinding": _BINDING,
    "ConfigMap": _OWN | {2: _map("data"), 3: _map("binaryData", _BYTES)},
    "Eviction": _OWN | {2: Field(name="deleteOptions", message=_DELETE)},
    "Namespace": _OWN,
    "ResourceQuota": _spec({1: _map("hard", _QUANTITY)}),
    "Role": _OWN | {2: _RULES},
    "RoleBinding": _BINDING,
    "Secret": _OWN | {2: _map("data", _BYTES), 3: Field(name="type")},
    "SelfSubjectAccessReview": _spec(_ACCESS),
    "SelfSubjectReview": _OWN,
    "SelfSubjectRulesReview": _spec(texts("namespace")),
    "ServiceAccount": _OWN,
    "TokenRequest": _spec(_TOKEN),
}
