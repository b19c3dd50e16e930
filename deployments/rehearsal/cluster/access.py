"""Authentication: from the headers of a request to the caller, and to whom they impersonate."""

from collections.abc import Sequence
from typing import Final, Protocol

from deployments.rehearsal.cluster.callers import AUTHENTICATED, Caller
from deployments.rehearsal.cluster.errors import unauthorized
from deployments.rehearsal.cluster.rbac import Attributes, Rights
from deployments.rehearsal.cluster.store import Store
from deployments.rehearsal.cluster.tokens import Tokens

_ANONYMOUS: Final = Caller(name="system:anonymous", groups=("system:unauthenticated",))
_ACCOUNT: Final = "system:serviceaccount:"


class Headers(Protocol):
    """Headers of a request, as far as they are looked at."""

    def __contains__(self, key: object, /) -> bool: ...

    def __getitem__(self, key: str, /) -> str: ...

    def getlist(self, key: str) -> list[str]: ...


class Access:
    """Who asks, and what they may."""

    def __init__(self, store: Store) -> None:
        self.tokens = Tokens(store)
        self.rights = Rights(store)

    def caller(self, headers: Headers) -> Caller:
        """Return who asks. Raises ApiError: 401 for a bad token, 403 for impersonating others."""
        found = self._authenticated(headers)
        name = _header(headers, "impersonate-user")
        groups = headers.getlist("impersonate-group")
        if not name and not groups:
            return found
        self.rights.check(found, _impersonation("users", name))
        for group in groups:
            self.rights.check(found, _impersonation("groups", group))
        return Caller(name=name, groups=_groups(name, groups))

    def _authenticated(self, headers: Headers) -> Caller:
        scheme, _, token = _header(headers, "authorization").partition(" ")
        if not token:
            return _ANONYMOUS
        caller = self.tokens.caller(token.strip()) if scheme.lower() == "bearer" else None
        if caller is None:
            raise unauthorized()
        return caller


def _header(headers: Headers, name: str) -> str:
    return headers[name] if name in headers else ""  # noqa: SIM401  # the protocol has no get


def _impersonation(resource: str, name: str) -> Attributes:
    return Attributes(verb="impersonate", resource=resource, name=name)


def _groups(name: str, given: Sequence[str]) -> tuple[str, ...]:
    groups = [*given]
    if name.startswith(_ACCOUNT) and not given:
        namespace = name.removeprefix(_ACCOUNT).partition(":")[0]
        groups += ["system:serviceaccounts", f"system:serviceaccounts:{namespace}"]
    return tuple(dict.fromkeys([*groups, AUTHENTICATED]))
