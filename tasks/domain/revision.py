"""Istio versions, revisions and the labels that name them."""

import re
from typing import Final, Self

import msgspec

from tasks.domain.errors import BadInputError

REVISION_LABEL: Final = "istio.io/rev"
INJECTION_LABEL: Final = "istio-injection"
TAG_LABEL: Final = "istio.io/tag"
INJECT_LABEL: Final = "sidecar.istio.io/inject"
STATUS_ANNOTATION: Final = "sidecar.istio.io/status"
COMPONENT_LABEL: Final = "operator.istio.io/component"

# An istiod installed without --revision calls itself so; the default tag has the same name.
DEFAULT: Final = "default"

# Stands for the revision of a proxy whose marks cannot be read: it may be any.
UNKNOWN: Final = "unknown"

# Kubernetes' RFC 1123 label, which istioctl asks of a revision (operator/cmd/mesh/install.go).
_DNS_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_VERSION: Final = re.compile(r"v?([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})(?:-[0-9A-Za-z.-]+)?")


class Version(msgspec.Struct, frozen=True, order=True):
    """A released Istio version."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """
        Read `1.29.1`, or what an istiod says of itself (`1.29.1-unknown-Clean`).

        Raises BadInputError for anything else.
        """
        match = _VERSION.fullmatch(text)
        if match is None:
            raise BadInputError(f"an Istio version looks like 1.29.1, not {text!r}")
        return cls(*(int(part) for part in match.groups()))

    def __str__(self) -> str:
        """Return the version as Istio writes it."""
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def revision(self) -> str:
        """The revision name derived from this version: `1.29.1` gives `1-29-1`."""
        return f"{self.major}-{self.minor}-{self.patch}"

    def minors_ahead_of(self, other: "Version") -> int:
        """How many minor releases lie between, negative for a downgrade."""
        return (self.major - other.major) * 1000 + self.minor - other.minor


def is_dns_label(name: str) -> bool:
    """Whether Kubernetes takes the name for a label value or a namespace."""
    return _DNS_LABEL.fullmatch(name) is not None


def checked_revision(name: str) -> str:
    """Return a revision name that istioctl would take, or raise BadInputError."""
    if not is_dns_label(name):
        raise BadInputError(
            f"revision {name!r} is not a DNS-1123 label: lower case letters, digits and '-', "
            "63 at most, for example 1-29-1"
        )
    if name == DEFAULT:
        raise BadInputError(
            "revision 'default' is what an istiod without a revision calls itself; "
            "name the canary after its version, for example 1-29-1"
        )
    if name == UNKNOWN:
        raise BadInputError(
            "revision 'unknown' is how proxies are listed whose revision cannot be read; "
            "name the canary after its version, for example 1-29-1"
        )
    return name
