"""
The one Lease of a cluster: which run has it, and which process works for that run.

Every write is a PUT of what was read with its resourceVersion, so that of two processes one fails.
It decides who may change the cluster, so it cannot itself ask the guard. The time in it is the
writer's own clock; whether it is old is for readers to judge.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from tasks.adapters.kubernetes_api import Api, Conflict, Missing, decoded
from tasks.adapters.kubernetes_objects import Metadata, group_path
from tasks.domain.errors import TransientError
from tasks.domain.journal import Holding

_GROUP: Final = "coordination.k8s.io/v1"
_NAME: Final = "istio-canary"
_PROCESS: Final = "istio-canary.io/process"
_LABELS: Final = {"app.kubernetes.io/managed-by": "istio-canary"}


class _Spec(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class _Lease(msgspec.Struct, frozen=True, rename="camel"):
    metadata: Metadata
    spec: _Spec = _Spec()
    api_version: str = _GROUP
    kind: str = "Lease"

    @property
    def process(self) -> str:
        return (self.metadata.annotations or {}).get(_PROCESS, "")

    def is_held_by(self, *, run: str, process: str) -> bool:
        return self.spec.holder_identity == run and self.process == process


_decoder: Final = msgspec.json.Decoder(_Lease)
_Change = Callable[[_Lease], _Lease]


class KubernetesLeases:
    """`Leases` by way of the API server. Several threads and processes may use the same Lease."""

    def __init__(self, api: Api, *, namespace: str, now: Callable[[], datetime]) -> None:
        self._api = api
        self._namespace = namespace
        self._collection = group_path(_GROUP, namespace, "leases")
        self._path = group_path(_GROUP, namespace, "leases", _NAME)
        self._now = now

    def holding(self) -> Holding | None:
        """Return who holds it, None when there is no Lease."""
        lease = self._read()
        if lease is None:
            return None
        return Holding(
            run=lease.spec.holder_identity or "",
            process=lease.process,
            renewed_at=_time(lease.spec.renew_time),
            duration_seconds=lease.spec.lease_duration_seconds or 0,
            version=lease.metadata.resource_version,
        )

    def take(self, *, run: str, process: str, duration: timedelta, over: Holding | None) -> bool:
        """Write ourselves in, if the Lease still is what `over` says, or if it was us already."""
        lease = self._read()
        if _version(lease) != (over.version if over else None):
            # Our own request may have been done and its answer lost: the token is ours alone.
            return lease is not None and lease.is_held_by(run=run, process=process)
        taken = self._taken(lease, run=run, process=process, duration=duration)
        return self._create(taken) if lease is None else self._replace(taken)

    def renew(self, *, run: str, process: str) -> bool:
        """Say that we live, if we still hold it."""
        return self._change(run=run, process=process, change=self._renewed)

    def park(self, *, run: str, process: str) -> None:
        """Keep it for the run, but say that no process works for it now."""
        self._change(run=run, process=process, change=self._parked)

    def release(self, *, run: str, process: str) -> None:
        """Free it: the run is over."""
        self._change(run=run, process=process, change=self._released)

    def _change(self, *, run: str, process: str, change: _Change) -> bool:
        for _ in range(2):
            lease = self._read()
            if lease is None or not lease.is_held_by(run=run, process=process):
                return False
            if self._replace(change(lease)):
                return True
        raise TransientError(
            f"Lease {self._namespace}/{_NAME} was changed twice while it was being written"
        )

    def _taken(
        self, lease: _Lease | None, *, run: str, process: str, duration: timedelta
    ) -> _Lease:
        now = self._stamp()
        before = lease or _Lease(
            metadata=Metadata(name=_NAME, namespace=self._namespace, labels=_LABELS)
        )
        is_other = lease is not None and lease.spec.holder_identity != run
        spec = _Spec(
            holder_identity=run,
            lease_duration_seconds=max(1, round(duration.total_seconds())),
            acquire_time=now,
            renew_time=now,
            lease_transitions=(before.spec.lease_transitions or 0) + is_other,
        )
        return _Lease(metadata=_with_process(before.metadata, process), spec=spec)

    def _renewed(self, lease: _Lease) -> _Lease:
        return _with_spec(lease, renew_time=self._stamp())

    def _parked(self, lease: _Lease) -> _Lease:
        return _Lease(metadata=_with_process(lease.metadata, ""), spec=lease.spec)

    def _released(self, lease: _Lease) -> _Lease:
        return _with_spec(self._parked(lease), holder_identity="", renew_time=self._stamp())

    def _read(self) -> _Lease | None:
        found = self._api.get_or_none(self._path)
        return None if found is None else decoded(found, _decoder, path=self._path)

    def _create(self, lease: _Lease) -> bool:
        try:
            self._api.write(
                "POST", self._collection, msgspec.json.encode(lease), checks_guard=False
            )
        except Conflict:
            return False
        return True

    def _replace(self, lease: _Lease) -> bool:
        body = msgspec.json.encode(lease)
        try:
            self._api.write("PUT", self._path, body, checks_guard=False)
        except (Conflict, Missing):
            return False
        return True

    def _stamp(self) -> str:
        # Kubernetes' MicroTime wants all six digits.
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _version(lease: _Lease | None) -> str | None:
    return None if lease is None else lease.metadata.resource_version


def _with_process(metadata: Metadata, process: str) -> Metadata:
    annotations: Mapping[str, str] = {**(metadata.annotations or {}), _PROCESS: process}
    return msgspec.structs.replace(metadata, annotations=annotations)


def _with_spec(lease: _Lease, **changes: str) -> _Lease:
    return msgspec.structs.replace(lease, spec=msgspec.structs.replace(lease.spec, **changes))


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
