"""Which webhooks are to hear of a request: rules, and selectors on the namespace and the object."""

from collections.abc import Iterator
from typing import Final, cast

from deployments.rehearsal.cluster.asking import Asked, Operation
from deployments.rehearsal.cluster.objects import Json, labels_of, name_of
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.resources import (
    MUTATING_WEBHOOKS,
    NAMESPACES,
    VALIDATING_WEBHOOKS,
)
from deployments.rehearsal.cluster.selectors import selects
from deployments.rehearsal.cluster.store import Store

# A webhook can never keep people from repairing webhooks.
_EXEMPT: Final = frozenset({MUTATING_WEBHOOKS, VALIDATING_WEBHOOKS})


def interested(
    store: Store, kind: Resource, asked: Asked, operation: Operation, objects: list[Json]
) -> Iterator[Json]:
    """Yield the webhooks that want a request, by configuration name and then as they are written."""
    if asked.resource in _EXEMPT:
        return
    for configuration in store.list(kind):
        for webhook in cast("list[Json]", configuration.get("webhooks") or []):
            if (
                any(_rule_matches(rule, asked, operation) for rule in webhook.get("rules") or ())
                and _namespace_matches(store, webhook, asked, objects)
                and any(selects(webhook.get("objectSelector", {}), labels_of(o)) for o in objects)
            ):
                yield webhook


def _rule_matches(rule: Json, asked: Asked, operation: Operation) -> bool:
    resource = asked.resource
    scope = "Namespaced" if resource.namespaced else "Cluster"
    return (
        _names(rule.get("operations"), operation)
        and _names(rule.get("apiGroups"), resource.group)
        and any(_names(rule.get("apiVersions"), version) for version in resource.versions)
        and any(_is_resource(one, asked) for one in rule.get("resources") or ())
        and rule.get("scope", "*") in {"*", scope}
    )


def _names(names: list[str] | None, one: str) -> bool:
    return names is not None and ("*" in names or one in names)


def _is_resource(pattern: str, asked: Asked) -> bool:
    plural, _, subresource = pattern.partition("/")
    return plural in {"*", asked.resource.plural} and (subresource in {asked.subresource, "*"})


def _namespace_matches(store: Store, webhook: Json, asked: Asked, objects: list[Json]) -> bool:
    selector: Json = webhook.get("namespaceSelector", {})
    if asked.resource == NAMESPACES:
        return selects(selector, labels_of(objects[0])) or not name_of(objects[0])
    if not asked.resource.namespaced:
        return True
    namespace = store.get(NAMESPACES, asked.namespace)
    return namespace is not None and selects(selector, labels_of(namespace))
