"""
The cluster as an upgrade sees it: an inventory, read side by side, and live pictures.

Changes nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Final

import msgspec

from tasks.adapters.cluster_control_planes import (
    APP_LABEL,
    Texts,
    control_plane_of,
    revision_of,
    suffix_of,
    tags_of,
    webhooks_of,
)
from tasks.adapters.cluster_events import sentences
from tasks.adapters.cluster_objects import (
    BudgetObject,
    EndpointSliceObject,
    EventObject,
    GatewayObject,
    NamespaceObject,
    PodObject,
    VersionObject,
    WebhookObject,
    WorkloadObject,
)
from tasks.adapters.cluster_sources import Sources
from tasks.adapters.cluster_workloads import LISTED, PATHS, Owners, workloads_of
from tasks.adapters.kubernetes_api import Api, Missing, decoded, segment
from tasks.adapters.ports import NamespaceState
from tasks.adapters.watching import Watching
from tasks.domain.errors import RefusedError
from tasks.domain.inventory import (
    ControlPlane,
    DisruptionBudget,
    Gateway,
    Inventory,
    Kind,
    Namespace,
    Pod,
    Webhook,
    WebhookKind,
    Workload,
    WorkloadRef,
)

_SIDE_BY_SIDE: Final = 8
_ADMISSION: Final = "/apis/admissionregistration.k8s.io/v1"
_GATEWAYS: Final = "/apis/gateway.networking.k8s.io/v1"
_NAMESPACE: Final = msgspec.json.Decoder(NamespaceObject)
_VERSION: Final = msgspec.json.Decoder(VersionObject)


class KubernetesCluster:
    """A `Cluster` behind a Kubernetes API server."""

    def __init__(self, api: Api, *, istio_namespace: str = "istio-system") -> None:
        self._api = api
        self._istio_namespace = istio_namespace

    def read(self) -> Inventory:
        """Read everything; `unread` names what could not be. Raises if nobody answers at all."""
        kubernetes = decoded(self._api.get("/version"), _VERSION, path="/version").git_version
        # The oldest moment that this can speak of: an age is rather taken too young than too old.
        read_at = self._api.server_time
        executor = ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="inventory")
        try:
            sources = Sources(self._api, executor)
            return _Reading(sources, self._istio_namespace).inventory(kubernetes, read_at)
        finally:
            executor.shutdown(cancel_futures=True)

    def control_planes(self) -> Sequence[ControlPlane]:
        where = f"/namespaces/{segment(self._istio_namespace)}"
        chosen = {"labelSelector": f"{APP_LABEL}=istiod"}
        planes = self._api.items(f"/apis/apps/v1{where}/deployments", chosen, WorkloadObject)
        pods = self._api.items(f"/api/v1{where}/pods", chosen, PodObject)
        return [
            control_plane_of(one, pods=pods, webhooks=(), slices=None, texts=Texts())
            for one in planes
        ]

    def namespace(self, name: str) -> Namespace:
        path = f"/api/v1/namespaces/{segment(name)}"
        try:
            return _namespace(decoded(self._api.get(path), _NAMESPACE, path=path))
        except Missing as error:
            raise RefusedError(f"there is no namespace {name!r}") from error

    def watching(self, namespaces: Collection[str]) -> AbstractContextManager[NamespaceState]:
        return Watching(self._api, namespaces)

    def events(self, workload: WorkloadRef) -> Sequence[str]:
        path = f"/api/v1/namespaces/{segment(workload.namespace)}/events"
        found = self._api.items(path, {"fieldSelector": "type=Warning"}, EventObject)
        return sentences(workload, found)


class _Reading:
    """One reading: every list asked for at once, then put together."""

    def __init__(self, sources: Sources, istio_namespace: str) -> None:
        self._sources = sources
        self._istio_namespace = segment(istio_namespace)
        of_istio = f"/namespaces/{self._istio_namespace}"
        ask = sources.items
        # The longest list first.
        self._pods = ask("pods", "/api/v1/pods", PodObject)
        self._workloads: Mapping[Kind, Future[list[WorkloadObject] | None]] = {
            kind: ask(f"{kind}s", PATHS[kind], WorkloadObject) for kind in LISTED
        }
        self._namespaces = ask("namespaces", "/api/v1/namespaces", NamespaceObject)
        self._webhooks: Mapping[WebhookKind, Future[list[WebhookObject] | None]] = {
            kind: ask(f"{kind}s", f"{_ADMISSION}/{kind.lower()}s", WebhookObject)
            for kind in WebhookKind
        }
        self._slices = ask(
            f"EndpointSlices of {istio_namespace}",
            f"/apis/discovery.k8s.io/v1{of_istio}/endpointslices",
            EndpointSliceObject,
        )
        self._budgets = ask(
            "PodDisruptionBudgets", "/apis/policy/v1/poddisruptionbudgets", BudgetObject
        )
        self._gateways = ask("Gateways", f"{_GATEWAYS}/gateways", GatewayObject)
        self._classes = ask("GatewayClasses", f"{_GATEWAYS}/gatewayclasses", GatewayObject)
        self._configs = sources.labelled_configs()

    def inventory(self, kubernetes: str, read_at: datetime) -> Inventory:
        webhooks = [
            hook
            for kind, found in self._webhooks.items()
            for hook in webhooks_of(kind, found.result() or ())
        ]
        workloads = [
            one
            for kind, found in self._workloads.items()
            for one in workloads_of(kind, found.result() or ())
        ]
        planes = self._control_planes(webhooks)
        return Inventory(
            read_at=read_at,
            istio_namespace=self._istio_namespace,
            kubernetes=kubernetes,
            control_planes=tuple(planes),
            webhooks=tuple(webhooks),
            tags=tuple(tags_of(webhooks)),
            namespaces=tuple(_namespace(one) for one in self._namespaces.result() or ()),
            workloads=tuple(workloads),
            pods=tuple(self._pods_of(workloads)),
            gateways=tuple(self._istios_gateways()),
            budgets=tuple(_budget(one) for one in self._budgets.result() or ()),
            labelled_configs=tuple(self._configs.result() or ()),
            unread=self._sources.unread(),
        )

    def _pods_of(self, workloads: Sequence[Workload]) -> list[Pod]:
        replica_sets = self._workloads[Kind.REPLICA_SET].result() or ()
        return Owners(replica_sets, (one.ref for one in workloads)).pods(self._pods.result() or ())

    def _control_planes(self, webhooks: Sequence[Webhook]) -> list[ControlPlane]:
        istiods = [
            one
            for one in self._workloads[Kind.DEPLOYMENT].result() or ()
            if one.metadata.namespace == self._istio_namespace
            and one.metadata.labels_or_none.get(APP_LABEL) == "istiod"
        ]
        texts = self._texts([revision_of(one.metadata) for one in istiods])
        return [
            control_plane_of(
                one,
                pods=self._pods.result() or (),
                webhooks=webhooks,
                slices=self._slices.result(),
                texts=texts[revision_of(one.metadata)],
            )
            for one in istiods
        ]

    def _texts(self, revisions: Sequence[str]) -> Mapping[str, Texts]:
        where, text = self._istio_namespace, self._sources.text
        root = text(where, "istio-ca-root-cert", "root-cert.pem")
        asked = {
            revision: (
                text(where, f"istio{suffix_of(revision)}", "mesh"),
                text(where, f"values{suffix_of(revision)}", "merged-values"),
            )
            for revision in revisions
        }
        return {
            revision: Texts(
                mesh_config=mesh.result(), values=values.result(), root_certificate=root.result()
            )
            for revision, (mesh, values) in asked.items()
        }

    def _istios_gateways(self) -> list[Gateway]:
        """Return the Gateways that Istio deploys; those whose class is unknown count as Istio's."""
        others = {
            one.metadata.name
            for one in self._classes.result() or ()
            if not one.spec.controller_name.startswith("istio.io/")
        }
        return [
            Gateway(
                namespace=one.metadata.namespace,
                name=one.metadata.name,
                labels=one.metadata.labels_or_none,
            )
            for one in self._gateways.result() or ()
            if one.spec.gateway_class_name not in others
        ]


def _namespace(found: NamespaceObject) -> Namespace:
    meta = found.metadata
    return Namespace(
        name=meta.name,
        labels=meta.labels_or_none,
        annotations=meta.annotations or {},
        is_terminating=meta.deletion_timestamp is not None or found.status.phase == "Terminating",
        version=meta.resource_version,
    )


def _budget(found: BudgetObject) -> DisruptionBudget:
    return DisruptionBudget(
        namespace=found.metadata.namespace,
        name=found.metadata.name,
        disruptions_allowed=found.status.disruptions_allowed,
        expected_pods=found.status.expected_pods,
    )
