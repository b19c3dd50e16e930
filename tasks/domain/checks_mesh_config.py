"""
Whether trust domain, certificate authority and discovery selectors stay what they are.

Where they differ, proxies of one revision do not trust or do not see those of the other. A setting
that is missing has Istio's default; one that cannot be read counts as different. Values are never
quoted, but for the trust domain, which is no secret.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import yaml

from tasks.domain.checks_situation import Situation
from tasks.domain.checks_wording import blocks, listing
from tasks.domain.findings import Finding

_TRUST_DOMAIN: Final = "cluster.local"
_PROVIDER: Final = "istiod"

# Environment of istiod that decides who signs, and with what.
_CA_VARIABLES: Final = (
    "CERT_SIGNER_DOMAIN",
    "ENABLE_CA_SERVER",
    "EXTERNAL_CA",
    "PILOT_CERT_PROVIDER",
    "ROOT_CA_DIR",
    "USE_CACERTS_FOR_SELF_SIGNED_CA",
)


class _Mesh(msgspec.Struct, frozen=True, rename="camel"):
    trust_domain: str | None = None
    ca: Any = None
    ca_certificates: Any = None
    discovery_selectors: list[Any] | None = None


class _Global(msgspec.Struct, frozen=True, rename="camel"):
    pilot_cert_provider: str | None = None
    ca_address: str | None = None
    ca_name: str | None = None


class _Pilot(msgspec.Struct, frozen=True):
    env: Mapping[str, Any] | None = None


class _Values(msgspec.Struct, frozen=True, rename={"shared": "global"}):
    shared: _Global | None = None
    env: Mapping[str, Any] | None = None  # istiod's chart puts it here
    pilot: _Pilot | None = None  # and other ways to install leave it here


class _Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be the same on both sides."""

    trust_domain: str
    ca: Mapping[str, Any]
    discovery: Sequence[bytes]


def mesh_config_findings(situation: Situation) -> Iterator[Finding]:
    """Compare what decides about trust and sight."""
    old, new = situation.old_plane, situation.rendered
    if old is None or new is None:
        return  # said elsewhere, and there is nothing to compare
    try:
        before = _settings(old.mesh_config, old.values)
        after = _settings(new.mesh_config, new.values)
    except (yaml.YAMLError, msgspec.DecodeError, ValueError):
        yield _uncomparable(situation)
        return
    yield from _differences(situation, before, after)


def _settings(mesh_config: str | None, values: str | None) -> _Settings:
    mesh = msgspec.convert(yaml.safe_load(mesh_config or "") or {}, _Mesh)
    given = msgspec.json.decode(values or "{}", type=_Values)
    return _Settings(
        trust_domain=mesh.trust_domain or _TRUST_DOMAIN,
        ca=_ca(mesh, given),
        discovery=sorted(
            msgspec.json.encode(one, order="sorted") for one in mesh.discovery_selectors or ()
        ),
    )


def _ca(mesh: _Mesh, values: _Values) -> Mapping[str, Any]:
    shared = values.shared or _Global()
    env = {**((values.pilot or _Pilot()).env or {}), **(values.env or {})}
    return {
        "global.pilotCertProvider": shared.pilot_cert_provider or _PROVIDER,
        "global.caAddress": shared.ca_address or "",
        "global.caName": shared.ca_name or "",
        "meshConfig.ca": mesh.ca or {},
        "meshConfig.caCertificates": mesh.ca_certificates or [],
        **{f"env.{name}": str(env.get(name, "")).lower() for name in _CA_VARIABLES},
    }


def _uncomparable(situation: Situation) -> Finding:
    return blocks(
        "config-uncomparable",
        f"revision/{situation.old}",
        fact=(
            "The mesh configuration or the values of the old or the new control plane cannot be "
            "understood, "
            "so trust domain, CA and discovery selectors could not be compared."
        ),
        todo=(
            f"Repair the ConfigMaps of revision {situation.old}, or the overlay's meshConfig, and "
            "try again."
        ),
    )


def _differences(situation: Situation, before: _Settings, after: _Settings) -> Iterator[Finding]:
    subject = f"revision/{situation.canary}"
    if before.trust_domain != after.trust_domain:
        yield blocks(
            "trust-domain-differs",
            subject,
            fact=(
                f"The trust domain is {before.trust_domain} and would be {after.trust_domain}, "
                "so policies that name identities would refuse moved workloads."
            ),
            todo=f"Set meshConfig.trustDomain to {before.trust_domain} in the overlay.",
        )
    if differing := [name for name in before.ca if before.ca[name] != after.ca[name]]:
        yield blocks(
            "ca-differs",
            subject,
            fact=(
                f"Certificates would be signed otherwise than now, by {listing(differing)}, "
                "so workloads of the two revisions might not trust each other."
            ),
            todo=(
                "Give the new control plane the old one's settings, or override this after you "
                "proved that both have one root."
            ),
        )
    if before.discovery != after.discovery:
        yield blocks(
            "discovery-selectors-differ",
            subject,
            fact=(
                "The discovery selectors differ between the old and the new control plane, "
                "so proxies would lose sight of services, or namespaces be left without the root "
                "certificate."
            ),
            todo=(
                "Give the overlay the meshConfig.discoverySelectors that the old control plane has."
            ),
        )
