"""
Who we are to the cluster, and what we may do.

The reviews that answer this are POSTs, but change nothing: the guard is not asked. A Secret's value
leaves this module only as a result, never in a message.
"""

import base64
import binascii
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import msgspec

from tasks.adapters.kubernetes_api import Api, Missing, decoded
from tasks.adapters.kubernetes_objects import core_path
from tasks.domain.access import Denied, Permission
from tasks.domain.errors import RefusedError

_SELF: Final = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_MAY_I: Final = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
_AT_ONCE: Final = 8


class _User(msgspec.Struct, frozen=True):
    username: str = ""


class _SelfStatus(msgspec.Struct, frozen=True, rename="camel"):
    user_info: _User = _User()


class _SelfReview(msgspec.Struct, frozen=True):
    status: _SelfStatus = _SelfStatus()


class _Decision(msgspec.Struct, frozen=True, rename="camel"):
    allowed: bool = False
    reason: str = ""
    evaluation_error: str = ""


class _AccessReview(msgspec.Struct, frozen=True):
    status: _Decision = _Decision()


class _Secret(msgspec.Struct, frozen=True):
    data: Mapping[str, str] | None = None


_self_review: Final = msgspec.json.Decoder(_SelfReview)
_access_review: Final = msgspec.json.Decoder(_AccessReview)
_secret: Final = msgspec.json.Decoder(_Secret)


class KubernetesAccess:
    """`Access` by way of the API server."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def whoami(self) -> str:
        """Return the user name that the cluster gives us."""
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = decoded(self._review(_SELF, review), _self_review, path=_SELF)
        if not answer.status.user_info.username:
            raise RefusedError("the API server does not say who we are; votes could not be signed")
        return answer.status.user_info.username

    def denied(self, permissions: Sequence[Permission]) -> Sequence[Denied]:
        """Return those that we do not have, in the order asked, with the API server's reasons."""
        with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="access") as threads:
            decisions = threads.map(self._decision, permissions)
            return [
                Denied(permission=permission, reason=decision.reason or decision.evaluation_error)
                for permission, decision in zip(permissions, decisions, strict=True)
                if not decision.allowed
            ]

    def secret(self, namespace: str, name: str, key: str) -> bytes:
        """Return one value of a Secret."""
        path = core_path(namespace, "secrets", name)
        try:
            found = decoded(self._api.get(path), _secret, path=path)
        except Missing as error:
            raise RefusedError(f"there is no Secret {namespace}/{name}") from error
        if key not in (found.data or {}):
            raise RefusedError(f"Secret {namespace}/{name} has no key {key!r}")
        try:
            return base64.b64decode((found.data or {})[key], validate=True)
        except (binascii.Error, ValueError):
            # Without the cause: it would quote the value.
            raise RefusedError(f"key {key!r} of Secret {namespace}/{name} is not base64") from None

    def _decision(self, permission: Permission) -> _Decision:
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": _attributes(permission)},
        }
        return decoded(self._review(_MAY_I, review), _access_review, path=_MAY_I).status

    def _review(self, path: str, review: Mapping[str, object]) -> bytes:
        return self._api.ask(path, msgspec.json.encode(review))


def _attributes(permission: Permission) -> Mapping[str, str]:
    resource, _, subresource = permission.resource.partition("/")
    asked = {
        "verb": permission.verb,
        "group": permission.group,
        "resource": resource,
        "subresource": subresource,
        "namespace": permission.namespace,
        "name": permission.name,
    }
    return {key: value for key, value in asked.items() if value}
