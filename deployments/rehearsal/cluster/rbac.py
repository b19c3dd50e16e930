"""
Who may do what: Roles and ClusterRoles, given by bindings.

Aggregated ClusterRoles are put together when they are asked for; the real cluster has a controller
that writes their rules down. Nobody is kept from giving away rights that they do not have.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

from deployments.rehearsal.cluster.callers import MASTERS, Caller
from deployments.rehearsal.cluster.errors import ApiError
from deployments.rehearsal.cluster.objects import (
    Json,
    labels_of,
    namespace_of,
    object_in,
    objects_in,
)
from deployments.rehearsal.cluster.resources import (
    CLUSTERROLEBINDINGS,
    CLUSTERROLES,
    ROLEBINDINGS,
    ROLES,
)
from deployments.rehearsal.cluster.selectors import selects
from deployments.rehearsal.cluster.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What is to be done: a verb on a resource, or on a path that is none."""

    verb: str
    group: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""

    @property
    def whole_resource(self) -> str:
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource


class Rights:
    """What everybody may do in a cluster."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def allows(self, caller: Caller, attributes: Attributes) -> bool:
        if MASTERS in caller.groups:
            return True
        rules = self.rules(caller, attributes.namespace)
        return any(_covers(rule, attributes) for rule in rules)

    def check(self, caller: Caller, attributes: Attributes) -> None:
        """Refuse what is not allowed. Raises ApiError (403)."""
        if not self.allows(caller, attributes):
            raise _refusal(caller, attributes)

    def rules(self, caller: Caller, namespace: str) -> Iterator[Json]:
        """Yield all rules that hold for somebody in a namespace."""
        bindings = self._store.list(CLUSTERROLEBINDINGS)
        if namespace:
            bindings = bindings + self._store.list(ROLEBINDINGS, namespace)
        for binding in bindings:
            if any(_is_subject(one, caller, binding) for one in objects_in(binding, "subjects")):
                yield from self._rules_of(binding)

    def _rules_of(self, binding: Json) -> Iterator[Json]:
        reference = object_in(binding, "roleRef")
        name = str(reference.get("name", ""))
        if reference.get("kind") == "Role":
            role = self._store.get(ROLES, name, namespace_of(binding))
        else:
            role = self._store.get(CLUSTERROLES, name)
        if role is None:
            return
        yield from objects_in(role, "rules")
        for selector in objects_in(object_in(role, "aggregationRule"), "clusterRoleSelectors"):
            for other in self._store.list(CLUSTERROLES):
                if selects(selector, labels_of(other)):
                    yield from objects_in(other, "rules")


def _is_subject(subject: Json, caller: Caller, binding: Json) -> bool:
    name = str(subject.get("name", ""))
    match subject.get("kind"):
        case "User":
            return name == caller.name
        case "Group":
            return name in caller.groups
        case "ServiceAccount":
            namespace = subject.get("namespace") or namespace_of(binding)
            return caller.name == f"system:serviceaccount:{namespace}:{name}"
        case _:
            return False


def _covers(rule: Json, attributes: Attributes) -> bool:
    if not _has(rule, "verbs", attributes.verb):
        return False
    if attributes.path:
        return any(_is_path(one, attributes.path) for one in _listed(rule, "nonResourceURLs"))
    names = _listed(rule, "resourceNames")
    return (
        _has(rule, "apiGroups", attributes.group)
        and _covers_resource(_listed(rule, "resources"), attributes)
        and (not names or attributes.name in names)
    )


def _covers_resource(resources: Sequence[str], attributes: Attributes) -> bool:
    wanted = {"*", attributes.whole_resource}
    if attributes.subresource:
        wanted.add(f"*/{attributes.subresource}")
    return not wanted.isdisjoint(resources)


def _is_path(pattern: str, path: str) -> bool:
    return pattern == path or (pattern.endswith("*") and path.startswith(pattern[:-1]))


def _listed(rule: Json, field: str) -> Sequence[str]:
    return cast("Sequence[str]", rule.get(field) or ())


def _has(rule: Json, field: str, value: str) -> bool:
    return not {"*", value}.isdisjoint(_listed(rule, field))


def _refusal(caller: Caller, attributes: Attributes) -> ApiError:
    if attributes.path:
        text = f'forbidden: User "{caller.name}" cannot {attributes.verb} path "{attributes.path}"'
        return ApiError(403, "Forbidden", text, details={})
    where = f'in the namespace "{attributes.namespace}"' if attributes.namespace else _EVERYWHERE
    plural = attributes.resource + (f".{attributes.group}" if attributes.group else "")
    subject = f'{plural} "{attributes.name}"' if attributes.name else plural
    text = (
        f'{subject} is forbidden: User "{caller.name}" cannot {attributes.verb} resource '
        f'"{attributes.whole_resource}" in API group "{attributes.group}" {where}'
    )
    details: Json = {"name": attributes.name, "group": attributes.group}
    kept: dict[str, Any] = {key: value for key, value in details.items() if value}
    return ApiError(403, "Forbidden", text, details=kept | {"kind": attributes.resource})


_EVERYWHERE: Final = "at the cluster scope"
