"""Bodies that kubectl sends in protobuf, written here by hand."""

from deployments.rehearsal.cluster.web.protobuf import from_protobuf
from tests.rehearsal.api import Api, asked

PROTOBUF = "application/vnd.kubernetes.protobuf"


def part(number: int, value: "bytes | str") -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return bytes([number << 3 | 2, len(data)]) + data


def envelope(kind: str, version: str, raw: bytes) -> bytes:
    return b"k8s\0" + part(1, part(1, version) + part(2, kind)) + part(2, raw)


NAMESPACE = envelope(
    "Namespace",
    "v1",
    part(1, part(1, "n") + part(2, "") + part(11, part(1, "a") + part(2, "b"))) + part(2, b""),
)


def test_a_namespace_is_created_from_protobuf() -> None:
    async def test(api: Api) -> None:
        response = await api.ask("POST", "/api/v1/namespaces", NAMESPACE, kind=PROTOBUF)

        assert response.status_code == 201
        assert response.json()["metadata"]["labels"]["a"] == "b"

    asked(test)


def test_texts_bytes_numbers_and_quantities_are_read() -> None:
    secret = part(2, part(1, "k") + part(2, b"\xff")) + part(3, "Opaque")
    quota = part(2, part(1, part(1, "pods") + part(2, part(1, "10"))))
    token = part(2, part(1, "x") + b"\x20\xac\x02")

    assert from_protobuf(envelope("Secret", "v1", secret)) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "data": {"k": "/w=="},
        "type": "Opaque",
    }
    found = from_protobuf(envelope("ResourceQuota", "v1", quota))
    assert found is not None
    assert found["spec"] == {"hard": {"pods": "10"}}
    found = from_protobuf(envelope("TokenRequest", "v1", token))
    assert found is not None
    assert found["spec"] == {"audiences": ["x"], "expirationSeconds": 300}


def test_a_kind_that_is_not_read_is_an_unknown_format() -> None:
    async def test(api: Api) -> None:
        path = "/api/v1/namespaces/default/pods"
        body = envelope("Pod", "v1", b"")
        assert (await api.ask("POST", path, body, kind=PROTOBUF)).status_code == 415
        assert (await api.ask("POST", path, NAMESPACE[:20], kind=PROTOBUF)).status_code == 400

    asked(test)
