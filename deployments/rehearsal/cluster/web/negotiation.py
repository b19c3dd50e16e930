"""In which form a client wants its answer, and in which it sends its question."""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final

import msgspec

from deployments.rehearsal.cluster.errors import (
    bad_request,
    not_acceptable,
    unsupported_media_type,
)
from deployments.rehearsal.cluster.web.protobuf import from_protobuf
from deployments.rehearsal.cluster.web.yaml_bodies import from_yaml

JSON: Final = "application/json"
PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
_YAML: Final = ("application/yaml", "application/apply-patch+yaml")
_ACCEPTED: Final = (JSON, "application/yaml", PROTOBUF)
_TOLD: Final = (*_ACCEPTED, *(f"{one};stream=watch" for one in (JSON, PROTOBUF)))
_UNREADABLE: Final = "couldn't get version/kind; json parse error"
_SHOWN: Final = 200
_FOR_ALL: Final = frozenset({JSON, "application/*", "*/*", ""})


class Form(Enum):
    """How much of the objects is told."""

    WHOLE = auto()
    METADATA = auto()
    TABLE = auto()


_FORMS: Final = {
    "": Form.WHOLE,
    "PartialObjectMetadata": Form.METADATA,
    "PartialObjectMetadataList": Form.METADATA,
    "Table": Form.TABLE,
}


@dataclass(frozen=True, slots=True)
class MediaType:
    """One of the types that an Accept header lists."""

    name: str
    parameters: dict[str, str]


def media_types(accept: str) -> list[MediaType]:
    """Return what an Accept header lists, in its order: clients write the best first."""
    return [media_type(one) for one in accept.split(",")]


def media_type(text: str) -> MediaType:
    name, *parameters = (part.strip() for part in text.split(";"))
    pairs = (part.partition("=") for part in parameters)
    return MediaType(name.lower(), {key: value for key, _, value in pairs})


def form_of(accept: str) -> Form:
    """Return the first form that we know. Raises ApiError (406) if there is none."""
    for one in media_types(accept):
        form = _FORMS.get(one.parameters.get("as", ""))
        if one.name in _FOR_ALL and form is not None:
            return form
    raise not_acceptable(_TOLD)


def decoded(body: bytes, content_type: str) -> Any:
    """Return what a body says. Raises ApiError: 415 if we do not read such, 400 if it is broken."""
    name = media_type(content_type).name
    if name == PROTOBUF:
        found = from_protobuf(body)
        if found is None:
            raise unsupported_media_type(_ACCEPTED)
        return found
    if not (name == "" or name.endswith("json") or name in _YAML):
        raise unsupported_media_type(_ACCEPTED)
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if name not in _YAML:
            text = body[:_SHOWN].decode(errors="replace") or "<empty>"
            raise bad_request(f"{_UNREADABLE}: {error} ({text})") from error
    return from_yaml(body)
