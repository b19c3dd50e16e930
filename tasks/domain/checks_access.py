"""What we may not do, and what we could not read: both count as unsafe."""

from collections.abc import Iterator, Sequence

from tasks.domain.access import Denied, Permission
from tasks.domain.checks_situation import Situation
from tasks.domain.checks_wording import blocks, listing, warns
from tasks.domain.findings import Finding


def access_findings(situation: Situation) -> Iterator[Finding]:
    """Name each missing right, each source that could not be read, each silent istiod."""
    yield from _denied(situation.denied)
    for one in situation.inventory.unread:
        yield blocks(
            "unread",
            one.what,
            fact=(
                f"{one.what} could not be read ({one.why}), so what they would say about the "
                "upgrade is unknown."
            ),
            todo=(
                "Give the right to list them in the whole cluster, or make the API server "
                "answer, and try again."
            ),
        )
    yield from _silent(situation)


def _denied(denied: Sequence[Denied]) -> Iterator[Finding]:
    grouped: dict[tuple[str, str, str], list[Denied]] = {}
    for one in denied:
        what = one.permission
        grouped.setdefault((what.verb, what.group, what.resource), []).append(one)
    for key in sorted(grouped):
        yield _missing(grouped[key])


def _missing(denied: Sequence[Denied]) -> Finding:
    first = min(one.permission for one in denied)
    what = f"{first.group}/{first.resource}" if first.group else first.resource
    where = _where([one.permission for one in denied])
    reason = next((f" ({one.reason})" for one in denied if one.reason), "")
    return blocks(
        "denied",
        f"permission/{first.verb}/{what}",
        fact=f"We may not {first.verb} {what} {where}{reason}, and the plan needs it.",
        todo=_rule(first, where),
    )


def _where(permissions: Sequence[Permission]) -> str:
    namespaces = sorted({one.namespace for one in permissions if one.namespace})
    if not namespaces or any(not one.namespace for one in permissions):
        return "in the whole cluster"
    return f"in {listing(namespaces)}"


def _rule(permission: Permission, where: str) -> str:
    kind = "ClusterRole" if where == "in the whole cluster" else "Role"
    return (
        f'Grant a {kind} with apiGroups: ["{permission.group}"], '
        f'resources: ["{permission.resource}"], '
        f'verbs: ["{permission.verb}"] {where}.'
    )


def _silent(situation: Situation) -> Iterator[Finding]:
    asked = {report.istiod.name for report in situation.reports}
    silent = {
        report.istiod.name: report.problem or "no answer"
        for report in situation.reports
        if report.proxies is None
    }
    plane = situation.old_plane
    for pod in plane.pods if plane else ():
        if pod.name not in asked:
            silent[pod.name] = "it was not asked"
    for name, problem in silent.items():
        yield warns(
            "proxies-unread",
            f"istiod/{name}",
            fact=(
                f"Istiod {name} did not say which proxies use it ({problem}); the uninstall will "
                "be refused while it is silent."
            ),
            todo="Make it answer /debug/syncz on port 15014 through a port-forward.",
        )
