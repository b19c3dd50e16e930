"""
The journal, in ConfigMaps of the control plane's namespace.

A run's entries are the keys 00001, 00002, ... of one ConfigMap, and of further ones as each fills
up; its plan is kept once, gzipped, beside it. None of them carries a label of Istio's, since an
uninstall deletes by those. Entries are only ever added, and what cannot be read is refused: a run
must not go on from half a record.
"""

import base64
import binascii
import gzip
import threading
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from tasks.adapters.kubernetes_api import AlreadyExists, Api, Conflict, decoded
from tasks.adapters.kubernetes_objects import MERGE_PATCH, Metadata, core_path
from tasks.domain.errors import BadInputError, RefusedError, TransientError
from tasks.domain.journal import Entry, RunRecord, Started
from tasks.domain.revision import is_dns_label

_OURS: Final = "app.kubernetes.io/managed-by"
_RUN: Final = "istio-canary.io/run"
_RECORD: Final = "istio-canary.io/record"
_PLAN_KEY: Final = "plan.json.gz"

# A ConfigMap is read and written whole for each entry: small ones keep long journals cheap.
_FULL: Final = 100_000
# It holds 1 MiB, and names and labels need some of that.
_LARGEST_ENTRY: Final = 900_000
_LARGEST_PLAN: Final = 1024 * 1024
_TRIES: Final = 5


class _ConfigMap(msgspec.Struct, frozen=True, rename="camel"):
    metadata: Metadata
    data: Mapping[str, str] | None = None
    binary_data: Mapping[str, str] | None = None


class _Segment(msgspec.Struct, frozen=True):
    """One ConfigMap of a run's journal."""

    number: int
    name: str
    version: str
    entries: Mapping[str, str]  # JSON by key, in order


_config_map: Final = msgspec.json.Decoder(_ConfigMap)
_entry: Final = msgspec.json.Decoder(Entry)


class KubernetesRecords:
    """`Records` by way of the API server."""

    def __init__(self, api: Api, *, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._collection = core_path(namespace, "configmaps")
        # Threads of one process take turns instead of running into each other's Conflicts.
        self._appending = threading.Lock()
        # As our last entry left each journal, so that a long one is not read again for the next.
        self._known: dict[str, Sequence[_Segment]] = {}

    def runs(
        self, *, left_out: Callable[[RefusedError], object] | None = None
    ) -> Sequence[RunRecord]:
        """Return every run's record, oldest first."""
        by_run: dict[str, list[_ConfigMap]] = {}
        for found in self._journals({}):
            by_run.setdefault((found.metadata.labels or {}).get(_RUN, ""), []).append(found)
        records: list[RunRecord] = []
        for run, segments in by_run.items():
            try:
                records.append(self._record(run, segments))
            except RefusedError as error:
                if left_out is None:
                    raise
                left_out(error)
        return sorted(records, key=lambda record: (record.started.at, record.run))

    def run(self, run: str) -> RunRecord:
        """Return one run's record. Raises BadInputError when there is none."""
        found = self._journals({_RUN: _checked(run)})
        if not found:
            raise BadInputError(
                f"there is no run {run!r} in namespace {self._namespace} of this cluster"
            )
        return self._record(run, found)

    def append(self, run: str, entry: Entry) -> None:
        """Add one entry, durably; nothing is added if the very same one is the newest already."""
        text = msgspec.json.encode(entry, order="sorted").decode()
        if len(text.encode()) > _LARGEST_ENTRY:
            raise RefusedError(
                f"an entry for the journal of run {_checked(run)} has {len(text.encode())} bytes; "
                f"a ConfigMap takes {_LARGEST_ENTRY}"
            )
        with self._appending:
            self._append(_checked(run), text)

    def save_plan(self, run: str, plan: bytes) -> None:
        """Keep the plan's canonical JSON, gzipped, once; the same again is no error."""
        packed = gzip.compress(plan, mtime=0)
        if len(packed) > _LARGEST_PLAN:
            raise RefusedError(
                f"the plan of run {_checked(run)} has {len(packed)} bytes even when gzipped, and a "
                f"ConfigMap holds {_LARGEST_PLAN}; plan fewer namespaces at once"
            )
        content = {"binaryData": {_PLAN_KEY: base64.b64encode(packed).decode()}}
        try:
            self._create(_plan_name(run), run=run, record="plan", content=content)
        except AlreadyExists as error:
            if self.plan(run) != plan:
                raise RefusedError(
                    f"run {run} has another plan already; a plan is fixed"
                ) from error

    def plan(self, run: str) -> bytes | None:
        """Return the plan's canonical JSON, None before there is one."""
        path = core_path(self._namespace, "configmaps", _plan_name(run))
        found = self._api.get_or_none(path)
        if found is None:
            return None
        packed = (decoded(found, _config_map, path=path).binary_data or {}).get(_PLAN_KEY, "")
        try:
            return _unpacked(packed)
        except (binascii.Error, EOFError, OSError, ValueError, zlib.error) as error:
            raise RefusedError(
                f"ConfigMap {self._namespace}/{_plan_name(run)} does not hold a gzipped plan in "
                f"{_PLAN_KEY}; somebody changed it"
            ) from error

    def _append(self, run: str, text: str) -> None:
        known: int | None = None
        for _ in range(_TRIES):
            segments = self._as_it_is(run)
            texts = [one for segment in segments for one in segment.entries.values()]
            known = len(texts) if known is None else known
            # The newest may be a repeated call's; what came since, our own last attempt's.
            if text in texts[max(0, known - 1) :]:
                return
            try:
                self._known[run] = self._add(run, segments, {f"{len(texts) + 1:05d}": text})
            except Conflict:
                continue
            return
        raise TransientError(f"the journal of run {run} was changed by others {_TRIES} times over")

    def _as_it_is(self, run: str) -> Sequence[_Segment]:
        """Return a journal as we left it, unless it goes on elsewhere; a change is a Conflict."""
        known = self._known.pop(run, ())
        if known:
            following = _segment_name(run, known[-1].number + 1)
            path = core_path(self._namespace, "configmaps", following)
            if self._api.get_or_none(path) is None:
                return known
        return self._segments(self._journals({_RUN: run}))

    def _add(
        self, run: str, segments: Sequence[_Segment], data: Mapping[str, str]
    ) -> Sequence[_Segment]:
        """Add an entry, and return the journal with it. Raises Conflict."""
        last = segments[-1] if segments else None
        if last is None or _size(last.entries) + _size(data) > _FULL:
            return [*segments, self._add_segment(run, last.number + 1 if last else 0, data)]
        patch = {"metadata": {"resourceVersion": last.version}, "data": data}
        path = core_path(self._namespace, "configmaps", last.name)
        answer = self._api.write(
            "PATCH", path, msgspec.json.encode(patch), content_type=MERGE_PATCH
        )
        return [*segments[:-1], self._segment(decoded(answer, _config_map, path=path))]

    def _add_segment(self, run: str, number: int, data: Mapping[str, str]) -> _Segment:
        name = _segment_name(run, number)
        try:
            made = self._create(name, run=run, record="journal", content={"data": data})
        except AlreadyExists as error:
            path = core_path(self._namespace, "configmaps", name)
            taken = decoded(self._api.get(path), _config_map, path=path)
            if (taken.metadata.labels or {}).get(_RUN) == run:
                raise
            raise RefusedError(
                f"ConfigMap {self._namespace}/{name}, where the journal of run {run} would go on, "
                "is there already and belongs to something else"
            ) from error
        return self._segment(decoded(made, _config_map, path=self._collection))

    def _create(self, name: str, *, run: str, record: str, content: Mapping[str, object]) -> bytes:
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": name,
                "namespace": self._namespace,
                "labels": {_OURS: "istio-canary", _RUN: _checked(run), _RECORD: record},
            },
            **content,
        }
        return self._api.write("POST", self._collection, msgspec.json.encode(body))

    def _journals(self, labels: Mapping[str, str]) -> list[_ConfigMap]:
        wanted = {_OURS: "istio-canary", _RECORD: "journal", **labels}
        selector = ",".join(f"{key}={value}" for key, value in wanted.items())
        return self._api.items(self._collection, {"labelSelector": selector}, _ConfigMap)

    def _segments(self, found: Iterable[_ConfigMap]) -> list[_Segment]:
        return sorted((self._segment(one) for one in found), key=lambda one: one.number)

    def _segment(self, found: _ConfigMap) -> _Segment:
        name, run = found.metadata.name, (found.metadata.labels or {}).get(_RUN, "")
        number = name.removeprefix(_segment_name(run, 0)).removeprefix("-") or "0"
        if not number.isdecimal() or name != _segment_name(run, int(number)):
            raise RefusedError(
                f"ConfigMap {self._namespace}/{name} is labelled as a journal of run {run!r} but "
                "has another name; remove the label or the ConfigMap"
            )
        return _Segment(
            number=int(number),
            name=name,
            version=found.metadata.resource_version,
            entries=dict(sorted((found.data or {}).items(), key=_place)),
        )

    def _record(self, run: str, found: Iterable[_ConfigMap]) -> RunRecord:
        entries = tuple(
            self._entry(segment.name, key, text)
            for segment in self._segments(found)
            for key, text in segment.entries.items()
        )
        if not entries or not isinstance(entries[0], Started):
            raise RefusedError(
                f"the journal of run {run!r} in namespace {self._namespace} does not begin with "
                "`started`; it was not written by this tool, or somebody changed it"
            )
        return RunRecord(run=run, entries=entries)

    def _entry(self, name: str, key: str, text: str) -> Entry:
        try:
            entry: Entry = _entry.decode(text)
        except (msgspec.DecodeError, RecursionError) as error:
            raise RefusedError(
                f"ConfigMap {self._namespace}/{name} has a malformed entry in key {key!r}; a newer "
                "version of this tool wrote it, or somebody changed it"
            ) from error
        return entry


def _checked(run: str) -> str:
    if not is_dns_label(run):
        raise BadInputError(
            f"{run[:80]!r} is no run id: lower-case letters, digits and '-', 63 at most"
        )
    return run


def _segment_name(run: str, number: int) -> str:
    return f"istio-canary-run-{run}" + (f"-{number}" if number else "")


def _plan_name(run: str) -> str:
    return f"istio-canary-plan-{_checked(run)}"


def _unpacked(text: str) -> bytes:
    packed = base64.b64decode(text, validate=True)
    if not packed:
        # To gzip nothing is an archive of nothing.
        raise EOFError
    return gzip.decompress(packed)


def _place(item: tuple[str, str]) -> tuple[int, str]:
    # After 99999 a key grows longer.
    return len(item[0]), item[0]


def _size(data: Mapping[str, str]) -> int:
    return sum(len(key) + len(text.encode()) for key, text in data.items())
