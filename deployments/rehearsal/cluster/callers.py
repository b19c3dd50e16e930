"""Who asks: the user that the API server takes a request to come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from deployments.rehearsal.cluster.objects import Json

MASTERS: Final = "system:masters"
AUTHENTICATED: Final = "system:authenticated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A user, as authentication found them."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    def user_info(self) -> Json:
        """Return the caller as UserInfo."""
        info: Json = {"username": self.name}
        if self.uid:
            info["uid"] = self.uid
        if self.groups:
            info["groups"] = list(self.groups)
        if self.extra:
            info["extra"] = {key: list(values) for key, values in self.extra.items()}
        return info


# The API server itself, for what is done within it.
SYSTEM: Final = Caller(name="system:apiserver", groups=(MASTERS, AUTHENTICATED))


def service_account(namespace: str, name: str, *, uid: str = "") -> Caller:
    """Return the caller that a ServiceAccount is."""
    return Caller(
        name=f"system:serviceaccount:{namespace}:{name}",
        uid=uid,
        groups=("system:serviceaccounts", f"system:serviceaccounts:{namespace}", AUTHENTICATED),
    )
