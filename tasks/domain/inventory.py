"""
Everything read from a cluster at one moment that an upgrade depends on.

Values only: the adapters fill them in, the rest of the domain draws conclusions.
"""

import enum
from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from tasks.domain.injection import followed
from tasks.domain.revision import DEFAULT, INJECT_LABEL, Version


class Kind(enum.StrEnum):
    """The kinds of object that own pods, as Kubernetes spells them."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    DAEMON_SET = "DaemonSet"
    ROLLOUT = "Rollout"
    REPLICA_SET = "ReplicaSet"
    JOB = "Job"
    POD = "Pod"
    OTHER = "Other"


# What a run restarts; the other kinds are reported.
MOVABLE = frozenset({Kind.DEPLOYMENT, Kind.STATEFUL_SET, Kind.DAEMON_SET, Kind.ROLLOUT})


class WorkloadRef(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Names one workload."""

    namespace: str
    kind: Kind
    name: str

    def __str__(self) -> str:
        """Return `shop/Deployment/cart`."""
        return f"{self.namespace}/{self.kind}/{self.name}"


class IstiodPod(msgspec.Struct, frozen=True, kw_only=True):
    """One pod of a control plane."""

    name: str
    namespace: str
    revision: str
    ready: bool
    started_at: datetime | None  # of the container that runs now; None while it does not


class ControlPlane(msgspec.Struct, frozen=True, kw_only=True):
    """One istiod Deployment, which is one revision."""

    revision: str
    namespace: str
    deployment: str
    version: str | None  # None when the image tag and istiod's own answer say nothing readable
    replicas: int
    ready_replicas: int
    service: str
    ready_endpoints: int | None  # None when they could not be read
    pods: tuple[IstiodPod, ...] = ()
    mesh_config: str | None = None  # YAML of ConfigMap istio[-REVISION], key `mesh`
    values: str | None = None  # JSON of ConfigMap values[-REVISION], key `merged-values`
    root_certificate: str | None = None  # PEM that this control plane hands out; None if unread

    @property
    def is_healthy(self) -> bool:
        """Whether every replica asked for is ready, at least one is, and the Service reaches it."""
        return 0 < self.replicas <= self.ready_replicas and bool(self.ready_endpoints)


class WebhookKind(enum.StrEnum):
    """The two kinds of admission webhook configuration."""

    MUTATING = "MutatingWebhookConfiguration"
    VALIDATING = "ValidatingWebhookConfiguration"


class Webhook(msgspec.Struct, frozen=True, kw_only=True):
    """One of Istio's webhook configurations, all entries of which call one Service."""

    kind: WebhookKind
    name: str
    revision: str | None  # label istio.io/rev
    tag: str | None  # label istio.io/tag
    services: tuple[str, ...]  # `namespace/name` of each distinct Service called
    has_ca_bundle: bool  # every entry has one
    is_deactivated: bool = False  # `tag set default` shut it with never-match selectors
    component: str | None = None  # label operator.istio.io/component
    version: str = ""  # resourceVersion


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    """A revision tag, `default` included."""

    name: str
    revision: str  # label istio.io/rev of its webhook configuration
    service: str | None  # `namespace/name` of the Service that its webhooks really call


class Namespace(msgspec.Struct, frozen=True, kw_only=True):
    """A namespace, as far as injection goes."""

    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str] = {}
    is_terminating: bool = False
    version: str = ""  # resourceVersion


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """Something that owns pods."""

    ref: WorkloadRef
    uid: str
    replicas: int  # wanted; for a DaemonSet the nodes that it should run on
    ready: int
    template_labels: Mapping[str, str] = {}
    template_annotations: Mapping[str, str] = {}
    strategy: str = "RollingUpdate"  # or Recreate, OnDelete
    partition: int = 0
    is_paused: bool = False
    is_host_network: bool = False
    owner: str | None = None  # `Kind/name` of a controller that is not Kubernetes' own
    generation: int = 0
    observed_generation: int = 0
    failure: str | None = None  # Progressing=False or ReplicaFailure=True: its message
    is_stalled: bool = False  # Progressing=False: Kubernetes itself has given up


class Pod(msgspec.Struct, frozen=True, kw_only=True):
    """One pod and what its marks say of its proxy."""

    namespace: str
    name: str
    uid: str
    labels: Mapping[str, str] = {}
    revision: str | None = None  # resolved revision of its proxy; None: no proxy
    workload: WorkloadRef | None = None  # top owner; a bare pod names itself
    phase: str = "Running"
    is_ready: bool = False
    is_terminating: bool = False
    is_host_network: bool = False
    is_gateway: bool = False  # its proxy is the workload: injected or Gateway API gateway, waypoint
    failure: str | None = None  # why a container waits, e.g. `CrashLoopBackOff: back-off 10s ...`

    @property
    def is_over(self) -> bool:
        """Whether it has run to its end: such a pod keeps no revision in use."""
        return self.phase in {"Succeeded", "Failed"}

    @property
    def proxy(self) -> str:
        """Its proxy's name in istiod's own reports."""
        return f"{self.name}.{self.namespace}"


class Gateway(msgspec.Struct, frozen=True, kw_only=True):
    """A Gateway API gateway or waypoint, which Istio deploys by itself."""

    namespace: str
    name: str
    labels: Mapping[str, str] = {}


class DisruptionBudget(msgspec.Struct, frozen=True, kw_only=True):
    """A PodDisruptionBudget."""

    namespace: str
    name: str
    disruptions_allowed: int
    expected_pods: int


class LabelledConfig(msgspec.Struct, frozen=True, kw_only=True):
    """An Istio custom resource that only one revision sees, by its `istio.io/rev` label."""

    kind: str
    namespace: str
    name: str
    revision: str


class XdsState(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind of configuration stands between istiod and a proxy: two nonces."""

    sent: str = ""
    acked: str = ""
    error: str | None = None


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """One row of an istiod's /debug/syncz."""

    name: str  # `pod.namespace`
    istiod: str
    revision: str  # of that istiod
    type: str = "sidecar"  # sidecar, router, waypoint, ztunnel
    version: str = ""
    states: Mapping[str, XdsState] = {}  # by short type: CDS, LDS, EDS, RDS, ECDS, ...


class IstiodReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one istiod pod said of its proxies, or why it said nothing."""

    istiod: IstiodPod
    proxies: tuple[Proxy, ...] | None  # None: could not be read
    problem: str | None = None


class Unread(msgspec.Struct, frozen=True, kw_only=True):
    """A source that could not be read. It counts as unsafe wherever it is needed."""

    what: str
    why: str


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """The cluster at one moment."""

    read_at: datetime  # by the API server's clock
    istio_namespace: str = "istio-system"
    kubernetes: str = ""  # e.g. `v1.34.4`
    control_planes: tuple[ControlPlane, ...] = ()
    webhooks: tuple[Webhook, ...] = ()
    tags: tuple[Tag, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    workloads: tuple[Workload, ...] = ()
    pods: tuple[Pod, ...] = ()
    gateways: tuple[Gateway, ...] = ()
    budgets: tuple[DisruptionBudget, ...] = ()
    labelled_configs: tuple[LabelledConfig, ...] = ()
    unread: tuple[Unread, ...] = ()

    def control_plane(self, revision: str) -> ControlPlane | None:
        """Return the control plane of a revision, or None."""
        return next((one for one in self.control_planes if one.revision == revision), None)

    def is_istiod(self, ref: WorkloadRef) -> bool:
        """Whether a workload is a control plane: it bears its own revision's label."""
        return ref.kind is Kind.DEPLOYMENT and any(
            (ref.namespace, ref.name) == (one.namespace, one.deployment)
            for one in self.control_planes
        )

    def namespace(self, name: str) -> Namespace | None:
        """Return a namespace by name, or None."""
        return next((one for one in self.namespaces if one.name == name), None)

    def resolve(self, name: str | None) -> str | None:
        """Return the revision behind a tag or revision name; None for a name that is neither."""
        if name is None:
            return None
        for tag in self.tags:
            if tag.name == name:
                return tag.revision
        return name if self.control_plane(name) else None

    @property
    def default_revision(self) -> str | None:
        """The revision that the default tag points to, or an istiod that calls itself so."""
        return self.resolve(DEFAULT)

    def effective_revision(
        self, namespace: Namespace, template: Mapping[str, str] | None = None
    ) -> str | None:
        """Return the revision that would inject a pod made here now, None for nobody."""
        return self.resolve(followed(namespace.labels, template or {}))


def istio_version(plane: ControlPlane) -> Version | None:
    """Return a control plane's version as a value, None when it is not known."""
    return None if plane.version is None else Version.parse(plane.version)


def is_injectable(workload: Workload) -> bool:
    """Whether a webhook could give the workload's pods a sidecar at all."""
    return (
        not workload.is_host_network
        and workload.template_labels.get(INJECT_LABEL) != "false"
        and workload.template_annotations.get(INJECT_LABEL) != "false"
    )


def pods_by_workload(pods: Iterable[Pod]) -> dict[WorkloadRef, list[Pod]]:
    """Group live pods under their top owner; those that ran to their end are left out."""
    grouped: dict[WorkloadRef, list[Pod]] = {}
    for pod in pods:
        if pod.workload is not None and not pod.is_over:
            grouped.setdefault(pod.workload, []).append(pod)
    return grouped
