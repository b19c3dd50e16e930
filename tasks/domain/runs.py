"""Which run of a cluster a command is about: to go on with, to follow on, to undo."""

from collections.abc import Mapping, Sequence

import msgspec

from tasks.domain.errors import BadInputError, RefusedError
from tasks.domain.inventory import Inventory
from tasks.domain.journal import Installed, Outcome, Planned, RunRecord, Settled
from tasks.domain.parameters import UpgradeParameters
from tasks.domain.plan import injection_labels
from tasks.domain.revision import REVISION_LABEL

# Prefect's state types that a flow run never leaves.
FINAL_STATES = frozenset({"COMPLETED", "FAILED", "CANCELLED", "CRASHED"})


class FlowRunInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One flow run, as Prefect has it now."""

    id: str
    name: str
    state_type: str
    state_name: str
    state_message: str
    deployment_id: str | None
    state_id: str = ""  # each change of state has a new one

    @property
    def is_over(self) -> bool:
        """Whether its state is one that it never leaves."""
        return self.state_type in FINAL_STATES


def unfinished(records: Sequence[RunRecord]) -> RunRecord | None:
    """
    Return the run that is under way.

    One that never had a plan has changed nothing and does not count.
    """
    open_runs = [one for one in records if one.finished is None and one.of(Planned)]
    return open_runs[-1] if open_runs else None


def to_join(records: Sequence[RunRecord], parameters: UpgradeParameters) -> RunRecord | None:
    """
    Return the unfinished run that these parameters go on with.

    Raises RefusedError if they ask for another.
    """
    run = unfinished(records)
    if run is None:
        return None
    if run.started.parameters != parameters.fingerprint():
        raise RefusedError(
            f"run {run.run} to {run.started.target}, asked for by {run.started.requester}, "
            "is not finished and was started with other parameters; "
            f"repeat its own command, or undo it with `istio-canary rollback {run.run}`"
        )
    if run.attempt_is_rollback:
        raise RefusedError(
            f"run {run.run} is being rolled back; go on with `istio-canary rollback {run.run}`"
        )
    return run


def predecessor(
    records: Sequence[RunRecord], inventory: Inventory, canary: str
) -> RunRecord | None:
    """Return the last run of ours that installed this canary, if the canary is still there."""
    if inventory.control_plane(canary) is None:
        return None
    ours = [
        one
        for one in records
        if one.finished is not None and any(entry.revision == canary for entry in one.of(Installed))
    ]
    return ours[-1] if ours else None


def carried_labels(
    earlier: RunRecord | None, inventory: Inventory, canary: str
) -> dict[str, Mapping[str, str]]:
    """
    Return what namespaces said before an earlier run.

    Only of those that still say what that run made of it.
    """
    if earlier is None:
        return {}
    ours = {REVISION_LABEL: canary}
    return {
        name: previous
        for name, previous in earlier.previous_labels.items()
        if (namespace := inventory.namespace(name)) is not None
        and injection_labels(namespace.labels) == ours
    }


def settled_labels(earlier: RunRecord | None, inventory: Inventory) -> dict[str, Mapping[str, str]]:
    """
    Return what namespaces said before an earlier run that moved them, and say again.

    Their proxies are on the canary by way of the default or a tag: undoing has to restart them.
    """
    if earlier is None:
        return {}
    settled = {entry.namespace for entry in earlier.of(Settled)}
    return {
        name: previous
        for name, previous in earlier.previous_labels.items()
        if name in settled
        and (namespace := inventory.namespace(name)) is not None
        and injection_labels(namespace.labels) == dict(previous)
    }


def to_roll_back(records: Sequence[RunRecord], wanted: str | None) -> RunRecord:
    """
    Return the run to undo: the newest, or one that no later run has built upon.

    Raises BadInputError or RefusedError with the reason.
    """
    chosen = next(
        (one for one in reversed(records) if wanted in {None, one.run} and one.of(Planned)), None
    )
    if chosen is None:
        known = ", ".join(one.run for one in records if one.of(Planned)) or "none"
        raise BadInputError(
            f"there is no run {wanted or ''} to roll back in this cluster; there are: {known}".replace(
                "  ", " "
            )
        )
    refuse_past_return(chosen)
    if (later := _built_upon(chosen, records)) is not None:
        raise RefusedError(
            f"run {chosen.run} was followed by run {later.run}, which takes back what those before it "
            f"left as well: `istio-canary rollback {later.run}`"
        )
    return chosen


def _built_upon(run: RunRecord, records: Sequence[RunRecord]) -> RunRecord | None:
    """Return the newest later run that went on with what this one left, None if there is none."""
    names = [one.run for one in records]
    later = records[names.index(run.run) + 1 :]
    return next(
        (
            one
            for one in reversed(later)
            if one.of(Planned)
            and not is_rolled_back(one)
            and (one.started.revision == run.started.revision or bool(one.of(Installed)))
        ),
        None,
    )


def refuse_past_return(run: RunRecord) -> None:
    """Raise RefusedError if a run has begun to uninstall what a rollback would go back to."""
    if run.is_past_return:
        raise RefusedError(
            f"run {run.run} has begun to uninstall revision {run.started.old}, "
            "so there is no way back; finish it with the same upgrade command"
        )


def is_rolled_back(run: RunRecord) -> bool:
    """Whether the whole run has been undone, canary included."""
    finished = run.finished
    return (
        finished is not None and finished.outcome is Outcome.ROLLED_BACK and run.attempt_is_rollback
    )


def chosen(records: Sequence[RunRecord], wanted: str | None) -> RunRecord:
    """
    Return the run that a person names; without a name the unfinished one, else the newest.

    Raises BadInputError.
    """
    if wanted is None:
        run = unfinished(records) or (records[-1] if records else None)
    else:
        run = next((one for one in records if one.run == wanted), None)
    if run is None:
        known = ", ".join(one.run for one in records) or "none"
        raise BadInputError(
            f"there is no run {wanted or ''} in this cluster; there are: {known}".replace("  ", " ")
        )
    return run
