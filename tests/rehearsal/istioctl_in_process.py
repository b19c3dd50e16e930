"""
An istioctl that asks a cluster in the same process: no sockets, the same commands.

The commands run in a thread of their own, as a program would beside the cluster; what they ask is
done on the cluster's loop.
"""

import asyncio
import io
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from deployments.rehearsal.cluster.errors import ApiError as Refused
from deployments.rehearsal.cluster.objects import copied, labels_of
from deployments.rehearsal.cluster.patching import PatchKind
from deployments.rehearsal.cluster.programs import Request
from deployments.rehearsal.cluster.registry import Resource
from deployments.rehearsal.cluster.selectors import parsed
from deployments.rehearsal.cluster.verbs import Propagation, Server
from deployments.rehearsal.istioctl.context import Terminal
from deployments.rehearsal.istioctl.errors import ApiError, CommandError
from deployments.rehearsal.istioctl.main import run

Json = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str


class ServerCluster:
    """The cluster as an istioctl's commands see it."""

    namespace = "default"

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop

    def get(self, path: str) -> Json:
        if path == "/version":
            return {"major": "1", "minor": "34", "gitVersion": "v1.34.4"}
        found = self.get_or_none(path)
        if found is None:
            raise ApiError(f"{path} not found", status=404)
        return found

    def get_or_none(self, path: str) -> Json | None:
        resource, namespace, name = self._resolved(path)
        return self._server.store.get(resource, name, namespace)

    def items(self, path: str, **query: str) -> Iterator[Json]:
        try:
            resource, namespace, _ = self._resolved(path)
        except ApiError:
            return
        wanted = parsed(query.get("labelSelector", ""))
        for obj in self._server.store.list(resource, namespace or None):
            phase = query.get("fieldSelector", "").removeprefix("status.phase=")
            is_selected = all(one.matches(labels_of(obj)) for one in wanted)
            if is_selected and phase in {"", obj.get("status", {}).get("phase")}:
                yield copied(obj)

    def apply(self, obj: Json, *, manager: str) -> Json:
        metadata = obj["metadata"]
        return self._done(
            self._server.patch(
                self._resource(obj),
                metadata["name"],
                copied(obj),
                namespace=metadata.get("namespace", ""),
                kind=PatchKind.APPLY,
                manager=manager,
                force=True,
            )
        )

    def create(self, path: str, obj: Json) -> Json:
        if "selfsubjectaccessreviews" in path:
            return {"status": {"allowed": True}}
        _, namespace, _ = self._resolved(path)
        return self._done(self._server.create(self._resource(obj), obj, namespace=namespace))

    def update(self, obj: Json) -> Json:
        return self._done(self._server.update(self._resource(obj), obj))

    def delete(self, obj: Json, *, propagation: str = "") -> None:
        metadata = obj["metadata"]
        self._done(
            self._server.delete(
                self._resource(obj),
                metadata["name"],
                namespace=metadata.get("namespace", ""),
                propagation=Propagation(propagation) if propagation else None,
            )
        )

    def fetch(
        self, pod: Json, *, port: int, path: str, timeout: float, as_proxy: bool = False
    ) -> bytes:
        program = self._server.programs.of(pod)
        if program is None:
            raise CommandError("failure running port forward process: nothing runs there")
        headers = {"User-Agent": f"{'xds-' if as_proxy else ''}istioctl/1.29.1"}
        request = Request(port=port, method="GET", path=path, headers=headers)
        return self._done(program.answer(request)).body

    def _resource(self, obj: Json) -> Resource:
        found = self._server.registry.of_kind(obj["apiVersion"], obj["kind"])
        if found is None:
            raise ApiError("the server could not find the requested resource", status=404)
        return found

    def _resolved(self, path: str) -> tuple[Resource, str, str]:
        """Return resource, namespace and name of a path."""
        parts = path.strip("/").split("/")
        group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else (
            parts[1], parts[2], parts[3:],
        )  # fmt: skip
        namespace = ""
        if rest[0] == "namespaces" and len(rest) > 2:
            namespace, rest = rest[1], rest[2:]
        resource = self._server.registry.find(group, version, rest[0])
        if resource is None:
            raise ApiError("the server could not find the requested resource", status=404)
        return resource, namespace, rest[1] if len(rest) > 1 else ""

    def _done(self, change: Coroutine[Any, Any, T]) -> T:
        try:
            return asyncio.run_coroutine_threadsafe(change, self._loop).result(30)
        except Refused as error:
            raise ApiError(error.message, status=error.code) from error


async def istioctl(server: Server, version: str, *argv: str, says: str = "") -> Ran:
    """Run a command line against a cluster."""
    out, err = io.StringIO(), io.StringIO()
    cluster = ServerCluster(server, asyncio.get_running_loop())
    terminal = Terminal(out=out, err=err, asked=io.StringIO(says))
    code = await asyncio.to_thread(
        run, version, argv, terminal, connect=lambda _: cast("Any", cluster)
    )
    return Ran(code=code, out=out.getvalue(), err=err.getvalue())
