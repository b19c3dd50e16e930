"""The mesh's certificate authority: made once, kept in a Secret that all revisions share."""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deployments.rehearsal.cluster.objects import Json

SECRET: Final = "istio-ca-secret"  # noqa: S105 - its name is known to everybody
ROOT_KEY: Final = "root-cert.pem"
_YEARS: Final = timedelta(days=3650)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A self-signed certificate and its key, in PEM."""

    certificate: bytes
    key: bytes

    @classmethod
    def made(cls, trust_domain: str) -> Self:
        """Make a new one: nobody checks it, but everybody compares it."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, trust_domain)])
        now = datetime.now(UTC)  # noqa: TID251 - a certificate is valid by the clock on the wall
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + _YEARS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        return cls(
            certificate=certificate.public_bytes(serialization.Encoding.PEM),
            key=key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
        )

    @classmethod
    def of_secret(cls, secret: Json) -> Self:
        data = secret["data"]
        return cls(
            certificate=base64.b64decode(data["ca-cert.pem"]),
            key=base64.b64decode(data["ca-key.pem"]),
        )

    def secret(self, namespace: str) -> Json:
        """Return the Secret that keeps it."""
        data = {"ca-cert.pem": self.certificate, "ca-key.pem": self.key, ROOT_KEY: b""}
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": SECRET, "namespace": namespace},
            "type": "istio.io/ca-root",
            "data": {name: base64.b64encode(one).decode() for name, one in data.items()},
        }

    @property
    def bundle(self) -> str:
        """The certificate as webhook configurations hold it."""
        return base64.b64encode(self.certificate).decode()
