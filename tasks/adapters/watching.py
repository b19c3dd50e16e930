"""
A live picture of namespaces: one list, then one watch for each kind of object.

A watch that is cut goes on where it was; one whose place is too old lists again. One that cannot go
on, because a right is missing or nobody answers for long, says so to everybody who looks: a stale
picture is never taken for a quiet one.
"""

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from types import TracebackType
from typing import Final, Self

from tasks.adapters.cluster_objects import PodObject, WorkloadObject
from tasks.adapters.cluster_pods import pod_of
from tasks.adapters.cluster_workloads import LISTED, PATHS, Owners, workloads_of
from tasks.adapters.kubernetes_api import Api, segment
from tasks.adapters.watched_list import PATIENCE, Changed, Scope, WatchedList
from tasks.domain.errors import BadInputError
from tasks.domain.inventory import Kind, Pod, Workload, WorkloadRef

# More than this are watched in the whole cluster, and what is not ours thrown away.
_ONE_BY_ONE: Final = 3
_ENDS_WITHIN: Final = 5.0


class Watching:
    """A `NamespaceState` for as long as the context lasts."""

    def __init__(self, api: Api, namespaces: Collection[str], *, patience: int = PATIENCE) -> None:
        if not namespaces:
            raise BadInputError("there is no namespace to watch")
        self._changed = Changed()
        names = frozenset(segment(name) for name in namespaces)
        scope = Scope(namespaces=names, patience=patience)
        watched = sorted(names) if len(names) <= _ONE_BY_ONE else [""]
        self._pods = [
            WatchedList(api, _path("/api/v1/pods", name), PodObject, scope, self._changed)
            for name in watched
        ]
        self._workloads: dict[Kind, list[WatchedList[WorkloadObject]]] = {
            kind: [
                WatchedList(api, _path(PATHS[kind], name), WorkloadObject, scope, self._changed)
                for name in watched
            ]
            for kind in LISTED
        }
        self._threads: list[threading.Thread] = []
        self._looked = threading.local()
        self._picture_lock = threading.Lock()
        self._picture: _Picture | None = None
        self._portraits = _Portraits()

    def __enter__(self) -> Self:
        self._list_all()
        for one in self._all():
            thread = threading.Thread(target=one.follow, name=f"watch {one.path}", daemon=True)
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for one in self._all():
            one.stop()
        for thread in self._threads:
            thread.join(_ENDS_WITHIN)

    @property
    def workloads(self) -> Mapping[WorkloadRef, Workload]:
        return self._look().workloads

    @property
    def pods(self) -> Sequence[Pod]:
        return self._look().pods

    def wait(self, timeout: timedelta) -> None:
        """
        Return as soon as something changed since this thread's last wait, or when the time is over.

        Each thread has its own mark, so that no two take a change from each other.
        """
        seen: int = getattr(self._looked, "version", 0)
        self._looked.version = self._changed.wait(seen, timeout.total_seconds())

    def _look(self) -> "_Picture":
        version = self._changed.version()
        with self._picture_lock:
            if self._picture is None or self._picture.version != version:
                self._picture = self._drawn(version)
            return self._picture

    def _drawn(self, version: int) -> "_Picture":
        found = {
            kind: [one for part in parts for one in part.objects()]
            for kind, parts in self._workloads.items()
        }
        workloads = {
            one.ref: one for kind, objects in found.items() for one in workloads_of(kind, objects)
        }
        owners = Owners(found[Kind.REPLICA_SET], workloads)
        objects = (one for part in self._pods for one in part.objects())
        return _Picture(version, workloads, self._portraits.drawn(objects, owners))

    def _list_all(self) -> None:
        everything = list(self._all())
        with ThreadPoolExecutor(len(everything), thread_name_prefix="list") as executor:
            for asked in [executor.submit(one.read) for one in everything]:
                asked.result()

    def _all(self) -> Iterator[WatchedList[PodObject] | WatchedList[WorkloadObject]]:
        yield from self._pods
        for parts in self._workloads.values():
            yield from parts


class _Portraits:
    """
    The pods of the last picture, of which nearly all are those of the next.

    Drawing thousands anew whenever one changes would be all that a large batch does.
    """

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], tuple[PodObject, Pod]] = {}

    def drawn(self, found: Iterable[PodObject], owners: Owners) -> list[Pod]:
        """Return pods with their owners; the same ones, as far as nothing has changed."""
        drawn: dict[tuple[str, str], tuple[PodObject, Pod]] = {}
        for one in found:
            place = one.metadata.namespace, one.metadata.name
            workload = owners.of(one)
            known, pod = self._last.get(place, (None, None))
            if pod is None or known is not one or pod.workload != workload:
                pod = pod_of(one, workload=workload)
            drawn[place] = one, pod
        self._last = drawn
        return [pod for _, pod in drawn.values()]


class _Picture:
    """Everything as it was at one version."""

    def __init__(
        self, version: int, workloads: Mapping[WorkloadRef, Workload], pods: Sequence[Pod]
    ) -> None:
        self.version = version
        self.workloads = workloads
        self.pods = pods


def _path(path: str, namespace: str) -> str:
    """Return a list's path in one namespace; in all of them for the empty name."""
    if not namespace:
        return path
    start, _, plural = path.rpartition("/")
    return f"{start}/namespaces/{namespace}/{plural}"
