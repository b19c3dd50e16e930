"""
The objects of the cluster, and everything that happened to them lately.

Only memory, and synchronous: an object handed out belongs to everybody and must not be changed in
place. One counter makes all resourceVersions, as etcd's revision does. The store believes what it
is told; what may be written is the Server's business.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Final

import msgspec

from deployments.rehearsal.cluster.objects import (
    Json,
    metadata_of,
    name_of,
    namespace_of,
    owners_of,
)
from deployments.rehearsal.cluster.registry import Resource

REMEMBERED: Final = 10_000  # changes, of each resource
# A cluster has a past that nobody remembers: whoever asks for it has to begin again.
_FIRST: Final = 1_000


class ChangeKind(StrEnum):
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happened to one object. One that was deleted bears the version of its deletion."""

    kind: ChangeKind
    resource: Resource
    object: Json
    previous: Json | None
    version: int


class Entry:
    """An object beside its JSON, which is written once for all who ask."""

    def __init__(self, obj: Json) -> None:
        self.object = obj

    @cached_property
    def encoded(self) -> bytes:
        head = {"apiVersion": self.object["apiVersion"], "kind": self.object["kind"]}
        return msgspec.json.encode(head | self.object)

    @property
    def unnamed(self) -> bytes:
        """The JSON without version and kind, as the lists of built-in kinds hold it."""
        head = {"apiVersion": self.object["apiVersion"], "kind": self.object["kind"]}
        return b"{" + self.encoded[len(msgspec.json.encode(head)) :]


class Record:
    """A remembered change, with its objects as entries."""

    def __init__(self, change: Change, now: Entry, before: Entry | None) -> None:
        self.change = change
        self.now = now
        self.before = before


class History:
    """The last changes of one resource, found by version."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._records: list[Record] = []
        self.forgotten = _FIRST  # the version of the newest change that is not here any more

    def add(self, record: Record) -> None:
        self._records.append(record)
        if len(self._records) >= 2 * self._limit:  # in one piece, so that adding stays cheap
            self.forgotten = self._records[-self._limit - 1].change.version
            del self._records[: -self._limit]

    def since(self, version: int, most: int) -> list[Record]:
        """Return the first that came after a version. The caller asks `forgotten` first."""
        start = bisect_left(self._records, version + 1, key=lambda record: record.change.version)
        return self._records[start : start + most]


class Shelf:
    """All objects of one resource, in the order in which the API lists them."""

    def __init__(self, remembered: int) -> None:
        self._entries: dict[str, dict[str, Entry]] = {}
        self._names: dict[str, list[str]] = {}
        self.history = History(remembered)

    def get(self, namespace: str, name: str) -> Entry | None:
        return self._entries.get(namespace, {}).get(name)

    def put(self, entry: Entry) -> Entry | None:
        """Put an object in its place, and return what was there."""
        namespace, name = namespace_of(entry.object), name_of(entry.object)
        entries = self._entries.setdefault(namespace, {})
        previous = entries.get(name)
        if previous is None:
            insort(self._names.setdefault(namespace, []), name)
        entries[name] = entry
        return previous

    def remove(self, namespace: str, name: str) -> Entry | None:
        removed = self._entries.get(namespace, {}).pop(name, None)
        if removed is not None:
            names = self._names[namespace]
            del names[bisect_left(names, name)]
        return removed

    def entries(self, namespace: str | None) -> Iterator[Entry]:
        for place in self._places() if namespace is None else (namespace,):
            entries = self._entries.get(place, {})
            yield from (entries[name] for name in self._names.get(place, ()))

    def _places(self) -> list[str]:
        # The API sorts by namespace/name: what is in "a-b" comes before what is in "a".
        return sorted(self._names, key=lambda place: f"{place}/")


class Store:
    """Objects, versions, changes, and those who want to hear of them."""

    def __init__(self, *, remembered: int = REMEMBERED) -> None:
        self.version = _FIRST
        self._remembered = remembered
        self._shelves: dict[Resource, Shelf] = {}
        self._owned: dict[str, dict[tuple[Resource, str, str], None]] = {}
        self._listeners: list[Callable[[Change], None]] = []

    def get(self, resource: Resource, name: str, namespace: str = "") -> Json | None:
        entry = self.entry(resource, name, namespace)
        return entry.object if entry is not None else None

    def entry(self, resource: Resource, name: str, namespace: str = "") -> Entry | None:
        return self._shelf(resource).get(namespace, name)

    def entries(self, resource: Resource, namespace: str | None = None) -> Iterator[Entry]:
        return self._shelf(resource).entries(namespace)

    def history(self, resource: Resource) -> History:
        return self._shelf(resource).history

    def owned_by(self, uid: str) -> list[tuple[Resource, Json]]:
        """Return the objects that name this uid among their owners."""
        found = ((key[0], self.get(key[0], key[2], key[1])) for key in self._owned.get(uid, ()))
        return [(resource, obj) for resource, obj in found if obj is not None]

    def listen(self, hear: Callable[[Change], None]) -> Callable[[], None]:
        """Call `hear` after each change, in order, until the returned function is called."""
        self._listeners.append(hear)
        return lambda: self._listeners.remove(hear)

    def put(self, resource: Resource, obj: Json) -> Json:
        """Keep an object under a new version, and return it with that."""
        self.version += 1
        metadata = metadata_of(obj) | {"resourceVersion": str(self.version)}
        entry = Entry(obj | {"metadata": metadata})
        previous = self._shelf(resource).put(entry)
        self._index(resource, entry.object, previous.object if previous is not None else None)
        kind = ChangeKind.MODIFIED if previous else ChangeKind.ADDED
        self._tell(kind, resource, entry, previous)
        return entry.object

    def remove(self, resource: Resource, name: str, namespace: str = "") -> Json | None:
        """Forget an object, and return its last state."""
        removed = self._shelf(resource).remove(namespace, name)
        if removed is None:
            return None
        self.version += 1
        metadata = metadata_of(removed.object) | {"resourceVersion": str(self.version)}
        gone = Entry(removed.object | {"metadata": metadata})
        self._index(resource, None, removed.object)
        self._tell(ChangeKind.DELETED, resource, gone, removed)
        return gone.object

    def _shelf(self, resource: Resource) -> Shelf:
        shelf = self._shelves.get(resource)
        if shelf is None:
            shelf = self._shelves[resource] = Shelf(self._remembered)
        return shelf

    def _tell(
        self, kind: ChangeKind, resource: Resource, entry: Entry, previous: Entry | None
    ) -> None:
        change = Change(
            kind=kind,
            resource=resource,
            object=entry.object,
            previous=previous.object if previous is not None else None,
            version=self.version,
        )
        self._shelf(resource).history.add(Record(change, entry, previous))
        for hear in tuple(self._listeners):
            hear(change)

    def _index(self, resource: Resource, now: Json | None, before: Json | None) -> None:
        old, new = _owner_uids(before), _owner_uids(now)
        if old == new:
            return
        obj = now or before or {}
        key = resource, namespace_of(obj), name_of(obj)
        for uid in old - new:
            self._owned[uid].pop(key)
            if not self._owned[uid]:
                del self._owned[uid]
        for uid in new - old:
            self._owned.setdefault(uid, {})[key] = None

    # Last, for it hides the type of the same name from what follows.
    def list(self, resource: Resource, namespace: str | None = None) -> list[Json]:
        """Return the objects by namespace and name; of all namespaces if none is named."""
        return [entry.object for entry in self.entries(resource, namespace)]


def _owner_uids(obj: Json | None) -> set[str]:
    owners: Iterable[Json] = owners_of(obj) if obj is not None else ()
    return {str(owner.get("uid", "")) for owner in owners}
