"""One kind of object in one place, listed once and then followed by a watch in a thread."""

import threading
from collections.abc import Sequence
from typing import Final, Generic, Protocol, TypeVar

import msgspec

from tasks.adapters.cluster_objects import Meta
from tasks.adapters.kubernetes_api import Api, Expired, Forbidden, Missing, Page, decoded
from tasks.adapters.kubernetes_discovery import knows
from tasks.adapters.kubernetes_errors import refusal
from tasks.adapters.kubernetes_stream import Lines
from tasks.domain.errors import TransientError, UpgradeError

# Short enough that a connection which died without a word is noticed soon.
_WATCHED_FOR: Final = 60
PATIENCE: Final = 10  # failures in a row, about forty seconds
_SHORTEST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 8.0


class _HasMeta(Protocol):
    @property
    def metadata(self) -> Meta: ...


Watched = TypeVar("Watched", bound=_HasMeta)


class Changed:
    """Counts changes, and wakes whoever waits for one."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._version = 1
        self._error: UpgradeError | None = None

    def note(self) -> None:
        with self._condition:
            self._version += 1
            self._condition.notify_all()

    def fail(self, error: UpgradeError) -> None:
        """Make every look and wait raise this from now on."""
        with self._condition:
            self._error = self._error or error
            self._condition.notify_all()

    def version(self) -> int:
        with self._condition:
            self._raise_error()
            return self._version

    def wait(self, seen: int, timeout: float) -> int:
        """Return the version as soon as it is another than the one seen, or after the timeout."""
        with self._condition:
            self._condition.wait_for(
                lambda: self._version != seen or self._error is not None, timeout
            )
            self._raise_error()
            return self._version

    def _raise_error(self) -> None:
        if self._error is not None:
            raise type(self._error)(f"watching the cluster ended: {self._error}") from self._error


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Whose objects count, and how many failures in a row are borne."""

    namespaces: frozenset[str]
    patience: int = PATIENCE


class _Event(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


class _Problem(msgspec.Struct, frozen=True):
    code: int = 500


_EVENT: Final = msgspec.json.Decoder(_Event)
_PROBLEM: Final = msgspec.json.Decoder(_Problem)


class WatchedList(Generic[Watched]):
    """The objects of one path, kept fresh."""

    def __init__(
        self, api: Api, path: str, kind: type[Watched], scope: Scope, changed: Changed
    ) -> None:
        self.path = path
        self._api = api
        self._scope = scope
        self._changed = changed
        self._page = msgspec.json.Decoder(Page[kind])  # type: ignore[valid-type]  # built at run time
        self._decoder = msgspec.json.Decoder(kind)
        self._lock = threading.Lock()
        self._objects: dict[tuple[str, str], Watched] = {}
        self._place = ""  # resourceVersion; empty: list again
        self._is_unknown = False
        self._failures = 0
        self._stopping = threading.Event()
        self._lines: Lines | None = None

    def objects(self) -> list[Watched]:
        with self._lock:
            return list(self._objects.values())

    def read(self) -> None:
        """List everything anew. A kind that the cluster does not know is empty for good."""
        pages = self._pages()
        found = {_key(one): one for page in pages for one in page.items or () if self._is_ours(one)}
        with self._lock:
            self._objects = found
        self._place = pages[0].metadata.resource_version if pages else ""
        self._changed.note()

    def _pages(self) -> Sequence[Page[Watched]]:
        try:
            return self._api.pages(self.path, {}, self._page)
        except Missing:
            self._is_unknown = True
        except Forbidden:
            if knows(self._api, self.path):
                raise
            self._is_unknown = True
        return ()

    def follow(self) -> None:
        """Watch until told to stop, or until an error that asking again does not heal."""
        while not self._is_unknown and not self._stopping.is_set():
            try:
                if not self._place:
                    self.read()
                self._watch()
            except Expired:
                self._place = ""
            except TransientError as error:
                self._failures += 1
                if self._failures >= self._scope.patience:
                    self._changed.fail(error)
                    return
            except UpgradeError as error:
                self._changed.fail(error)
                return
            # Also after a good end: a server may end every watch at once.
            self._stopping.wait(min(_SHORTEST_PAUSE * 2**self._failures, _LONGEST_PAUSE))

    def stop(self) -> None:
        """End `follow`, from another thread."""
        with self._lock:
            self._stopping.set()
            lines = self._lines
        if lines is not None:
            lines.stop()

    def _watch(self) -> None:
        asked = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": self._place}
        with self._api.stream(self.path, asked, timeout_seconds=_WATCHED_FOR) as lines:
            self._failures = 0
            with self._lock:
                self._lines = lines
                if self._stopping.is_set():
                    return
            for line in lines:
                self._take(line)

    def _take(self, line: bytes) -> None:
        event = decoded(line, _EVENT, path=self.path)
        if event.type == "ERROR":
            code = decoded(event.object, _PROBLEM, path=self.path).code
            raise refusal(code, method="WATCH", path=self.path, body=bytes(event.object))
        found = decoded(event.object, self._decoder, path=self.path)
        self._place = found.metadata.resource_version or self._place
        if event.type == "BOOKMARK" or not self._is_ours(found):
            return
        with self._lock:
            if event.type == "DELETED":
                self._objects.pop(_key(found), None)
            else:
                self._objects[_key(found)] = found
        self._changed.note()

    def _is_ours(self, found: Watched) -> bool:
        return found.metadata.namespace in self._scope.namespaces


def _key(found: _HasMeta) -> tuple[str, str]:
    return found.metadata.namespace, found.metadata.name
