"""
Kubernetes' objects, reduced to the fields that an upgrade looks at.

Shapes only, for msgspec to decode into: everything else in an answer is skipped unread, which is
what makes ten thousand pods cheap. What they mean is said elsewhere.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

NO_LABELS: Final[Mapping[str, str]] = {}


class Shape(msgspec.Struct, frozen=True, rename="camel"):
    """Base: Kubernetes writes camelCase, and leaves out or nulls what is empty."""


class OwnerReference(Shape, frozen=True):
    kind: str = ""
    name: str = ""
    api_version: str = ""
    controller: bool | None = None

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]


class Meta(Shape, frozen=True):
    name: str = ""
    namespace: str = ""
    uid: str = ""
    labels: dict[str, str] | None = None
    resource_version: str = ""
    generation: int = 0
    deletion_timestamp: str | None = None
    owner_references: tuple[OwnerReference, ...] | None = None

    @property
    def labels_or_none(self) -> Mapping[str, str]:
        return self.labels or NO_LABELS

    @property
    def controller(self) -> OwnerReference | None:
        return next((one for one in self.owner_references or () if one.controller), None)


class Object(Shape, frozen=True):
    """Anything of which only the metadata counts."""

    metadata: Meta = Meta()


class AnnotatedMeta(Meta, frozen=True):
    annotations: dict[str, str] | None = None


class PodAnnotations(Shape, frozen=True):
    """Istio's marks on a pod; the others would only cost memory."""

    status: str | None = msgspec.field(default=None, name="sidecar.istio.io/status")
    revision: str | None = msgspec.field(default=None, name="istio.io/rev")
    templates: str | None = msgspec.field(default=None, name="inject.istio.io/templates")


class PodMeta(Meta, frozen=True):
    annotations: PodAnnotations | None = None


class Container(Shape, frozen=True):
    name: str = ""
    image: str = ""


class PodSpec(Shape, frozen=True):
    host_network: bool = False
    containers: tuple[Container, ...] | None = None
    init_containers: tuple[Container, ...] | None = None

    @property
    def container_names(self) -> frozenset[str]:
        everything = (*(self.containers or ()), *(self.init_containers or ()))
        return frozenset(one.name for one in everything)


class Waiting(Shape, frozen=True):
    reason: str = ""
    message: str = ""


class Running(Shape, frozen=True):
    started_at: str | None = None


class ContainerState(Shape, frozen=True):
    waiting: Waiting | None = None
    running: Running | None = None


class ContainerStatus(Shape, frozen=True):
    name: str = ""
    state: ContainerState = ContainerState()


class Condition(Shape, frozen=True):
    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""


class PodStatus(Shape, frozen=True):
    phase: str = "Unknown"
    reason: str = ""
    message: str = ""
    conditions: tuple[Condition, ...] | None = None
    container_statuses: tuple[ContainerStatus, ...] | None = None
    init_container_statuses: tuple[ContainerStatus, ...] | None = None


class PodObject(Shape, frozen=True):
    metadata: PodMeta = PodMeta()
    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class Template(Shape, frozen=True):
    metadata: AnnotatedMeta = AnnotatedMeta()
    spec: PodSpec = PodSpec()


class RollingUpdate(Shape, frozen=True):
    partition: int | None = None


class Strategy(Shape, frozen=True):
    type: str = ""
    rolling_update: RollingUpdate | None = None


class WorkloadSpec(Shape, frozen=True):
    """Of every kind of workload: fields that a kind does not have keep their defaults."""

    replicas: int | None = None
    template: Template = Template()
    paused: bool = False
    strategy: Strategy | None = None
    update_strategy: Strategy | None = None


class WorkloadStatus(Shape, frozen=True):
    ready_replicas: int = 0
    desired_number_scheduled: int = 0
    number_ready: int = 0
    observed_generation: int | str = 0  # Argo writes it as a string
    conditions: tuple[Condition, ...] | None = None


class WorkloadObject(Shape, frozen=True):
    metadata: Meta = Meta()
    spec: WorkloadSpec = WorkloadSpec()
    status: WorkloadStatus = WorkloadStatus()


class NamespaceStatus(Shape, frozen=True):
    phase: str = ""


class NamespaceObject(Shape, frozen=True):
    metadata: AnnotatedMeta = AnnotatedMeta()
    status: NamespaceStatus = NamespaceStatus()


class Selector(Shape, frozen=True):
    match_labels: dict[str, str] | None = None


class ServiceReference(Shape, frozen=True):
    namespace: str = ""
    name: str = ""


class ClientConfig(Shape, frozen=True):
    service: ServiceReference | None = None
    ca_bundle: str | None = None


class WebhookEntry(Shape, frozen=True):
    name: str = ""
    client_config: ClientConfig = ClientConfig()
    namespace_selector: Selector | None = None
    object_selector: Selector | None = None


class WebhookObject(Shape, frozen=True):
    metadata: Meta = Meta()
    webhooks: tuple[WebhookEntry, ...] | None = None


class EndpointConditions(Shape, frozen=True):
    ready: bool | None = None


class TargetReference(Shape, frozen=True):
    name: str = ""


class Endpoint(Shape, frozen=True):
    addresses: tuple[str, ...] | None = None
    conditions: EndpointConditions = EndpointConditions()
    target_ref: TargetReference | None = None


class EndpointSliceObject(Shape, frozen=True):
    metadata: Meta = Meta()
    endpoints: tuple[Endpoint, ...] | None = None


class ConfigMapObject(Shape, frozen=True):
    data: dict[str, str] | None = None


class BudgetStatus(Shape, frozen=True):
    disruptions_allowed: int = 0
    expected_pods: int = 0


class BudgetObject(Shape, frozen=True):
    metadata: Meta = Meta()
    status: BudgetStatus = BudgetStatus()


class GatewaySpec(Shape, frozen=True):
    gateway_class_name: str = ""
    controller_name: str = ""  # of a GatewayClass


class GatewayObject(Shape, frozen=True):
    """A Gateway or a GatewayClass of the Gateway API."""

    metadata: Meta = Meta()
    spec: GatewaySpec = GatewaySpec()


class Series(Shape, frozen=True):
    count: int = 0
    last_observed_time: str | None = None


class InvolvedObject(Shape, frozen=True):
    kind: str = ""
    name: str = ""


class EventMeta(Shape, frozen=True):
    creation_timestamp: str | None = None


class EventObject(Shape, frozen=True):
    metadata: EventMeta = EventMeta()
    involved_object: InvolvedObject = InvolvedObject()
    type: str = ""
    reason: str = ""
    message: str = ""
    count: int | None = None
    last_timestamp: str | None = None
    event_time: str | None = None
    series: Series | None = None


class VersionObject(Shape, frozen=True):
    git_version: str = ""
