"""
Objects by their labels, without looking at all of them.

For each label there is the set of objects that bear it; a selector starts from the smallest of the
sets that it names. With ten thousand pods in a namespace the alternative is a hundred million
comparisons for one rollout.
"""

from collections.abc import Iterator, Mapping
from typing import cast

from deployments.rehearsal.cluster.controllers.queueing import Key
from deployments.rehearsal.cluster.controllers.reading import pairs
from deployments.rehearsal.cluster.objects import Json, labels_of, name_of, namespace_of, spec_of
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.selectors import selects
from deployments.rehearsal.cluster.store import Change, ChangeKind, Store

Labels = Mapping[str, str]
_Mark = tuple[str, str, str]  # namespace, label, value


def matches(selector: Json | None, labels: Labels) -> bool:
    """Say whether a LabelSelector chooses such labels. None chooses nothing, an empty one all."""
    if selector is None or selector.get("matchExpressions"):
        return selects(selector, labels)
    # Nearly every selector is like this, and this is asked a hundred times for each change of a pod.
    return pairs(selector, "matchLabels").items() <= labels.items()


class ByLabel:
    """All objects of one kind, found by namespace and labels."""

    def __init__(self, store: Store, resource: Resource) -> None:
        self._store = store
        self._resource = resource
        self._bearers: dict[_Mark, dict[str, None]] = {}

    def hear(self, change: Change) -> None:
        if change.resource != self._resource:
            return
        before = labels_of(change.previous) if change.previous else {}
        now = {} if change.kind is ChangeKind.DELETED else labels_of(change.object)
        if before is now or before == now:
            return
        self._forget(change.object, before)
        for label, value in now.items():
            mark = (namespace_of(change.object), label, value)
            self._bearers.setdefault(mark, {})[name_of(change.object)] = None

    def chosen(self, namespace: str, selector: Json | None) -> list[Json]:
        """Return the objects that a LabelSelector chooses, by name."""
        if selector is None:
            return []
        found = self._candidates(namespace, selector)
        return [obj for obj in found if matches(selector, labels_of(obj))]

    def _candidates(self, namespace: str, selector: Json) -> Iterator[Json]:
        wanted = pairs(selector, "matchLabels")
        if not wanted:
            yield from self._store.list(self._resource, namespace)
            return
        sets = [self._bearers.get((namespace, *pair), {}) for pair in wanted.items()]
        smallest = sets[0]
        for bearers in sets[1:]:
            smallest = bearers if len(bearers) < len(smallest) else smallest
        for name in sorted(smallest):
            obj = self._store.get(self._resource, name, namespace)
            if obj is not None:
                yield obj

    def _forget(self, obj: Json, labels: Labels) -> None:
        for label, value in labels.items():
            mark = (namespace_of(obj), label, value)
            bearers = self._bearers.get(mark, {})
            bearers.pop(name_of(obj), None)
            if not bearers:
                self._bearers.pop(mark, None)


class Selectors:
    """The objects of one kind that select pods: which of them would choose these labels."""

    def __init__(self, store: Store, resource: Resource, *, plain: bool = False) -> None:
        self._store = store
        self._resource = resource
        self._plain = plain  # a Service's selector: labels and nothing else

    def choosing(self, change: Change) -> list[Key]:
        """Return the keys of those that a change of a pod concerns."""
        states = [labels_of(change.object)]
        if change.previous is not None and labels_of(change.previous) != states[0]:
            states.append(labels_of(change.previous))
        namespace = namespace_of(change.object)
        return [
            Key(namespace, name_of(one))
            for one in self._store.list(self._resource, namespace)
            if any(matches(self.selector(one), labels) for labels in states)
        ]

    def selector(self, one: Json) -> Json | None:
        given = cast("Json | None", spec_of(one).get("selector"))
        if not self._plain:
            return given
        return {"matchLabels": given} if given else None
