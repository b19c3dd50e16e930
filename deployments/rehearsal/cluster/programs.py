"""
What runs in pods: something that is ready or not, answers requests, and runs commands.

The kubelet asks every registered factory whose program a pod's is; whoever registers the factory
decides what such a pod does. A pod that nobody claims does nothing, and is ready.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from deployments.rehearsal.cluster.objects import Json, uid_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request to a port of a pod."""

    port: int
    method: str
    path: str  # with its query
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    peer: str = "127.0.0.1"  # who asks: a port-forward comes from within the pod


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What the pod answers."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""


class Program(Protocol):
    """What the containers of one pod do."""

    def start(self) -> None:
        """Begin: the pod's status says Running."""

    def stop(self) -> None:
        """End: the pod is gone."""

    @property
    def is_ready(self) -> bool:
        """What the readiness probe would say."""
        ...

    async def answer(self, request: Request) -> Response:
        """Answer. Raises ConnectionRefusedError for a closed port, TimeoutError."""
        ...

    async def run(self, command: Sequence[str]) -> tuple[int, bytes, bytes]:
        """Run a command in the pod, and return its exit code, stdout and stderr."""
        ...


Factory = Callable[[Json], Program | None]  # a pod's program, None if it is not this factory's


class Programs:
    """The programs of all running pods."""

    def __init__(self) -> None:
        self._factories: list[Factory] = []
        self._running: dict[str, Program] = {}

    def register(self, factory: Factory) -> None:
        """Ask this factory too; those registered first are asked first."""
        self._factories.append(factory)

    def start(self, pod: Json) -> Program | None:
        """Make and start a pod's program. Only the kubelet does this."""
        for factory in self._factories:
            program = factory(pod)
            if program is not None:
                self._running[uid_of(pod)] = program
                program.start()
                return program
        return None

    def stop(self, pod: Json) -> None:
        """Stop a pod's program, if it has one. Only the kubelet does this."""
        program = self._running.pop(uid_of(pod), None)
        if program is not None:
            program.stop()

    def of(self, pod: Json) -> Program | None:
        """Return a running pod's program."""
        return self._running.get(uid_of(pod))
