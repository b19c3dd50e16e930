"""
Changes to namespaces and workloads.

Each is one request that says what shall be, so that saying it again changes nothing. Whether it is
wise is decided elsewhere; whether it is allowed, by the guard that the `Api` asks first.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from tasks.adapters.kubernetes_api import Api, Conflict, Missing, decoded
from tasks.adapters.kubernetes_names import segment
from tasks.adapters.kubernetes_objects import MERGE_PATCH, Metadata, core_path, workload_path
from tasks.domain.errors import RefusedError
from tasks.domain.inventory import MOVABLE, Kind, Pod, WorkloadRef

# kubectl's own annotation: who looks at the template sees a restart as he knows it.
_RESTARTED_AT: Final = "kubectl.kubernetes.io/restartedAt"


class _Object(msgspec.Struct, frozen=True):
    metadata: Metadata


class _Generation(msgspec.Struct, frozen=True):
    generation: int = 0


class _Changed(msgspec.Struct, frozen=True):
    metadata: _Generation


_object: Final = msgspec.json.Decoder(_Object)
_changed: Final = msgspec.json.Decoder(_Changed)


class KubernetesChanges:
    """`Changes` by way of the API server."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def label_namespace(
        self,
        name: str,
        *,
        labels: Mapping[str, str | None],
        annotations: Mapping[str, str | None],
    ) -> None:
        """Set labels and annotations in one patch; None removes one."""
        metadata = {"labels": dict(labels), "annotations": dict(annotations)}
        self._patch(f"/api/v1/namespaces/{segment(name)}", {"metadata": metadata})

    def restart(self, workload: WorkloadRef, *, at: str) -> int:
        """Make a workload replace its pods. Returns its generation with the change."""
        if workload.kind not in MOVABLE:
            raise RefusedError(
                f"{workload} cannot be restarted: its kind does not replace its pods"
            )
        path = workload_path(workload)
        answer = self._patch(path, {"spec": _restarting(workload.kind, at)})
        return decoded(answer, _changed, path=path).metadata.generation

    def delete_pod(self, pod: Pod) -> None:
        """Delete this pod, by uid."""
        path = core_path(pod.namespace, "pods", pod.name)
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {"uid": pod.uid},
        }
        try:
            self._api.write("DELETE", path, msgspec.json.encode(options))
        except Missing:
            return
        except Conflict:
            # Another pod has taken the name: a StatefulSet's does. Ours is gone.
            if self._is_there(path, uid=pod.uid):
                raise

    def _is_there(self, path: str, *, uid: str) -> bool:
        found = self._api.get_or_none(path)
        return found is not None and decoded(found, _object, path=path).metadata.uid == uid

    def _patch(self, path: str, patch: Mapping[str, object]) -> bytes:
        body = msgspec.json.encode(patch)
        return self._api.write("PATCH", path, body, content_type=MERGE_PATCH)


def _restarting(kind: Kind, at: str) -> Mapping[str, object]:
    if kind is Kind.ROLLOUT:
        return {"restartAt": at}
    return {"template": {"metadata": {"annotations": {_RESTARTED_AT: at}}}}
