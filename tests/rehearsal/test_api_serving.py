"""The served cluster, over its real socket, asked by those who ask real clusters."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import httpcore
import httpx
import kubernetes.client
import msgspec
import pytest
from kubernetes.stream import stream

from deployments.rehearsal.cluster.programs import Request, Response
from deployments.rehearsal.cluster.resources import PODS
from deployments.rehearsal.cluster.serving import Serving, serve
from deployments.rehearsal.cluster.verbs import Server
from tasks.adapters.cluster_objects import Meta
from tasks.adapters.kubernetes_api import Api
from tasks.adapters.portforward import PodBackend
from tasks.adapters.watched_list import Changed, Scope, WatchedList
from tests.rehearsal.api import pod


class Echo:
    """Answers with what it was asked, on port 80."""

    is_ready = True

    def start(self) -> None: ...

    def stop(self) -> None: ...

    async def answer(self, request: Request) -> Response:
        if request.port != 80:
            raise ConnectionRefusedError
        if request.peer != "127.0.0.1":
            return Response(status=401)
        return Response(body=f"{request.method} {request.path}".encode())

    async def run(self, command: Sequence[str]) -> tuple[int, bytes, bytes]:
        return len(command) - 2, " ".join(command).encode(), b"to stderr"


class Pod(msgspec.Struct, frozen=True):
    metadata: Meta


def served(tmp_path: Path, test: Callable[[Server, Serving], None]) -> None:
    """Serve a cluster with one running pod, and test it from another thread."""

    async def run() -> None:
        server = Server()
        server.programs.register(lambda _: Echo())
        server.programs.start(await server.create(PODS, pod("echo"), namespace="default"))
        async with serve(server, kubeconfig=tmp_path / "kubeconfig") as serving:
            await asyncio.to_thread(test, server, serving)

    asyncio.run(run())


def http_through(api: Api, name: str, port: int) -> httpx.Client:
    transport = httpx.HTTPTransport()
    backend = PodBackend(api.new_client, namespace="default", pod=name)
    transport._pool = httpcore.ConnectionPool(network_backend=backend)  # noqa: SLF001
    return httpx.Client(transport=transport, base_url=f"http://localhost:{port}")


def test_the_kubeconfig_is_its_owners_alone(tmp_path: Path) -> None:
    def test(_server: Server, serving: Serving) -> None:
        assert serving.kubeconfig.stat().st_mode & 0o777 == 0o600
        api = Api.connect(kubeconfig=str(serving.kubeconfig))
        assert b"v1.34.4" in api.get("/version")
        assert api.server_time.year > 2000

    served(tmp_path, test)


def test_the_adapters_watch_it(tmp_path: Path) -> None:
    def test(server: Server, serving: Serving) -> None:
        api = Api.connect(kubeconfig=str(serving.kubeconfig))
        changed = Changed()
        scope = Scope(namespaces=frozenset({"default"}))
        pods = WatchedList(api, "/api/v1/pods", Pod, scope, changed)
        pods.read()
        assert len(pods.objects()) == 1

    served(tmp_path, test)


def test_the_adapters_reach_into_pods(tmp_path: Path) -> None:
    def test(_server: Server, serving: Serving) -> None:
        api = Api.connect(kubeconfig=str(serving.kubeconfig))
        with http_through(api, "echo", 80) as client:
            for _ in range(3):  # over one connection
                assert client.get("/debug/syncz?x=1").text == "GET /debug/syncz?x=1"
        with http_through(api, "echo", 81) as client, pytest.raises(httpx.ReadError) as refused:
            client.get("/")
        assert "failed to connect to localhost:81 inside namespace" in str(refused.value)
        with http_through(api, "gone", 80) as client, pytest.raises(httpx.ConnectError):
            client.get("/")

    served(tmp_path, test)


def test_the_official_client_runs_commands_and_asks_through_the_proxy(tmp_path: Path) -> None:
    def test(_server: Server, serving: Serving) -> None:
        api = Api.connect(kubeconfig=str(serving.kubeconfig))
        core = kubernetes.client.CoreV1Api(api.new_client())
        with pytest.raises(kubernetes.client.ApiException) as refused:
            core.connect_get_namespaced_pod_proxy_with_path("echo:80", "default", "debug/syncz")
        assert (refused.value.status, refused.value.body) == (401, "")
        response = stream(
            core.connect_get_namespaced_pod_exec,
            "echo",
            "default",
            command=["say", "hi"],
            stdout=True,
            stderr=True,
            _preload_content=False,
        )
        response.run_forever(timeout=5)
        assert (response.read_stdout(), response.read_stderr()) == ("say hi", "to stderr")
        assert response.returncode == 0

    served(tmp_path, test)


def test_a_port_in_use_is_told_before_anything_is_served(tmp_path: Path) -> None:
    async def run(port: int) -> None:
        async with serve(Server(), port=port, kubeconfig=tmp_path / "kubeconfig"):
            raise AssertionError("it serves")

    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        asyncio.run(run(taken.getsockname()[1]))
