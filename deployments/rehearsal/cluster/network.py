"""
The way from a Service to the program of one of its ready pods.

As for the real API server: the Service's port is looked up, one ready endpoint is picked from the
EndpointSlices, and what goes wrong is told in its words.
"""

import asyncio
import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Final, cast

from deployments.rehearsal.cluster.objects import Json, labels_of, ports_of, spec_of
from deployments.rehearsal.cluster.programs import Program, Programs, Request, Response
from deployments.rehearsal.cluster.resources import ENDPOINTSLICES, PODS, SERVICES
from deployments.rehearsal.cluster.store import Store

SERVER_ADDRESS: Final = "10.0.0.1"  # where pods see the API server come from
SERVICE_NAME: Final = "kubernetes.io/service-name"


class NoEndpoint(Exception):  # it is an answer of the network rather than an error
    """There is no way to a Service; the message says why."""


class Network:
    """Calls Services and pods."""

    def __init__(self, store: Store, programs: Programs, *, seed: int = 0) -> None:
        self._store = store
        self.programs = programs
        self._random = random.Random(seed)  # noqa: S311  # a load balancer's choice

    async def call(
        self,
        service: str,
        namespace: str,
        port: int,
        request: Request,
        *,
        timeout: float,  # noqa: ASYNC109
    ) -> Response:
        """
        Send a request to a Service's port; the request's own port and peer are ignored.

        Raises NoEndpoint, ConnectionRefusedError and TimeoutError.
        """
        pod, number = self.endpoint(service, namespace, port)
        program = self.program(pod, namespace)
        if program is None:
            raise ConnectionRefusedError(f"nothing listens on port {number} of pod {pod}")
        async with asyncio.timeout(timeout):
            return await program.answer(replace(request, port=number, peer=SERVER_ADDRESS))

    def endpoint(self, service: str, namespace: str, port: int) -> tuple[str, int]:
        """Return a ready pod behind a Service's port, and the port there. Raises NoEndpoint."""
        found = self._store.get(SERVICES, service, namespace)
        if found is None:
            raise NoEndpoint(f'service "{service}" not found')
        declared = _port(found, port)
        if declared is None:
            raise NoEndpoint(f'no service port {port} found for service "{service}"')
        endpoints = list(self._endpoints(service, namespace, str(declared.get("name", ""))))
        if not endpoints:
            raise NoEndpoint(f'no endpoints available for service "{service}"')
        return self._random.choice(endpoints)

    def program(self, pod: str, namespace: str) -> Program | None:
        """Return what runs in the pod of that name."""
        found = self._store.get(PODS, pod, namespace)
        return self.programs.of(found) if found is not None else None

    def _endpoints(self, service: str, namespace: str, port: str) -> Iterator[tuple[str, int]]:
        """Yield the pods that are ready, each with the number of the port there."""
        for part in self._store.list(ENDPOINTSLICES, namespace):
            if labels_of(part).get(SERVICE_NAME) != service:
                continue
            numbers = [one["port"] for one in ports_of(part) if one.get("name", "") == port]
            for endpoint in cast("list[Json]", part.get("endpoints") or []):
                target: Json = endpoint.get("targetRef") or {}
                conditions: Json = endpoint.get("conditions") or {}
                if numbers and conditions.get("ready", True) and target.get("kind") == "Pod":
                    yield str(target["name"]), int(numbers[0])


def _port(service: Json, number: int) -> Json | None:
    return next((one for one in ports_of(spec_of(service)) if one["port"] == number), None)
