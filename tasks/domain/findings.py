"""Facts about an inventory that a person has to know before an upgrade, and how much they weigh."""

import enum
from collections.abc import Collection, Sequence

import msgspec


class Severity(enum.StrEnum):
    """How much a finding weighs."""

    BLOCKS = "BLOCKS"  # the run does not start
    WARNS = "WARNS"  # the run starts; people should look
    INFORMS = "INFORMS"  # worth recording


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """
    One fact about one object: what is wrong, why it matters and what to do.

    `code` is stable (`paused-deployment`), and with `subject` names the finding for an override:
    `paused-deployment:shop/Deployment/cart`.
    """

    code: str
    severity: Severity
    subject: str  # `shop/Deployment/cart`, `namespace/shop`, `revision/1-28-3`, `cluster`
    fact: str
    todo: str

    @property
    def name(self) -> str:
        """How an override names this finding."""
        return f"{self.code}:{self.subject}"


def blocking(findings: Sequence[Finding], *, overridden: Collection[str]) -> tuple[Finding, ...]:
    """Return what stops a run: BLOCKS that no override names."""
    return tuple(
        finding
        for finding in findings
        if finding.severity is Severity.BLOCKS and finding.name not in overridden
    )
