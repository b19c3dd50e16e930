"""
Where an inventory comes from: every list that is read, and how one that cannot be read is noted.

A list of a kind that the cluster does not know is empty; one that we may not read, or that does not
come in time, is named in `unread`, so that whoever needs it can refuse. Only an API server that is
not there at all ends the reading.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from functools import partial
from typing import Any, Final, TypeVar

import msgspec

from tasks.adapters.cluster_objects import (
    ConfigMapObject,
    Object,
)
from tasks.adapters.kubernetes_api import (
    Api,
    Forbidden,
    Missing,
    Unreachable,
    decoded,
    segment,
)
from tasks.adapters.kubernetes_discovery import group_paths, knows, resources
from tasks.domain.errors import RefusedError, TransientError
from tasks.domain.inventory import LabelledConfig, Unread
from tasks.domain.revision import REVISION_LABEL

Item = TypeVar("Item")
_NO_QUERY: Final[Mapping[str, str]] = {}
_ISTIO_GROUPS: Final = frozenset(
    {"networking.istio.io", "security.istio.io", "telemetry.istio.io", "extensions.istio.io"}
)
_CONFIG_MAP: Final = msgspec.json.Decoder(ConfigMapObject)


class Sources:
    """Reads lists side by side, and remembers which of them could not be read."""

    def __init__(self, api: Api, executor: Executor) -> None:
        self._api = api
        self._executor = executor
        self._asked: list[Future[Any]] = []  # of many types, and only waited for
        self._unread: list[Unread] = []

    def unread(self) -> tuple[Unread, ...]:
        """Wait for every answer, and return what could not be read, in a stable order."""
        for one in self._asked:
            one.result()
        return tuple(sorted(self._unread, key=lambda one: one.what))

    def items(
        self, what: str, path: str, kind: type[Item], query: Mapping[str, str] = _NO_QUERY
    ) -> Future[list[Item] | None]:
        """Start reading a list; None if it cannot be read, empty if there is no such kind."""
        return self._start(what, lambda: self._listed(path, kind, query), list[Item]())

    def text(self, namespace: str, name: str, key: str) -> Future[str | None]:
        """Start reading one value of a ConfigMap; None when it is not there."""
        what = f"ConfigMap {namespace}/{name}"
        return self._start(what, lambda: self._text(namespace, name, key), None)

    def labelled_configs(self) -> Future[list[LabelledConfig] | None]:
        """Start reading the Istio resources that carry a revision's label."""
        return self._start(
            "Istio's custom resources",
            lambda: list(self._labelled_configs()),
            list[LabelledConfig](),
        )

    def _start(self, what: str, read: Callable[[], Item], absent: Item) -> Future[Item | None]:
        started = self._executor.submit(self._noted, what, read, absent)
        self._asked.append(started)
        return started

    def _noted(self, what: str, read: Callable[[], Item], absent: Item) -> Item | None:
        try:
            return read()
        except Missing:
            return absent
        except Unreachable:
            raise
        except (TransientError, RefusedError) as error:
            self._unread.append(Unread(what=what, why=str(error)))
            return None

    def _text(self, namespace: str, name: str, key: str) -> str | None:
        path = f"/api/v1/namespaces/{segment(namespace)}/configmaps/{segment(name)}"
        found = decoded(self._api.get(path), _CONFIG_MAP, path=path)
        return (found.data or {}).get(key)

    def _listed(self, path: str, kind: type[Item], query: Mapping[str, str]) -> list[Item]:
        try:
            return self._api.items(path, query, kind)
        except Forbidden:
            if knows(self._api, path):
                raise
            return []

    def _labelled_configs(self) -> Iterator[LabelledConfig]:
        paths = group_paths(self._api)
        for group in sorted(_ISTIO_GROUPS & paths.keys()):
            for one in resources(self._api, paths[group]):
                if one.is_listed:
                    yield from self._labelled_of_kind(f"{paths[group]}/{one.name}", one.kind)

    def _labelled_of_kind(self, path: str, kind: str) -> Iterator[LabelledConfig]:
        what = f"{path.split('/')[4]} of {path.split('/')[2]}"
        listing = partial(self._api.items, path, {"labelSelector": REVISION_LABEL}, Object)
        for found in self._noted(what, listing, list[Object]()) or ():
            yield _config(kind, found)


def _config(kind: str, found: Object) -> LabelledConfig:
    meta = found.metadata
    return LabelledConfig(
        kind=kind,
        namespace=meta.namespace,
        name=meta.name,
        revision=meta.labels_or_none.get(REVISION_LABEL, ""),
    )
