"""
Istio's cluster-wide objects: who injects and validates for the default revision and for tags.

Istio's own tools move them forward. Here they are recorded before that, put back on the way back,
and looked for after an uninstall. Which object points where is judged by the Service that it calls,
not by its labels alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from tasks.adapters.kubernetes_api import Api, Missing, decoded
from tasks.adapters.kubernetes_names import segment
from tasks.adapters.kubernetes_objects import MERGE_PATCH, core_path, group_path
from tasks.adapters.webhook_objects import (
    SERVICE,
    Object,
    ca_bundles,
    difference,
    made_anew,
    with_ca_bundles,
)
from tasks.domain.errors import BadInputError
from tasks.domain.inventory import WebhookKind
from tasks.domain.revision import (
    COMPONENT_LABEL,
    DEFAULT,
    REVISION_LABEL,
    TAG_LABEL,
    is_dns_label,
)
from tasks.domain.snapshot import ObjectSnapshot

_ADMISSION: Final = "/apis/admissionregistration.k8s.io/v1"
_RBAC: Final = "rbac.authorization.k8s.io/v1"
_PLURALS: Final[Mapping[str, str]] = {
    WebhookKind.MUTATING: "mutatingwebhookconfigurations",
    WebhookKind.VALIDATING: "validatingwebhookconfigurations",
}
_DEFAULT_VALIDATOR: Final = "istiod-default-validator"
_UNREVISIONED_INJECTOR: Final = "istio-sidecar-injector"
_LEASES: Final = ("istio-gateway-deployment", "istio-gateway-status-leader")

_object: Final = msgspec.json.Decoder(Object)


class KubernetesWebhooks:
    """`Webhooks` by way of the API server."""

    def __init__(self, api: Api, *, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    def snapshot(self, revision: str) -> Sequence[ObjectSnapshot]:
        """Return all webhook configurations and tag Services that moving off a revision alters."""
        everything = self._configurations()
        tags = [
            one
            for one in everything
            if TAG_LABEL in one.labels
            and one.name != _DEFAULT_VALIDATOR
            and self._names(one, revision)
        ]
        names = {one.labels[TAG_LABEL] for one in tags}
        found = list(tags)
        if not any(one.labels.get(TAG_LABEL) == DEFAULT for one in everything):
            found.append(self._missing_default_tag())
            names.add(DEFAULT)
        if DEFAULT in names or revision == DEFAULT:
            found += _moved_with_the_default(everything)
        return [*found, *(self._tag_service(name) for name in sorted(names))]

    def restore(self, snapshots: Sequence[ObjectSnapshot]) -> None:
        """Write the recorded state back where it differs; make again what is gone."""
        bundles = self._bundles_of_today()
        for snapshot in snapshots:
            if snapshot.exists:
                self._put_back(snapshot, bundles)
            else:
                self._remove(_path(snapshot))

    def leftovers(self, revision: str) -> Sequence[str]:
        """Return `Kind/name` of every object that still names a revision after its uninstall."""
        names = {
            f"{one.kind}/{one.name}" for one in self._configurations() if self._names(one, revision)
        }
        # What all revisions share carries the newest one's label, and stays.
        own = f"{REVISION_LABEL}={_checked(revision)},{COMPONENT_LABEL}!=Base"
        query = {"labelSelector": own}
        for kind, path in self._labelled_kinds():
            names |= {f"{kind}/{one.metadata.name}" for one in self._api.items(path, query, Object)}
        return sorted(names)

    def delete_leases(self, revision: str) -> None:
        """Delete the two leader election Leases that an uninstall leaves behind."""
        if _checked(revision) == DEFAULT:
            return
        for stem in _LEASES:
            path = group_path("coordination.k8s.io/v1", self._namespace, "leases")
            self._remove(f"{path}/{stem}-{revision}")

    def _configurations(self) -> list[ObjectSnapshot]:
        return [
            one.snapshot(kind)
            for kind, plural in _PLURALS.items()
            for one in self._api.items(f"{_ADMISSION}/{plural}", {}, Object)
        ]

    def _names(self, configuration: ObjectSnapshot, revision: str) -> bool:
        """Whether a configuration is labelled with the revision or calls its Service."""
        return configuration.labels.get(REVISION_LABEL) == _checked(revision) or self._service(
            revision
        ) in ca_bundles(configuration)

    def _service(self, revision: str) -> str:
        name = "istiod" if revision == DEFAULT else f"istiod-{revision}"
        return f"{self._namespace}/{name}"

    def _tag_service(self, tag: str) -> ObjectSnapshot:
        name = f"istiod-revision-tag-{tag}"
        path = core_path(self._namespace, "services", name)
        found = self._api.get_or_none(path)
        if found is None:
            return ObjectSnapshot(kind=SERVICE, name=name, namespace=self._namespace, exists=False)
        return decoded(found, _object, path=path).snapshot(SERVICE)

    def _missing_default_tag(self) -> ObjectSnapshot:
        suffix = "" if self._namespace == "istio-system" else f"-{self._namespace}"
        name = f"istio-revision-tag-{DEFAULT}{suffix}"
        return ObjectSnapshot(kind=WebhookKind.MUTATING, name=name, exists=False)

    def _bundles_of_today(self) -> Mapping[str, str]:
        """Return the CA bundle that each istiod wrote into its own injector's configuration."""
        return {
            service: bundle
            for one in self._configurations()
            if one.kind == WebhookKind.MUTATING and TAG_LABEL not in one.labels
            for service, bundle in ca_bundles(one).items()
            if bundle
        }

    def _put_back(self, snapshot: ObjectSnapshot, bundles: Mapping[str, str]) -> None:
        path = _path(snapshot)
        wanted = snapshot if snapshot.kind == SERVICE else with_ca_bundles(snapshot, bundles)
        found = self._api.get_or_none(path)
        if found is None:
            body = msgspec.json.encode(made_anew(wanted))
            self._api.write("POST", path.rpartition("/")[0], body)
            return
        current = decoded(found, _object, path=path).snapshot(snapshot.kind)
        if patch := difference(current, wanted):
            body = msgspec.json.encode(patch)
            self._api.write("PATCH", path, body, content_type=MERGE_PATCH)

    def _remove(self, path: str) -> None:
        if self._api.get_or_none(path) is None:
            return
        try:
            self._api.write("DELETE", path, None)
        except Missing:
            return

    def _labelled_kinds(self) -> Iterator[tuple[str, str]]:
        yield "ClusterRole", f"/apis/{_RBAC}/clusterroles"
        yield "ClusterRoleBinding", f"/apis/{_RBAC}/clusterrolebindings"
        yield "Service", core_path(self._namespace, "services")
        yield "ServiceAccount", core_path(self._namespace, "serviceaccounts")
        yield "ConfigMap", core_path(self._namespace, "configmaps")
        for kind, group_version, plural in (
            ("Deployment", "apps/v1", "deployments"),
            ("Role", _RBAC, "roles"),
            ("RoleBinding", _RBAC, "rolebindings"),
            ("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets"),
            ("HorizontalPodAutoscaler", "autoscaling/v2", "horizontalpodautoscalers"),
        ):
            yield kind, group_path(group_version, self._namespace, plural)


def _checked(revision: str) -> str:
    # It becomes part of a label selector, where a comma would ask for something else.
    if not is_dns_label(revision):
        raise BadInputError(
            f"{revision[:80]!r} is no revision: lower-case letters, digits and '-', 63 at most"
        )
    return revision


def _moved_with_the_default(everything: Sequence[ObjectSnapshot]) -> Iterator[ObjectSnapshot]:
    """Yield what `tag set default` alters beside the tag itself."""
    yield next(
        (one for one in everything if one.name == _DEFAULT_VALIDATOR),
        ObjectSnapshot(kind=WebhookKind.VALIDATING, name=_DEFAULT_VALIDATOR, exists=False),
    )
    for one in everything:
        # It is shut with never-match selectors, which nothing of Istio's takes out again.
        if one.kind == WebhookKind.MUTATING and one.name == _UNREVISIONED_INJECTOR:
            yield one


def _path(snapshot: ObjectSnapshot) -> str:
    if snapshot.kind == SERVICE:
        return core_path(snapshot.namespace, "services", snapshot.name)
    return f"{_ADMISSION}/{_PLURALS[snapshot.kind]}/{segment(snapshot.name)}"
