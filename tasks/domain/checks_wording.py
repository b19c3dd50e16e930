"""How findings are put into words: the few shapes that all checks share. Decides nothing."""

from collections.abc import Sequence

from tasks.domain.findings import Finding, Severity
from tasks.domain.inventory import Kind, WorkloadRef

_SHOWN = 5


def blocks(code: str, subject: object, *, fact: str, todo: str) -> Finding:
    """Return a finding that stops the run."""
    return _finding(Severity.BLOCKS, code, subject, fact=fact, todo=todo)


def warns(code: str, subject: object, *, fact: str, todo: str) -> Finding:
    """Return a finding that people should look at."""
    return _finding(Severity.WARNS, code, subject, fact=fact, todo=todo)


def informs(code: str, subject: object, *, fact: str, todo: str) -> Finding:
    """Return a finding that is worth recording."""
    return _finding(Severity.INFORMS, code, subject, fact=fact, todo=todo)


def _finding(severity: Severity, code: str, subject: object, *, fact: str, todo: str) -> Finding:
    return Finding(code=code, severity=severity, subject=str(subject), fact=fact, todo=todo)


def listing(names: Sequence[str]) -> str:
    """Return `a, b and 3 more`: in order, and short enough for a table."""
    if len(names) <= _SHOWN:
        return ", ".join(names)
    return f"{', '.join(names[:_SHOWN])} and {len(names) - _SHOWN} more"


def counted(number: int, noun: str) -> str:
    """Return `1 pod` or `2 pods`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def restart(ref: WorkloadRef) -> str:
    """Return the command that restarts a workload."""
    if ref.kind is Kind.ROLLOUT:
        return f"kubectl argo rollouts restart {ref.name} -n {ref.namespace}"
    return f"kubectl rollout restart {ref.kind.lower()}/{ref.name} -n {ref.namespace}"


def resume(ref: WorkloadRef) -> str:
    """Return the command that ends a workload's pause."""
    if ref.kind is Kind.ROLLOUT:
        return f"kubectl argo rollouts promote {ref.name} -n {ref.namespace}"
    return f"kubectl rollout resume {ref.kind.lower()}/{ref.name} -n {ref.namespace}"
