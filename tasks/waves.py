"""A wave's beginning and end: which failure counts, and the way back."""

from collections.abc import Sequence
from typing import Any

import msgspec
from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture

from tasks import wiring
from tasks.domain.ending import RunEndedError
from tasks.domain.errors import (
    HaltedError,
    LeaseLostError,
    RefusedError,
    StopRequested,
    UnhealthyError,
    UpgradeError,
)
from tasks.domain.journal import (
    Moved,
    Outcome,
    RunRecord,
    Settled,
    WaveFailed,
    WaveRolledBack,
)
from tasks.domain.parameters import UpgradeParameters
from tasks.domain.plan import Plan, Wave
from tasks.domain.runs import carried_labels
from tasks.journaling import note, now, patiently, record, say
from tasks.namespaces import move_back
from tasks.proxies import await_arrival
from tasks.retrying import PATIENTLY, when_transient


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One wave and what is needed to move it, or to take it back."""

    wave: Wave
    plan: Plan
    parameters: UpgradeParameters


def is_moved(wave: Wave) -> bool:
    """Whether the wave is on the new revision and verified."""
    return wave.number in record().moved_waves


def begin_wave(attempt: Attempt) -> None:
    """Let the wave's batches begin; a wave that had begun to go back goes all the way."""
    wiring.services().wave_failed.clear()
    failed, undone = record().last(WaveFailed), record().last(WaveRolledBack)
    if failed is not None and failed.wave == attempt.wave.number:
        raise _taken_back(attempt, failed) if undone is None else _ended(attempt, undone)


def finish_wave(
    attempt: Attempt,
    batches: Sequence[PrefectFuture[list[str]]],
    verified: PrefectFuture[None],
) -> None:
    """Wait for the wave to arrive. Raises RunEndedError after taking it back, if it does not."""
    failures = [error for one in batches if (error := _error(one)) is not None]
    if not failures and (late := _error(verified)) is not None:
        failures.append(late)
    number = attempt.wave.number
    if not failures:
        note(Moved(at=now(), wave=number))
        return
    error = _gravest(failures)
    if not isinstance(error, UnhealthyError | RefusedError):
        raise error
    failed = WaveFailed(at=now(), wave=number, why=str(error))
    note(failed)
    raise _taken_back(attempt, failed)


def _error(future: PrefectFuture[Any]) -> BaseException | None:
    outcome = future.result(raise_on_failure=False)
    return outcome if isinstance(outcome, BaseException) else None


def _gravest(failures: Sequence[BaseException]) -> BaseException:
    """Return what decides about the wave: a bug, a lost Lease, a stop and an abort leave it as it is."""
    return min(failures, key=_gravity)


def _gravity(error: BaseException) -> int:
    if not isinstance(error, UpgradeError):
        return 0
    if isinstance(error, LeaseLostError):
        return 1
    if isinstance(error, StopRequested | RunEndedError):
        return 2
    # One batch fails for itself; the others say that they stopped because of it.
    return 4 if isinstance(error, HaltedError) else 3


def _taken_back(attempt: Attempt, failed: WaveFailed) -> RunEndedError:
    wiring.services().wave_failed.clear()
    say(f"wave {failed.wave} goes back: {failed.why}", wave=failed.wave)
    try:
        roll_back_wave.submit(attempt.wave, attempt.plan, attempt.parameters).result()
    except (UnhealthyError, RefusedError) as error:
        text = f"wave {failed.wave} failed ({failed.why}), and so did its way back: {error}"
        return RunEndedError(Outcome.STOPPED, text, (_look(attempt),))
    note(WaveRolledBack(at=now(), wave=failed.wave, why=failed.why))
    return _ended(attempt, failed)


def _ended(attempt: Attempt, failed: WaveFailed | WaveRolledBack) -> RunEndedError:
    old = attempt.plan.old_revision
    if (but := _not_on_old(attempt.plan)) is not None:
        text = f"wave {failed.wave} was rolled back: {failed.why}; {but}"
        todo = "repair what failed and run the same command again, or undo all with `rollback`"
        return RunEndedError(Outcome.STOPPED, text, (todo,))
    text = f"wave {failed.wave} was rolled back, everything is on {old}: {failed.why}"
    todo = "repair what failed and run the same command again; the canary stays for that"
    return RunEndedError(Outcome.ROLLED_BACK, text, (todo,))


def _not_on_old(plan: Plan) -> str | None:
    """Say what is on the new revision still, by this run or an earlier one; None if nothing is."""
    known = record()
    # Before the last wave has moved, only an earlier run can have settled labels.
    if known.moved_waves or known.of(Settled) or _is_labelled_still(known, plan):
        return "what moved before it stays moved"
    return "some of it was left behind" if known.left_behind else None


def _is_labelled_still(known: RunRecord, plan: Plan) -> bool:
    inventory = patiently(wiring.services().cluster.read)
    return bool(carried_labels(known, inventory, plan.new_revision))


def _look(attempt: Attempt) -> str:
    names = ", ".join(move.name for move in attempt.wave.namespaces)
    return f"look at the workloads of {names}, then run `istio-canary rollback`"


@task(
    task_run_name="wave {wave.number}: roll back to {plan.old_revision}",
    retries=len(PATIENTLY),
    retry_delay_seconds=PATIENTLY,
    retry_condition_fn=when_transient,
    cache_policy=NO_CACHE,
)
def roll_back_wave(wave: Wave, plan: Plan, parameters: UpgradeParameters) -> None:
    """Give a wave's namespaces their labels and old pods back. Safe to repeat."""
    names = [move.name for move in wave.namespaces]
    move_back(names, plan, parameters, wave=wave.number)
    await_arrival(names, plan.old_revision, parameters)
