"""What may keep a restarted workload's new pods from coming, or stop them from serving."""

from collections.abc import Iterator, Sequence

from tasks.domain.checks_situation import Situation
from tasks.domain.checks_wording import counted, informs, listing, resume, warns
from tasks.domain.findings import Finding
from tasks.domain.inventory import Kind, Workload


def workload_findings(situation: Situation) -> Iterator[Finding]:
    """Look at each workload that is about to get new pods, and at the budgets beside them."""
    restarted = situation.restarted()
    for workload in restarted:
        yield from _strategy(workload)
        yield from _condition(workload)
    yield from _single(restarted)
    yield from _budgets(situation, {one.ref.namespace for one in restarted})


def _strategy(workload: Workload) -> Iterator[Finding]:
    ref = workload.ref
    if workload.is_paused:
        yield warns(
            "paused-deployment",
            ref,
            fact=(
                f"{ref} is paused, so a restart would do nothing; it is left as it is, and the "
                "run ends before the uninstall."
            ),
            todo=f"Resume it before the upgrade: {resume(ref)}.",
        )
    if workload.strategy == "OnDelete":
        yield warns(
            "on-delete",
            ref,
            fact=(
                f"{ref} replaces its pods only when they are deleted (OnDelete), so the run "
                "deletes them one by one."
            ),
            todo="Make sure that its pods may go at that time.",
        )
    if workload.partition > 0:
        yield warns(
            "partition",
            ref,
            fact=(
                f"{ref} has partition {workload.partition}, and a restart leaves the pods below "
                "it as they are, "
                "so the run deletes its pods one by one."
            ),
            todo=(
                "Set spec.updateStrategy.rollingUpdate.partition to 0, if its rollout need not "
                "stay divided."
            ),
        )
    yield from _gap(workload)


def _gap(workload: Workload) -> Iterator[Finding]:
    """Say where no pod serves for a moment."""
    ref = workload.ref
    if workload.strategy == "Recreate":
        yield warns(
            "recreate",
            ref,
            fact=(
                f"{ref} ends all of its pods before it makes new ones (Recreate), so nothing "
                "serves in between."
            ),
            todo="Change its strategy to RollingUpdate, or move its namespace when it may be away.",
        )
    elif ref.kind is Kind.STATEFUL_SET and workload.replicas == 1:
        yield warns(
            "single-replica",
            ref,
            fact=(
                f"{ref} has one replica, and a StatefulSet ends a pod before it makes the next, "
                "so nothing serves in between."
            ),
            todo="Give it a second replica, or move its namespace when it may be away.",
        )


def _condition(workload: Workload) -> Iterator[Finding]:
    ref = workload.ref
    if workload.ready < workload.replicas:
        why = f" ({workload.failure})" if workload.failure else ""
        yield warns(
            "not-ready",
            ref,
            fact=(
                f"{ref} has {workload.ready} of {counted(workload.replicas, 'pod')} ready before "
                f"anything is changed{why}."
            ),
            todo="Repair it first; else the run asks no more of it than it had.",
        )
    if workload.owner is not None:
        yield warns(
            "foreign-owner",
            ref,
            fact=f"{ref} is kept by {workload.owner}, whose controller may undo the restart.",
            todo="Look whether it does; if so, restart it the way its controller wants.",
        )


def _single(restarted: Sequence[Workload]) -> Iterator[Finding]:
    """Say it once a namespace: most are harmless, and there may be hundreds."""
    by_namespace: dict[str, list[str]] = {}
    for one in restarted:
        is_rolling = one.strategy == "RollingUpdate" and one.ref.kind in {
            Kind.DEPLOYMENT,
            Kind.ROLLOUT,
        }
        if one.replicas == 1 and is_rolling:
            by_namespace.setdefault(one.ref.namespace, []).append(one.ref.name)
    for namespace, names in by_namespace.items():
        yield informs(
            "single-replicas",
            f"namespace/{namespace}",
            fact=(
                f"In {namespace} {counted(len(names), 'workload')} of one replica will be "
                "restarted: "
                f"{listing(sorted(names))}; for a while only the new pod serves."
            ),
            todo="Nothing, if maxSurge leaves room for a second pod; see that a quota does.",
        )


def _budgets(situation: Situation, namespaces: set[str]) -> Iterator[Finding]:
    for one in situation.inventory.budgets:
        if one.namespace in namespaces and one.expected_pods > 0 and one.disruptions_allowed == 0:
            yield warns(
                "budget-exhausted",
                f"{one.namespace}/PodDisruptionBudget/{one.name}",
                fact=(
                    f"PodDisruptionBudget {one.name} in {one.namespace} allows no disruption now, "
                    "and a rolling restart does not ask it."
                ),
                todo=(
                    "See that maxUnavailable and maxSurge of its workloads say what the budget "
                    "means."
                ),
            )
