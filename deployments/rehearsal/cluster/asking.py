"""What was asked of the server: the parts of a request that are not the object."""

from dataclasses import dataclass
from enum import StrEnum

from deployments.rehearsal.cluster.callers import Caller
from deployments.rehearsal.cluster.registry import Resource


class Operation(StrEnum):
    CREATE = "CREATE"
    UPDATE = "UPDATE"
    DELETE = "DELETE"
    CONNECT = "CONNECT"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who wants to change what, and how."""

    resource: Resource
    name: str
    namespace: str
    caller: Caller
    subresource: str = ""
    dry_run: bool = False
    manager: str = ""  # empty: nobody keeps account of who set what
    version: str = ""  # in which the object is told; empty: the resource's own
    is_strict: bool = True  # a subresource may be served that the resource does not declare

    @property
    def api_version(self) -> str:
        return self.resource.in_version(self.version or self.resource.version)
