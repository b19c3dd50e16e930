"""The kinds of objects that every cluster has, with the Kubernetes names of each."""

from typing import Final

from deployments.rehearsal.cluster.registry import Resource

PODS: Final = Resource(
    group="",
    plural="pods",
    version="v1",
    kind="Pod",
    singular="pod",
    short_names=("po",),
    subresources=(
        "status",
        "log",
        "exec",
        "attach",
        "portforward",
        "proxy",
        "eviction",
        "ephemeralcontainers",
        "binding",
        "resize",
    ),
    categories=("all",),
)
NAMESPACES: Final = Resource(
    group="",
    plural="namespaces",
    version="v1",
    kind="Namespace",
    singular="namespace",
    short_names=("ns",),
    is_deleted_together=False,
    namespaced=False,
    subresources=("status", "finalize"),
)
SERVICES: Final = Resource(
    group="",
    plural="services",
    version="v1",
    kind="Service",
    singular="service",
    short_names=("svc",),
    subresources=("status", "proxy"),
    categories=("all",),
)
ENDPOINTS: Final = Resource(
    group="",
    plural="endpoints",
    version="v1",
    kind="Endpoints",
    singular="endpoints",
    short_names=("ep",),
)
NODES: Final = Resource(
    group="",
    plural="nodes",
    version="v1",
    kind="Node",
    singular="node",
    short_names=("no",),
    namespaced=False,
    subresources=("status", "proxy"),
)
EVENTS: Final = Resource(
    group="", plural="events", version="v1", kind="Event", singular="event", short_names=("ev",)
)
SECRETS: Final = Resource(
    group="", plural="secrets", version="v1", kind="Secret", singular="secret"
)
CONFIGMAPS: Final = Resource(
    group="",
    plural="configmaps",
    version="v1",
    kind="ConfigMap",
    singular="configmap",
    short_names=("cm",),
)
SERVICEACCOUNTS: Final = Resource(
    group="",
    plural="serviceaccounts",
    version="v1",
    kind="ServiceAccount",
    singular="serviceaccount",
    short_names=("sa",),
    subresources=("token",),
)
QUOTAS: Final = Resource(
    group="",
    plural="resourcequotas",
    version="v1",
    kind="ResourceQuota",
    singular="resourcequota",
    short_names=("quota",),
    subresources=("status",),
)
LIMITRANGES: Final = Resource(
    group="",
    plural="limitranges",
    version="v1",
    kind="LimitRange",
    singular="limitrange",
    short_names=("limits",),
)
REPLICATIONCONTROLLERS: Final = Resource(
    group="",
    plural="replicationcontrollers",
    version="v1",
    kind="ReplicationController",
    singular="replicationcontroller",
    short_names=("rc",),
    subresources=("status", "scale"),
    categories=("all",),
)
PODTEMPLATES: Final = Resource(
    group="", plural="podtemplates", version="v1", kind="PodTemplate", singular="podtemplate"
)
PERSISTENTVOLUMES: Final = Resource(
    group="",
    plural="persistentvolumes",
    version="v1",
    kind="PersistentVolume",
    singular="persistentvolume",
    short_names=("pv",),
    namespaced=False,
    subresources=("status",),
)
PERSISTENTVOLUMECLAIMS: Final = Resource(
    group="",
    plural="persistentvolumeclaims",
    version="v1",
    kind="PersistentVolumeClaim",
    singular="persistentvolumeclaim",
    short_names=("pvc",),
    subresources=("status",),
)
DEPLOYMENTS: Final = Resource(
    group="apps",
    plural="deployments",
    version="v1",
    kind="Deployment",
    singular="deployment",
    short_names=("deploy",),
    subresources=("status", "scale"),
    categories=("all",),
)
REPLICASETS: Final = Resource(
    group="apps",
    plural="replicasets",
    version="v1",
    kind="ReplicaSet",
    singular="replicaset",
    short_names=("rs",),
    subresources=("status", "scale"),
    categories=("all",),
)
STATEFULSETS: Final = Resource(
    group="apps",
    plural="statefulsets",
    version="v1",
    kind="StatefulSet",
    singular="statefulset",
    short_names=("sts",),
    subresources=("status", "scale"),
    categories=("all",),
)
DAEMONSETS: Final = Resource(
    group="apps",
    plural="daemonsets",
    version="v1",
    kind="DaemonSet",
    singular="daemonset",
    short_names=("ds",),
    subresources=("status",),
    categories=("all",),
)
CONTROLLERREVISIONS: Final = Resource(
    group="apps",
    plural="controllerrevisions",
    version="v1",
    kind="ControllerRevision",
    singular="controllerrevision",
)
JOBS: Final = Resource(
    group="batch",
    plural="jobs",
    version="v1",
    kind="Job",
    singular="job",
    subresources=("status",),
    categories=("all",),
)
CRONJOBS: Final = Resource(
    group="batch",
    plural="cronjobs",
    version="v1",
    kind="CronJob",
    singular="cronjob",
    short_names=("cj",),
    subresources=("status",),
    categories=("all",),
)
HPAS: Final = Resource(
    group="autoscaling",
    plural="horizontalpodautoscalers",
    version="v2",
    kind="HorizontalPodAutoscaler",
    singular="horizontalpodautoscaler",
    short_names=("hpa",),
    subresources=("status",),
    categories=("all",),
    other_versions=("v1",),
)
PDBS: Final = Resource(
    group="policy",
    plural="poddisruptionbudgets",
    version="v1",
    kind="PodDisruptionBudget",
    singular="poddisruptionbudget",
    short_names=("pdb",),
    subresources=("status",),
)
ENDPOINTSLICES: Final = Resource(
    group="discovery.k8s.io",
    plural="endpointslices",
    version="v1",
    kind="EndpointSlice",
    singular="endpointslice",
)
LEASES: Final = Resource(
    group="coordination.k8s.io", plural="leases", version="v1", kind="Lease", singular="lease"
)
MUTATING_WEBHOOKS: Final = Resource(
    group="admissionregistration.k8s.io",
    plural="mutatingwebhookconfigurations",
    version="v1",
    kind="MutatingWebhookConfiguration",
    singular="mutatingwebhookconfiguration",
    namespaced=False,
    categories=("api-extensions",),
)
VALIDATING_WEBHOOKS: Final = Resource(
    group="admissionregistration.k8s.io",
    plural="validatingwebhookconfigurations",
    version="v1",
    kind="ValidatingWebhookConfiguration",
    singular="validatingwebhookconfiguration",
    namespaced=False,
    categories=("api-extensions",),
)
CRDS: Final = Resource(
    group="apiextensions.k8s.io",
    plural="customresourcedefinitions",
    version="v1",
    kind="CustomResourceDefinition",
    singular="customresourcedefinition",
    short_names=("crd", "crds"),
    namespaced=False,
    subresources=("status",),
    categories=("api-extensions",),
)
ROLES: Final = Resource(
    group="rbac.authorization.k8s.io", plural="roles", version="v1", kind="Role", singular="role"
)
ROLEBINDINGS: Final = Resource(
    group="rbac.authorization.k8s.io",
    plural="rolebindings",
    version="v1",
    kind="RoleBinding",
    singular="rolebinding",
)
CLUSTERROLES: Final = Resource(
    group="rbac.authorization.k8s.io",
    plural="clusterroles",
    version="v1",
    kind="ClusterRole",
    singular="clusterrole",
    namespaced=False,
)
CLUSTERROLEBINDINGS: Final = Resource(
    group="rbac.authorization.k8s.io",
    plural="clusterrolebindings",
    version="v1",
    kind="ClusterRoleBinding",
    singular="clusterrolebinding",
    namespaced=False,
)
NETWORKPOLICIES: Final = Resource(
    group="networking.k8s.io",
    plural="networkpolicies",
    version="v1",
    kind="NetworkPolicy",
    singular="networkpolicy",
    short_names=("netpol",),
)
INGRESSES: Final = Resource(
    group="networking.k8s.io",
    plural="ingresses",
    version="v1",
    kind="Ingress",
    singular="ingress",
    short_names=("ing",),
    subresources=("status",),
)
INGRESSCLASSES: Final = Resource(
    group="networking.k8s.io",
    plural="ingressclasses",
    version="v1",
    kind="IngressClass",
    singular="ingressclass",
    namespaced=False,
)
PRIORITYCLASSES: Final = Resource(
    group="scheduling.k8s.io",
    plural="priorityclasses",
    version="v1",
    kind="PriorityClass",
    singular="priorityclass",
    short_names=("pc",),
    namespaced=False,
)
STORAGECLASSES: Final = Resource(
    group="storage.k8s.io",
    plural="storageclasses",
    version="v1",
    kind="StorageClass",
    singular="storageclass",
    short_names=("sc",),
    namespaced=False,
)
RUNTIMECLASSES: Final = Resource(
    group="node.k8s.io",
    plural="runtimeclasses",
    version="v1",
    kind="RuntimeClass",
    singular="runtimeclass",
    namespaced=False,
)
APISERVICES: Final = Resource(
    group="apiregistration.k8s.io",
    plural="apiservices",
    version="v1",
    kind="APIService",
    singular="apiservice",
    namespaced=False,
    subresources=("status",),
    categories=("api-extensions",),
)

BUILT_IN: Final = (
    PODS,
    NAMESPACES,
    SERVICES,
    ENDPOINTS,
    NODES,
    EVENTS,
    SECRETS,
    CONFIGMAPS,
    SERVICEACCOUNTS,
    QUOTAS,
    LIMITRANGES,
    REPLICATIONCONTROLLERS,
    PODTEMPLATES,
    PERSISTENTVOLUMES,
    PERSISTENTVOLUMECLAIMS,
    DEPLOYMENTS,
    REPLICASETS,
    STATEFULSETS,
    DAEMONSETS,
    CONTROLLERREVISIONS,
    JOBS,
    CRONJOBS,
    HPAS,
    PDBS,
    ENDPOINTSLICES,
    LEASES,
    MUTATING_WEBHOOKS,
    VALIDATING_WEBHOOKS,
    CRDS,
    ROLES,
    ROLEBINDINGS,
    CLUSTERROLES,
    CLUSTERROLEBINDINGS,
    NETWORKPOLICIES,
    INGRESSES,
    INGRESSCLASSES,
    PRIORITYCLASSES,
    STORAGECLASSES,
    RUNTIMECLASSES,
    APISERVICES,
)
