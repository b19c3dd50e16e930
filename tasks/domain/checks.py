"""
Everything that is known to break a canary upgrade, looked for before anything is changed.

Pure: an inventory and what is about to be done with it go in, findings come out, always in the
same order. Each subject has a module of its own, `checks_*`.
"""

from collections.abc import Callable, Iterable

from tasks.domain.checks_access import access_findings
from tasks.domain.checks_control_planes import control_plane_findings
from tasks.domain.checks_gateways import gateway_findings
from tasks.domain.checks_manifest import manifest_findings
from tasks.domain.checks_mesh_config import mesh_config_findings
from tasks.domain.checks_namespaces import namespace_findings
from tasks.domain.checks_situation import Situation
from tasks.domain.checks_stragglers import straggler_findings
from tasks.domain.checks_tags import tag_findings
from tasks.domain.checks_versions import version_findings
from tasks.domain.checks_webhooks import webhook_findings
from tasks.domain.checks_workloads import workload_findings
from tasks.domain.findings import Finding, Severity

__all__ = ["Situation", "check"]

_CHECKS: tuple[Callable[[Situation], Iterable[Finding]], ...] = (
    access_findings,
    control_plane_findings,
    gateway_findings,
    manifest_findings,
    mesh_config_findings,
    namespace_findings,
    straggler_findings,
    tag_findings,
    version_findings,
    webhook_findings,
    workload_findings,
)
_ORDER = list(Severity)


def check(situation: Situation) -> tuple[Finding, ...]:
    """Return every finding: the heaviest first, then by code and subject."""
    found = (finding for look in _CHECKS for finding in look(situation))
    return tuple(sorted(found, key=_weight))


def _weight(finding: Finding) -> tuple[int, str, str]:
    return _ORDER.index(finding.severity), finding.code, finding.subject
