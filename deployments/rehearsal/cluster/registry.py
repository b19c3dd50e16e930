"""
What kinds of objects there are: the Kubernetes names of each, and where to find them.

A resource is the same resource in each of its versions; objects are kept in `version` and told in
the version that was asked for.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """One kind of object. Two are equal if group and plural are, whatever else is said of them."""

    group: str
    plural: str
    version: str = field(compare=False)
    kind: str = field(compare=False)
    singular: str = field(compare=False)
    other_list_kind: str = field(default="", compare=False)  # of a CRD that names it otherwise
    short_names: tuple[str, ...] = field(default=(), compare=False)
    namespaced: bool = field(default=True, compare=False)
    subresources: tuple[str, ...] = field(default=(), compare=False)
    categories: tuple[str, ...] = field(default=(), compare=False)
    other_versions: tuple[str, ...] = field(default=(), compare=False)
    is_deleted_together: bool = field(default=True, compare=False)  # has deletecollection
    is_custom: bool = field(default=False, compare=False)

    @property
    def versions(self) -> tuple[str, ...]:
        """All served versions, the preferred one first."""
        return (self.version, *self.other_versions)

    @property
    def api_version(self) -> str:
        return self.in_version(self.version)

    def in_version(self, version: str) -> str:
        """Return the apiVersion of an object in one of the versions."""
        return f"{self.group}/{version}" if self.group else version

    @property
    def qualified(self) -> str:
        """Return the name as errors tell it: `deployments.apps`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def qualified_kind(self) -> str:
        """Return the kind as errors tell it: `Deployment.apps`."""
        return f"{self.kind}.{self.group}" if self.group else self.kind

    @property
    def list_kind(self) -> str:
        return self.other_list_kind or f"{self.kind}List"

    @property
    def has_status(self) -> bool:
        return "status" in self.subresources


class Registry:
    """All resources there are now: the built-in ones, and those that CRDs define."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._found: dict[tuple[str, str], Resource] = {}
        for resource in resources:
            self.add(resource)

    def __iter__(self) -> Iterator[Resource]:
        return iter(self._found.values())

    def add(self, resource: Resource) -> None:
        """Add a resource, or put it in the place of the equal one."""
        self._found[resource.group, resource.plural] = resource

    def remove(self, resource: Resource) -> None:
        self._found.pop((resource.group, resource.plural), None)

    def find(self, group: str, version: str, plural: str) -> Resource | None:
        """Return the resource of a URL."""
        found = self._found.get((group, plural))
        return found if found is not None and version in found.versions else None

    def of_kind(self, api_version: str, kind: str) -> Resource | None:
        """Return the resource of an object, or of an owner reference."""
        group, _, version = api_version.rpartition("/")
        for resource in self:
            if resource.kind == kind and resource.group == group and version in resource.versions:
                return resource
        return None
