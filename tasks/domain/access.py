"""What a run needs to be allowed, in the terms of SelfSubjectAccessReview."""

import msgspec


class Permission(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One verb on one kind of resource."""

    verb: str
    resource: str  # plural; with its subresource: `pods/portforward`
    group: str = ""
    namespace: str = ""  # empty: all namespaces, or a cluster-wide resource
    name: str = ""

    def __str__(self) -> str:
        """Return `patch apps/deployments in shop`."""
        what = f"{self.group}/{self.resource}" if self.group else self.resource
        named = f" {self.name!r}" if self.name else ""
        return f"{self.verb} {what}{named} " + (
            f"in {self.namespace}" if self.namespace else "in the whole cluster"
        )


class Denied(msgspec.Struct, frozen=True, kw_only=True):
    """A permission that we do not have."""

    permission: Permission
    reason: str = ""
