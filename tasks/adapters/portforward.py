"""
TCP connections into a pod, through the API server's port-forward.

A network backend for httpcore: every connection that it opens is one WebSocket. The official
client's own port-forward is not used: it needs a thread for each connection, which waits without an
end and prints a traceback when the API server goes away. Knows nothing of what is sent.
"""

import ssl
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Protocol, cast
from urllib.parse import quote, urlsplit, urlunsplit

import httpcore
import kubernetes.client
import websocket

from tasks.domain.errors import RefusedError

ClientFactory = Callable[[], kubernetes.client.ApiClient]

_PROTOCOL: Final = "v4.channel.k8s.io"
_DATA: Final = 0
_CLOSE: Final = websocket.ABNF.OPCODE_CLOSE
_PORT_BYTES: Final = 2  # each channel begins with the number of its port
_LONGEST: Final = 300
_Options = dict[str, Any]


class _Settings(Protocol):
    """What is used of the client's Configuration, whose own types leave much open."""

    host: str
    verify_ssl: bool
    ssl_ca_cert: str | None
    ca_cert_data: str | bytes | None
    cert_file: str | None
    key_file: str | None
    assert_hostname: bool | None
    tls_server_name: str | None
    proxy: str | None
    no_proxy: str | None

    def auth_settings(self) -> Mapping[str, Mapping[str, str | None]]: ...


class _Client(Protocol):
    """What is used of the ApiClient."""

    configuration: _Settings
    default_headers: Mapping[str, str]


class _WebSocket(Protocol):
    """What is used of a WebSocket, likewise."""

    def settimeout(self, timeout: float | None) -> None: ...

    def send_binary(self, payload: bytes) -> int: ...

    def recv_data(self) -> tuple[int, bytes]: ...

    def shutdown(self) -> None: ...


class PodBackend(httpcore.NetworkBackend):
    """Connects to ports of one pod, whatever host is asked for."""

    def __init__(self, new_client: ClientFactory, *, namespace: str, pod: str) -> None:
        self._new_client = new_client
        self._namespace = namespace
        self._pod = pod

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Open a port-forward. Raises RefusedError without the right to, else httpcore's errors."""
        del host, local_address, socket_options
        client = cast("_Client", self._new_client())
        settings = client.configuration
        try:
            opened = websocket.create_connection(
                self._address(settings.host, port),
                timeout=timeout,
                header=_headers(client),
                subprotocols=[_PROTOCOL],
                suppress_origin=True,
                sslopt=_tls(settings) if settings.host.startswith("https:") else {},
                redirect_limit=0,
                **_proxy(settings),
            )
        except websocket.WebSocketBadStatusException as error:
            raise self._refusal(error.status_code) from error
        except websocket.WebSocketTimeoutException as error:
            raise httpcore.ConnectTimeout("the API server did not answer in time") from error
        except (websocket.WebSocketException, OSError, ValueError) as error:
            raise httpcore.ConnectError(f"the API server cannot be reached: {error}") from error
        return PodStream(cast("_WebSocket", opened))

    def _address(self, host: str, port: int) -> str:
        parts = urlsplit(host)
        pod = f"namespaces/{quote(self._namespace, safe='')}/pods/{quote(self._pod, safe='')}"
        path = f"{parts.path.rstrip('/')}/api/v1/{pod}/portforward"
        scheme = "wss" if parts.scheme == "https" else "ws"
        return urlunsplit((scheme, parts.netloc, path, f"ports={port}", ""))

    def _refusal(self, status: int) -> Exception:
        pod = f"pod {self._pod} in {self._namespace}"
        if status == 403:
            return RefusedError(
                f"we may not port-forward to {pod}: that takes the verbs get and create on "
                f"pods/portforward in {self._namespace}"
            )
        if status == 401:
            return RefusedError(
                f"the API server does not know who asks to port-forward to {pod}: "
                "the credentials of the kubeconfig are not valid any more"
            )
        if status == 404:
            return httpcore.ConnectError("the pod is gone")
        return httpcore.ConnectError(f"the API server answered {status} to the port-forward")


class PodStream(httpcore.NetworkStream):
    """One TCP connection of a port-forward: channel 0 carries its bytes, channel 1 its error."""

    def __init__(self, opened: _WebSocket) -> None:
        self._websocket = opened
        self._unread = b""
        self._begun: set[int] = set()

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        while not self._unread:
            message = self._received(timeout)
            if message is None:
                return b""
            self._take(message)
        data, self._unread = self._unread[:max_bytes], self._unread[max_bytes:]
        return data

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        try:
            self._websocket.settimeout(timeout)
            self._websocket.send_binary(bytes([_DATA]) + buffer)
        except websocket.WebSocketTimeoutException as error:
            raise httpcore.WriteTimeout("the port-forward took nothing in time") from error
        except (websocket.WebSocketException, OSError) as error:
            raise httpcore.WriteError(f"the port-forward broke off: {error}") from error

    def close(self) -> None:
        # No farewell: it could wait, and TCP tells the API server as much.
        self._websocket.shutdown()

    def _received(self, timeout: float | None) -> bytes | None:
        try:
            self._websocket.settimeout(timeout)
            kind, message = self._websocket.recv_data()
        except websocket.WebSocketTimeoutException as error:
            raise httpcore.ReadTimeout("nothing came through the port-forward in time") from error
        except (websocket.WebSocketException, OSError) as error:
            raise httpcore.ReadError(f"the port-forward broke off: {error}") from error
        return None if kind == _CLOSE else message

    def _take(self, message: bytes) -> None:
        if not message:
            return
        channel, data = message[0], message[1:]
        if channel not in self._begun:
            self._begun.add(channel)
            data = data[_PORT_BYTES:]
        if channel == _DATA:
            self._unread = data
        elif data:
            text = data.decode(errors="replace").strip()
            raise httpcore.ReadError(f"the port-forward failed: {text[:_LONGEST]}")


def _headers(client: _Client) -> list[str]:
    headers = dict(client.default_headers)
    for setting in client.configuration.auth_settings().values():
        if value := setting["value"]:
            headers[str(setting["key"])] = value
    return [f"{name}: {value}" for name, value in headers.items()]


def _tls(settings: _Settings) -> _Options:
    context = ssl.create_default_context(cafile=settings.ssl_ca_cert, cadata=settings.ca_cert_data)
    if not settings.verify_ssl or settings.assert_hostname is False:
        context.check_hostname = False
    if not settings.verify_ssl:
        context.verify_mode = ssl.CERT_NONE
    if settings.cert_file:
        context.load_cert_chain(settings.cert_file, settings.key_file)
    options: _Options = {"context": context, "check_hostname": context.check_hostname}
    if settings.tls_server_name:
        options["server_hostname"] = settings.tls_server_name
    return options


def _proxy(settings: _Settings) -> _Options:
    if not settings.proxy:
        return {}
    proxy = urlsplit(settings.proxy)
    return {
        "http_proxy_host": proxy.hostname,
        "http_proxy_port": proxy.port,
        "proxy_type": "http",
        "http_no_proxy": settings.no_proxy.split(",") if settings.no_proxy else None,
        "http_proxy_auth": (proxy.username, proxy.password or "") if proxy.username else None,
    }
