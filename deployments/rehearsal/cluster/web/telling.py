"""How objects are told: whole, their metadata only, or as rows of a table; one by one or as a list."""

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from deployments.rehearsal.cluster.objects import Json, metadata_of
from deployments.rehearsal.cluster.store import Entry
from deployments.rehearsal.cluster.web.asks import Ask
from deployments.rehearsal.cluster.web.negotiation import Form
from deployments.rehearsal.cluster.web.pages import Page
from deployments.rehearsal.cluster.web.tables import Tables

META: Final = "meta.k8s.io/v1"
Teller = Callable[[Entry], bytes]


def teller(ask: Ask) -> Teller:
    """Return what writes one object in the form that the client wants."""
    match ask.form:
        case Form.WHOLE:
            return _whole(ask)
        case Form.METADATA:
            return lambda entry: msgspec.json.encode(partial(entry.object))
        case Form.TABLE:
            tables = Tables(ask.server.store, ask.resource, ask.place.version)
            include = ask.query("includeObject")
            return lambda entry: msgspec.json.encode(tables.table([entry.object], include))


def _whole(ask: Ask) -> Teller:
    if ask.place.version == ask.resource.version:
        return lambda entry: entry.encoded
    # Another version is the same object under another name.
    version = {"apiVersion": ask.api_version}
    return lambda entry: msgspec.json.encode(entry.object | version)


def partial(obj: Json) -> Json:
    return {"kind": "PartialObjectMetadata", "apiVersion": META, "metadata": metadata_of(obj)}


def listed(ask: Ask, page: Page, *, is_filtered: bool) -> bytes:
    """Return a page of a list in the form that the client wants."""
    metadata: Json = {"resourceVersion": str(page.version)}
    if page.next:
        metadata["continue"] = page.next
        if not is_filtered:
            metadata["remainingItemCount"] = page.remaining
    if ask.form is Form.TABLE:
        return _table(ask, page, metadata)
    kind, version = ask.resource.list_kind, ask.api_version
    if ask.form is Form.METADATA:
        kind, version = "PartialObjectMetadataList", META
    tell = _unnamed(ask) if ask.form is Form.WHOLE else teller(ask)
    return joined(kind, version, metadata, (tell(entry) for entry in page.entries))


def _unnamed(ask: Ask) -> Teller:
    """Return what writes an object in a list: of a built-in kind, without saying which."""
    return _whole(ask) if ask.resource.is_custom else lambda entry: entry.unnamed


def joined(kind: str, version: str, metadata: Json, items: Iterable[bytes]) -> bytes:
    """Return a list of objects that are JSON already."""
    head = {"kind": kind, "apiVersion": version, "metadata": metadata}
    begun = msgspec.json.encode(head)[:-1]
    return b"".join((begun, b',"items":[', b",".join(items), b"]}"))


def _table(ask: Ask, page: Page, metadata: Json) -> bytes:
    tables = Tables(ask.server.store, ask.resource, ask.place.version)
    objects = [entry.object for entry in page.entries]
    table = tables.table(objects, ask.query("includeObject"))
    return msgspec.json.encode(table | {"metadata": metadata})
