"""
What may go wrong in the mesh: asked wherever an istiod or a proxy does something.

Faults are given from outside, as a `Mood`; by itself nothing goes wrong.
"""

from dataclasses import dataclass
from typing import Protocol

from deployments.rehearsal.cluster.objects import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A type of configuration that a proxy does not take, and its reason."""

    type_url: str
    error: str


class Mood(Protocol):
    """How the mesh is disposed towards each of its pods."""

    def lag(self, pod: Json) -> float:
        """How many seconds longer than usual a proxy takes until it has its configuration."""
        ...

    def is_stale(self, pod: Json) -> bool:
        """Whether a proxy never acknowledges what it is sent."""
        ...

    def rejection(self, pod: Json) -> Rejection | None:
        """Return what a proxy does not take."""
        ...

    def loses_sidecar(self, pod: Json) -> bool:
        """Whether an injector lets this new pod pass without a sidecar."""
        ...

    def is_silent(self, istiod: Json) -> bool:
        """Whether an istiod does not answer."""
        ...


class Calm:
    """A mood in which nothing goes wrong."""

    def lag(self, pod: Json) -> float:  # noqa: ARG002
        return 0.0

    def is_stale(self, pod: Json) -> bool:  # noqa: ARG002
        return False

    def rejection(self, pod: Json) -> Rejection | None:  # noqa: ARG002
        return None

    def loses_sidecar(self, pod: Json) -> bool:  # noqa: ARG002
        return False

    def is_silent(self, istiod: Json) -> bool:  # noqa: ARG002
        return False
