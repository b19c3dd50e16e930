"""The cluster as commands see it: `Api` speaks to a real one, tests to one in their own process."""

from collections.abc import Iterator
from typing import Any, Protocol

Json = dict[str, Any]


class Cluster(Protocol):
    """Raises ApiError for what is refused, CommandError where nobody answers."""

    @property
    def namespace(self) -> str:
        """The one that the kubeconfig names."""
        ...

    def get(self, path: str) -> Json: ...

    def get_or_none(self, path: str) -> Json | None: ...

    def items(self, path: str, **query: str) -> Iterator[Json]: ...

    def apply(self, obj: Json, *, manager: str) -> Json: ...

    def create(self, path: str, obj: Json) -> Json: ...

    def update(self, obj: Json) -> Json: ...

    def delete(self, obj: Json, *, propagation: str = "") -> None: ...

    def fetch(
        self, pod: Json, *, port: int, path: str, timeout: float, as_proxy: bool = False
    ) -> bytes:
        """
        Return the body of a GET to a pod, by way of a port-forward.

        `as_proxy` stands for what the real one asks as a client of xDS: istiod takes that for one
        more proxy.
        """
        ...
