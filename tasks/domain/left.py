"""What a run has left as it was, and what people still have to do about it."""

from tasks.domain.journal import Finished, LeftAlone, RollingBack, RunRecord
from tasks.domain.plan import labels_text


def left_todo(record: RunRecord) -> tuple[str, ...]:
    """Return a sentence for each workload and each namespace that was left."""
    return (*_workloads(record), *(_namespace(one) for one in left_alone(record).values()))


def _workloads(record: RunRecord) -> tuple[str, ...]:
    return tuple(
        f"{one.workload} was not healthy before and was left behind ({one.why}): "
        "repair it, then restart it"
        for one in record.left_behind.values()
    )


def left_alone(record: RunRecord) -> dict[str, LeftAlone]:
    """Return what each namespace was left for first; a way back touches none of them, and begins anew."""
    found: dict[str, LeftAlone] = {}
    for entry in record.entries:
        if isinstance(entry, RollingBack | Finished):
            found.clear()
        elif isinstance(entry, LeftAlone):
            found.setdefault(entry.namespace, entry)
    return found


def _namespace(left: LeftAlone) -> str:
    changed = (
        f"somebody changed the labels of namespace {left.namespace} to {labels_text(left.labels)}"
    )
    if left.is_moved:
        return f"{changed} after it had moved, so they stay: look whether that is meant"
    return (
        f"{changed} since the plan, so it was not moved: if that is meant, restart its workloads; "
        "else put its labels back and run the same command again"
    )
