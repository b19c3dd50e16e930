"""Which proxies an istiod has is read through a port-forward, and what is in doubt counts."""

import socket
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path

import httpcore
import kubernetes.client
import msgspec
import pytest

from tasks.adapters.istiod import PortForwardedIstiods
from tasks.adapters.portforward import ClientFactory, PodBackend
from tasks.domain.errors import RefusedError, TransientError, UpgradeError
from tasks.domain.inventory import IstiodPod, Proxy, XdsState
from tests.builders import istiod
from tests.unit.forwarding_server import PORT, End, Forward, answer, data, forwarding

XDS = "type.googleapis.com/envoy.config."
# As an istiod lists it while an istioctl reads from it.
ISTIOCTL = {
    "proxy": "test-1.default",
    "proxy_type": "sidecar",
    "istio_version": "65536.65536.65536",
}
CART = {
    "cluster_id": "Kubernetes",
    "proxy": "cart-7.shop",
    "proxy_type": "sidecar",
    "istio_version": "1.28.3",
    "cluster_sent": "c1",
    "cluster_acked": "c1",
    "listener_sent": "l2",
    "listener_acked": "l1",
    "endpoint_sent": "e1",
    "resources": {
        f"{XDS}cluster.v3.Cluster": {"sent": "c1", "acked": "c0", "lastError": "bad"},
        f"{XDS}listener.v3.Listener": {"sent": "l2", "acked": "l1", "sentTime": "2026-01-01"},
        "type.googleapis.com/istio.networking.nds.v1.NameTable": {"sent": "n1", "acked": "n1"},
        "type.googleapis.com/some.NewType": {"sent": "x", "acked": "x"},
    },
}


def no_client() -> kubernetes.client.ApiClient:
    raise AssertionError("nobody connects here")


def read(*chunks: bytes) -> tuple[Proxy, ...]:
    """Read the proxies out of what an istiod sends."""

    def backend(_new_client: ClientFactory, _istiod: IstiodPod) -> httpcore.NetworkBackend:
        return httpcore.MockBackend(list(chunks))

    return PortForwardedIstiods(no_client, backend=backend).proxies(istiod())


def names(*rows: Mapping[str, object]) -> list[str]:
    return [proxy.name for proxy in read(answer(msgspec.json.encode(rows)))]


def test_a_row_is_a_proxy_of_the_istiod_that_was_asked_with_every_type_that_it_wants() -> None:
    (proxy,) = read(answer(msgspec.json.encode([CART])))
    assert proxy == Proxy(
        name="cart-7.shop",
        istiod=istiod().name,
        revision=istiod().revision,
        type="sidecar",
        version="1.28.3",
        states={
            "CDS": XdsState(sent="c1", acked="c0", error="bad"),
            "LDS": XdsState(sent="l2", acked="l1"),
            "EDS": XdsState(sent="e1"),
            "NDS": XdsState(sent="n1", acked="n1"),
            "NewType": XdsState(sent="x", acked="x"),
        },
    )


def test_a_row_of_hardly_anything_is_a_proxy_too() -> None:
    (proxy,) = read(answer(b'[{"proxy": "a.b", "resources": null, "new_field": 1}]'))
    assert (proxy.name, proxy.states) == ("a.b", {})


def test_an_istiod_without_proxies_says_so() -> None:
    assert read(answer(b"[]")) == ()


def test_an_answer_in_chunks_is_put_together() -> None:
    body = msgspec.json.encode([CART])
    pieces = [body[:100], body[100:]]
    chunks = [f"{len(one):x}\r\n".encode() + one + b"\r\n" for one in pieces]
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert [one.name for one in read(head, *chunks, b"0\r\n\r\n")] == ["cart-7.shop"]


@pytest.mark.parametrize(
    "extra",
    [{}, {"resources": None}, {"resources": {"istio.io/debug": {"sent": "1"}}},
     {"resources": {"istio.io/debug/syncz": {}}}],
)  # fmt: skip
def test_an_istioctl_that_reads_at_the_same_time_is_no_proxy(extra: dict[str, object]) -> None:
    assert names(CART, ISTIOCTL | extra) == ["cart-7.shop"]


@pytest.mark.parametrize(
    "difference",
    [
        pytest.param({"proxy": "test-1.shop"}, id="another namespace"),
        pytest.param({"proxy": "cart-7.default"}, id="another pod of that version"),
        pytest.param({"istio_version": "1.28.3"}, id="a pod of that name, as of a StatefulSet"),
        pytest.param({"istio_version": ""}, id="no version"),
        pytest.param({"proxy_type": "router"}, id="a gateway"),
        pytest.param({"cluster_id": "Kubernetes"}, id="it lives in a cluster"),
        pytest.param({"listener_sent": "l1"}, id="it was sent listeners"),
        pytest.param({"resources": {f"{XDS}cluster.v3.Cluster": {}}}, id="it wants clusters"),
    ],
)
def test_whatever_is_not_certainly_an_istioctl_counts_as_a_proxy(
    difference: dict[str, object],
) -> None:
    """One too many only delays an uninstall; one too few lets it cut a proxy off."""
    assert len(names(ISTIOCTL | difference)) == 1


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'[{"name": "a"}]', b'[{"proxy": 1}]', b'["\xff"]', b"null"]
)
def test_an_answer_that_lists_no_proxies_proves_nothing(body: bytes) -> None:
    with pytest.raises(TransientError, match="something else than proxies"):
        read(answer(body))


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (answer(b"", status="401 Unauthorized"), "answered 401 to /debug/syncz"),
        (b"", "did not answer /debug/syncz"),
        (b"SSH-2.0-x\r\n", "did not answer /debug/syncz"),
        (answer(b"[]").replace(b": 2", b": 9"), "did not answer /debug/syncz"),
    ],
    ids=["refused", "nothing", "no HTTP", "half an answer"],
)
def test_an_istiod_that_does_not_answer_well_is_named(sent: bytes, words: str) -> None:
    with pytest.raises(TransientError, match=f"istiod {istiod().name} in .*{words}"):
        read(sent, b"")


# ---------------------------------------------------------------- the port-forward


def ask(forward: Forward) -> tuple[Proxy, ...]:
    with forwarding(forward) as server:
        return PortForwardedIstiods(server.client).proxies(istiod())


def test_the_question_goes_through_the_api_server_to_the_pod_s_loopback() -> None:
    with forwarding(Forward(messages=data(answer(b"[]")))) as server:
        assert PortForwardedIstiods(server.client).proxies(istiod()) == ()
    head = server.upgrades[0].decode()
    pod = f"/api/v1/namespaces/istio-system/pods/{istiod().name}/portforward?ports=15014"
    assert head.startswith(f"GET {pod} HTTP/1.1\r\n")
    assert "authorization: Bearer abc\r\n" in head
    assert "v4.channel.k8s.io" in head
    assert "Origin" not in head
    assert server.sent[0].startswith(b"\0GET /debug/syncz HTTP/1.1\r\n")
    assert b"Host: localhost:15014\r\n" in server.sent[0]


def test_bytes_are_read_wherever_the_frames_are_cut() -> None:
    whole = answer(msgspec.json.encode([CART]))
    cut = tuple(b"\0" + whole[at : at + 7] for at in range(0, len(whole), 7))
    # The port may come with the first bytes, and a frame may be empty.
    first = b"\0" + PORT + cut[0][1:]
    assert len(ask(Forward(messages=(first, b"", b"\1" + PORT, b"\0", *cut[1:])))) == 1


def test_a_big_answer_comes_whole() -> None:
    rows = [CART | {"proxy": f"cart-{number}.shop"} for number in range(300)]
    whole = answer(msgspec.json.encode(rows))
    parts = [whole[at : at + 30_000] for at in range(0, len(whole), 30_000)]
    assert len(ask(Forward(messages=data(*parts)))) == 300


@pytest.mark.parametrize(
    ("forward", "kind", "words"),
    [
        (Forward(status=403), RefusedError, "pods/portforward in istio-system"),
        (Forward(status=401), RefusedError, "credentials"),
        (Forward(status=404), TransientError, "the pod is gone"),
        (Forward(status=500), TransientError, "answered 500 to the port-forward"),
        (
            Forward(messages=(*data(), b"\1failed to connect to localhost:15014\n")),
            TransientError,
            "port-forward failed: failed to connect to localhost:15014$",
        ),
        (Forward(messages=data(), end=End.FAREWELL), TransientError, "did not answer"),
        (Forward(messages=data(b"HTTP/1.1 2"), end=End.HANG_UP), TransientError, "broke off"),
        (Forward(end=End.HANG_UP), TransientError, "broke off"),
    ],
)
def test_a_port_forward_that_fails_says_why(
    forward: Forward, kind: type[UpgradeError], words: str
) -> None:
    with pytest.raises(UpgradeError, match=words) as caught:
        ask(forward)
    assert type(caught.value) is kind
    assert "abc" not in str(caught.value)


def test_an_api_server_that_is_not_there_may_come_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}"

    def client() -> kubernetes.client.ApiClient:
        return kubernetes.client.ApiClient(kubernetes.client.Configuration(host=url))

    with pytest.raises(TransientError, match="the API server cannot be reached"):
        PortForwardedIstiods(client).proxies(istiod())


def test_silence_is_not_waited_out_and_what_is_closed_takes_no_more() -> None:
    with forwarding(Forward(messages=data())) as server:
        backend = PodBackend(server.client, namespace="istio-system", pod="istiod")
        stream = backend.connect_tcp("localhost", 15014, timeout=5)
        stream.write(b"hello", timeout=5)
        with pytest.raises(httpcore.ReadTimeout):
            stream.read(10, timeout=0.1)
        stream.close()
        with pytest.raises(httpcore.WriteError):
            stream.write(b"hello", timeout=5)


def test_an_api_server_that_accepts_and_says_nothing_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"http://127.0.0.1:{mute.getsockname()[1]}/cluster"
        settings = kubernetes.client.Configuration(host=url)
        backend = PodBackend(lambda: kubernetes.client.ApiClient(settings), namespace="a", pod="b")
        with pytest.raises(httpcore.ConnectTimeout):
            backend.connect_tcp("localhost", 15014, timeout=0.2)


# ---------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a certificate for 127.0.0.1 that is its own authority, with its key in the same file."""
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", file,
         "-out", file.with_suffix(".crt"), "-subj", "/CN=api", "-addext",
         "subjectAltName=IP:127.0.0.1,DNS:api.example"],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_bytes(file.read_bytes() + file.with_suffix(".crt").read_bytes())
    return file


def ask_over_tls(
    certificate: Path, settings: Mapping[str, object], *, by: ssl.VerifyMode = ssl.CERT_NONE
) -> str:
    """Return what an API server was asked over TLS, by a client of these settings."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    context.load_verify_locations(certificate)
    context.verify_mode = by
    with forwarding(Forward(messages=data(answer(b"[]"))), tls=context) as server:
        new_client = server.client

        def client() -> kubernetes.client.ApiClient:
            made = new_client()
            vars(made.configuration).update(settings)
            return made

        PortForwardedIstiods(client).proxies(istiod())
    return server.upgrades[0].decode()


def test_the_api_server_is_known_by_the_authority_of_the_kubeconfig(certificate: Path) -> None:
    pem = certificate.with_suffix(".crt").read_text()
    for settings in ({"ssl_ca_cert": str(certificate)}, {"ca_cert_data": pem}):
        assert "authorization: Bearer abc" in ask_over_tls(certificate, settings)


def test_an_unknown_api_server_is_told_nothing_unless_that_is_wanted(certificate: Path) -> None:
    with pytest.raises(TransientError, match=r"cannot be reached: .*CERTIFICATE_VERIFY_FAILED"):
        ask_over_tls(certificate, {})
    assert ask_over_tls(certificate, {"verify_ssl": False})


def test_the_api_server_s_name_is_proved_and_may_be_another_one(certificate: Path) -> None:
    known: dict[str, object] = {"ssl_ca_cert": str(certificate)}
    assert ask_over_tls(certificate, known | {"tls_server_name": "api.example"})
    other = known | {"tls_server_name": "other.example"}
    with pytest.raises(TransientError, match="CERTIFICATE_VERIFY_FAILED"):
        ask_over_tls(certificate, other)
    assert ask_over_tls(certificate, other | {"assert_hostname": False})


def test_we_show_our_own_certificate_when_there_is_one(certificate: Path) -> None:
    known: dict[str, object] = {"ssl_ca_cert": str(certificate)}
    own = known | {"cert_file": str(certificate), "key_file": str(certificate)}
    assert ask_over_tls(certificate, own, by=ssl.CERT_REQUIRED)
    with pytest.raises(TransientError):
        ask_over_tls(certificate, known, by=ssl.CERT_REQUIRED)


def test_an_authority_that_cannot_be_read_is_named(tmp_path: Path, certificate: Path) -> None:
    with pytest.raises(TransientError, match="No such file"):
        ask_over_tls(certificate, {"ssl_ca_cert": str(tmp_path / "gone")})


def test_a_proxy_is_asked_for_the_connection() -> None:
    with forwarding(Forward(status=407)) as proxy:
        settings = kubernetes.client.Configuration(host="https://api.example:6443")
        settings.proxy = proxy.url.replace("//", "//me:pass@")
        with pytest.raises(TransientError) as caught:
            PortForwardedIstiods(lambda: kubernetes.client.ApiClient(settings)).proxies(istiod())
    assert proxy.upgrades[0].startswith(b"CONNECT api.example:6443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic bWU6cGFzcw==" in proxy.upgrades[0]
    assert "pass" not in str(caught.value)
