"""
Bearer tokens: one for the administrator, and those that ServiceAccounts are given for a while.

They are JWTs as far as their readers care, signed with a key that nobody else knows.
"""

import base64
import binascii
import hashlib
import hmac
import secrets
import time
import uuid
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from deployments.rehearsal.cluster.callers import AUTHENTICATED, MASTERS, Caller, service_account
from deployments.rehearsal.cluster.objects import Json, name_of, namespace_of, uid_of
from deployments.rehearsal.cluster.resources import SERVICEACCOUNTS
from deployments.rehearsal.cluster.store import Store

AUDIENCE: Final = "https://kubernetes.default.svc.cluster.local"
_HEADER: Final = {"alg": "HS256", "typ": "JWT"}
_ADMINISTRATOR: Final = Caller(name="kubernetes-admin", groups=(MASTERS, AUTHENTICATED))


class Tokens:
    """The tokens of one cluster."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._key = secrets.token_bytes(32)
        self.administrator = secrets.token_urlsafe(32)

    def issue(self, account: Json, *, seconds: int, audiences: Sequence[str] = ()) -> str:
        """Return a token for a ServiceAccount."""
        now = int(time.time())
        namespace, name = namespace_of(account), name_of(account)
        claims: Json = {
            "aud": list(audiences) or [AUDIENCE],
            "exp": now + seconds,
            "iat": now,
            "iss": AUDIENCE,
            "jti": str(uuid.uuid4()),
            "kubernetes.io": {
                "namespace": namespace,
                "serviceaccount": {"name": name, "uid": uid_of(account)},
            },
            "nbf": now,
            "sub": f"system:serviceaccount:{namespace}:{name}",
        }
        signed = f"{_text(_HEADER)}.{_text(claims)}"
        return f"{signed}.{self._signature(signed)}"

    def caller(self, token: str) -> Caller | None:
        """Return whose token it is, None if it is nobody's, or not any more."""
        if hmac.compare_digest(token.encode(), self.administrator.encode()):
            return _ADMINISTRATOR
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(signed).encode()):
            return None
        claims = _claims(signed)
        if claims["exp"] <= time.time() or AUDIENCE not in claims["aud"]:
            return None
        found: Json = claims["kubernetes.io"]
        name, namespace = found["serviceaccount"]["name"], found["namespace"]
        account = self._store.get(SERVICEACCOUNTS, name, namespace)
        if account is None or uid_of(account) != found["serviceaccount"]["uid"]:
            return None
        return service_account(namespace, name, uid=uid_of(account))

    def _signature(self, signed: str) -> str:
        digest = hmac.new(self._key, signed.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _text(part: Json) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(part)).rstrip(b"=").decode()


def _claims(signed: str) -> dict[str, Any]:
    """Return what a token of ours says. Its signature was looked at before."""
    payload = signed.partition(".")[2]
    try:
        return msgspec.json.decode(
            base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=dict[str, Any]
        )
    except (binascii.Error, msgspec.DecodeError) as error:  # pragma: no cover  # we signed it
        raise ValueError("a signed token cannot be read") from error
