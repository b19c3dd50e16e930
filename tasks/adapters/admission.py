"""
Asks the API server what it would do, by server-side dry-run.

Every webhook and admission plugin answers as for a real request and nothing is stored; so nothing
here asks the guard. An injector that cannot be called is a 500 to Kubernetes, and an answer to us:
pods could not be made here now.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

import msgspec

from tasks.adapters.kubernetes_api import Api, ServerFailure, decoded
from tasks.adapters.kubernetes_errors import is_webhook_failure
from tasks.adapters.kubernetes_objects import Metadata, core_path, group_path, workload_path
from tasks.domain.errors import RefusedError
from tasks.domain.inventory import Kind, WorkloadRef
from tasks.domain.revision import REVISION_LABEL, STATUS_ANNOTATION

_DRY_RUN: Final = {"dryRun": "All", "fieldManager": "istio-canary"}
_PROBE: Final = "istio-canary-probe"
_HOST: Final = "istio-canary-probe.invalid"
_Spec = dict[str, msgspec.Raw]

# It never runs; it only has to pass the strictest Pod Security level.
_BARE_SPEC: Final[Mapping[str, object]] = {
    "containers": [
        {
            "name": "probe",
            "image": "probe:none",
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"]},
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        }
    ]
}


class _Template(msgspec.Struct, frozen=True):
    metadata: Metadata = Metadata()
    spec: _Spec = {}


class _Target(msgspec.Struct, frozen=True):
    kind: str = ""
    name: str = ""


class _WorkloadSpec(msgspec.Struct, frozen=True, rename="camel"):
    template: _Template | None = None
    workload_ref: _Target | None = None  # an Argo Rollout may borrow a Deployment's template
    volume_claim_templates: tuple["_Object", ...] = ()


class _Workload(msgspec.Struct, frozen=True):
    spec: _WorkloadSpec


class _Object(msgspec.Struct, frozen=True):
    metadata: Metadata = Metadata()


class _Status(msgspec.Struct, frozen=True):
    revision: str = ""


class _Name(msgspec.Struct, frozen=True):
    name: str = ""


_workload: Final = msgspec.json.Decoder(_Workload)
_object: Final = msgspec.json.Decoder(_Object)
_status: Final = msgspec.json.Decoder(_Status)
_volumes: Final = msgspec.json.Decoder(list[msgspec.Raw] | None)
_name: Final = msgspec.json.Decoder(_Name)


class KubernetesAdmission:
    """`Admission` by way of the API server."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def injected_by(
        self,
        namespace: str,
        *,
        template_of: WorkloadRef | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> str | None:
        """Return the revision whose injector takes a pod made here now; None: nobody."""
        if template_of is None:
            template = _bare(labels or {})
        else:
            template = self._template(template_of, extra_labels=labels or {})
        made = self._dry_run(core_path(namespace, "pods"), _pod(namespace, template))
        return _revision_of(made, namespace=namespace)

    def validates(self, namespace: str) -> None:
        """Prove with a dry-run VirtualService that Istio's validation answers."""
        path = group_path("networking.istio.io/v1", namespace, "virtualservices")
        self._dry_run(path, _virtual_service(namespace))

    def _dry_run(self, path: str, obj: Mapping[str, object]) -> Metadata:
        try:
            answer = self._api.ask(path, msgspec.json.encode(obj), _DRY_RUN)
        except ServerFailure as error:
            if is_webhook_failure(str(error)):
                raise RefusedError(str(error)) from error
            raise
        return decoded(answer, _object, path=path).metadata

    def _template(self, workload: WorkloadRef, *, extra_labels: Mapping[str, str]) -> _Template:
        spec = self._spec(workload)
        if spec.template is None and spec.workload_ref is not None:
            spec = self._spec(_borrowed(workload, spec.workload_ref))
        if spec.template is None:
            raise RefusedError(f"{workload} has no pod template, so its pods cannot be tried out")
        template = spec.template
        metadata = msgspec.structs.replace(
            template.metadata, labels={**(template.metadata.labels or {}), **extra_labels}
        )
        claims = [claim.metadata.name for claim in spec.volume_claim_templates]
        return _Template(metadata=metadata, spec=_with_volumes(template.spec, claims))

    def _spec(self, workload: WorkloadRef) -> _WorkloadSpec:
        path = workload_path(workload)
        return decoded(self._api.get(path), _workload, path=path).spec


def _bare(labels: Mapping[str, str]) -> _Template:
    spec = {key: msgspec.Raw(msgspec.json.encode(value)) for key, value in _BARE_SPEC.items()}
    return _Template(metadata=Metadata(labels=labels), spec=spec)


def _borrowed(rollout: WorkloadRef, target: _Target) -> WorkloadRef:
    if target.kind != Kind.DEPLOYMENT:
        raise RefusedError(
            f"{rollout} takes its pod template from a {target.kind}, which cannot be tried out; "
            "a Deployment can"
        )
    return WorkloadRef(namespace=rollout.namespace, kind=Kind.DEPLOYMENT, name=target.name)


def _with_volumes(spec: _Spec, claims: list[str]) -> _Spec:
    """Put an empty volume in the place of each that a StatefulSet would claim."""
    if not claims:
        return spec
    # As the controller does it: a claim wins over a volume of the same name.
    kept = [
        volume
        for volume in _volumes.decode(spec.get("volumes", b"null")) or ()
        if _name.decode(volume).name not in claims
    ]
    made = [msgspec.Raw(msgspec.json.encode({"name": claim, "emptyDir": {}})) for claim in claims]
    return {**spec, "volumes": msgspec.Raw(msgspec.json.encode([*kept, *made]))}


def _pod(namespace: str, template: _Template) -> Mapping[str, object]:
    # A template copied from a running pod would otherwise claim an injection that did not happen.
    annotations = {
        key: value
        for key, value in (template.metadata.annotations or {}).items()
        if key != STATUS_ANNOTATION
    }
    content = msgspec.json.encode(template, order="sorted")
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{_PROBE}-{hashlib.sha256(content).hexdigest()[:10]}",
            "namespace": namespace,
            "labels": dict(template.metadata.labels or {}),
            "annotations": annotations,
        },
        "spec": template.spec,
    }


def _virtual_service(namespace: str) -> Mapping[str, object]:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": {"name": _PROBE, "namespace": namespace},
        "spec": {
            "hosts": [_HOST],
            "http": [{"route": [{"destination": {"host": _HOST}}]}],
        },
    }


def _revision_of(made: Metadata, *, namespace: str) -> str | None:
    annotations = made.annotations or {}
    if STATUS_ANNOTATION not in annotations:
        return None
    revision = _said(annotations[STATUS_ANNOTATION]) or annotations.get(REVISION_LABEL)
    if not revision:
        raise RefusedError(
            f"a pod made in namespace {namespace} would get a sidecar, but {STATUS_ANNOTATION} "
            "does not say of which revision; an injector older than this tool knows answers there"
        )
    return revision


def _said(status: str) -> str:
    try:
        return _status.decode(status).revision
    except msgspec.DecodeError:
        return ""
