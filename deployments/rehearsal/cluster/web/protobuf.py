"""
The few bodies that kubectl sends as protobuf only, read by hand.

`kubectl create KIND` and `kubectl auth` do so, and do not try JSON when they are refused. The kinds
that are not in the table are refused as an unknown media type. Answers are never protobuf.
"""

import base64
from collections.abc import Iterator
from typing import Any, Final

from deployments.rehearsal.cluster.errors import bad_request
from deployments.rehearsal.cluster.objects import Json
from deployments.rehearsal.cluster.web.protobuf_kinds import (
    KINDS,
    Field,
    Message,
    Read,
    texts,
)

_MAGIC: Final = b"k8s\0"
_UNKNOWN: Final = {
    1: Field(name="type", message=texts("apiVersion", "kind")),
    2: Field(name="raw", read=Read.RAW),
}


def from_protobuf(body: bytes) -> Json | None:
    """Return the object of a body, None if it is of a kind that is not read here."""
    if not body.startswith(_MAGIC):
        return None
    try:
        envelope = _message(memoryview(body)[len(_MAGIC) :], _UNKNOWN)
        kind: Json = envelope["type"]
        fields = KINDS.get(kind.get("kind", ""))
        if fields is None:
            return None
        return kind | _message(memoryview(envelope.get("raw", b"")), fields)
    except (IndexError, KeyError, ValueError) as error:
        raise bad_request(f"the protobuf body cannot be read: {error}") from error


def _message(data: memoryview, fields: Message) -> Json:
    found: Json = {}
    for number, value in _wire(data):
        field = fields.get(number)
        if field is None:
            continue
        read = _read(value, field)
        if field.is_map:
            found.setdefault(field.name, {})[read["key"]] = read.get("value", "")
        elif field.is_repeated:
            found.setdefault(field.name, []).append(read)
        elif read != "":  # Kubernetes writes every text, empty ones too
            found[field.name] = read
    return found


def _read(value: memoryview | int, field: Field) -> Any:
    if isinstance(value, int):
        return value
    if field.message is not None:
        message = _message(value, field.message)
        return next(iter(message.values()), "") if field.is_plain else message
    if field.read is Read.RAW:
        return bytes(value)
    return base64.b64encode(value).decode() if field.read is Read.BYTES else bytes(value).decode()


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
