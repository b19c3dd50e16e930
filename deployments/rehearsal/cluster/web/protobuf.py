"""
The few bodies that kubectl sends as protobuf only, read by hand.

It does so for the kinds below, and does not try JSON when it is refused. Everything else is refused
as an unknown media type. Answers are never protobuf.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from deployments.rehearsal.cluster.errors import bad_request
from deployments.rehearsal.cluster.objects import Json

MAGIC: Final = b"k8s\0"


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of a message: its name in JSON, and how it is to be read."""

    name: str
    message: "Mapping[int, _Field] | None" = None
    is_repeated: bool = False
    is_map: bool = False


def _texts(*names: str) -> dict[int, _Field]:
    """Return fields that are numbered from one."""
    return {number: _Field(name) for number, name in enumerate(names, 1)}


_ENTRY: Final = _texts("key", "value")
_METADATA: Final = {
    1: _Field("name"),
    2: _Field("generateName"),
    3: _Field("namespace"),
    11: _Field("labels", _ENTRY, is_map=True),
    12: _Field("annotations", _ENTRY, is_map=True),
}
_OWN: Final = {1: _Field("metadata", _METADATA)}
_RESOURCE: Final = _texts(
    "namespace", "verb", "group", "version", "resource", "subresource", "name"
)
_ACCESS: Final = {
    1: _Field("resourceAttributes", _RESOURCE),
    2: _Field("nonResourceAttributes", _texts("path", "verb")),
}
_TOKEN: Final = {1: _Field("audiences", is_repeated=True), 4: _Field("expirationSeconds")}
_KINDS: Final[Mapping[str, Mapping[int, _Field]]] = {
    "Namespace": _OWN,
    "SelfSubjectAccessReview": _OWN | {2: _Field("spec", _ACCESS)},
    "SelfSubjectReview": _OWN,
    "SelfSubjectRulesReview": _OWN | {2: _Field("spec", _texts("namespace"))},
    "ServiceAccount": _OWN,
    "TokenRequest": _OWN | {2: _Field("spec", _TOKEN)},
}
_UNKNOWN: Final = {1: _Field("type", _texts("apiVersion", "kind")), 2: _Field("raw")}


def from_protobuf(body: bytes) -> Json | None:
    """Return the object of a body, None if it is of a kind that is not read here."""
    if not body.startswith(MAGIC):
        return None
    try:
        envelope = _message(memoryview(body)[len(MAGIC) :], _UNKNOWN, is_raw=True)
        kind: Json = {key: bytes(text).decode() for key, text in envelope["type"].items()}
        fields = _KINDS.get(kind.get("kind", ""))
        return None if fields is None else kind | _message(envelope.get("raw", b""), fields)
    except (IndexError, KeyError, ValueError) as error:
        raise bad_request(f"the protobuf body cannot be read: {error}") from error


def _message(
    data: "memoryview | bytes", fields: Mapping[int, _Field], *, is_raw: bool = False
) -> Json:
    found: Json = {}
    for number, value in _wire(memoryview(data)):
        field = fields.get(number)
        if field is None:
            continue
        read = _read(value, field, is_raw=is_raw)
        if field.is_map:
            found.setdefault(field.name, {})[read["key"]] = read["value"]
        elif field.is_repeated:
            found.setdefault(field.name, []).append(read)
        elif read != "":  # Kubernetes writes every text, empty ones too
            found[field.name] = read
    return found


def _read(value: "memoryview | int", field: _Field, *, is_raw: bool) -> Any:
    if isinstance(value, int):
        return value
    if field.message is not None:
        return _message(value, field.message, is_raw=is_raw)
    return value if is_raw else bytes(value).decode()


def _wire(data: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    place = 0
    while place < len(data):
        key, place = _varint(data, place)
        value, place = _varint(data, place)
        match key & 7:
            case 0:
                yield key >> 3, value
            case 2:
                if place + value > len(data):
                    raise ValueError("it ends too early")
                yield key >> 3, data[place : place + value]
                place += value
            case other:
                raise ValueError(f"wire type {other} is not expected")


def _varint(data: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
