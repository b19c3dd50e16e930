"""Which failures a task run may try again, and how patiently."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import Task

from tasks.adapters.ports import Clock
from tasks.domain.errors import TransientError

_T = TypeVar("_T")

# Seconds before each retry of a task: together more than an hour of an API server's absence.
PATIENTLY = [2.0, 5.0, 10.0, 20.0, 40.0, *(90.0,) * 45]


async def when_transient(_task: Task[..., object], _run: TaskRun, state: State[object]) -> bool:
    """Allow a retry for `TransientError` only."""
    # A plain function on purpose: Prefect takes any other callable for "never retry".
    outcome = await state.aresult(raise_on_failure=False)
    return isinstance(outcome, TransientError)


def insist(
    ask: Callable[[], _T],
    *,
    clock: Clock,
    check: Callable[[], object],
    every: timedelta = timedelta(seconds=3),
) -> _T:
    """
    Ask until there is an answer, however long that takes.

    For what the run cannot go on without and that waiting does not make worse, such as "has anybody voted?" or an
    entry in the journal. Without an answer it ends as soon as `check` says for certain that this process may not go on.
    A doubt about that ends nothing: who could not renew the Lease for a while may find that it still has it.
    """
    while True:
        try:
            return ask()
        except TransientError:
            with suppress(TransientError):
                check()
        clock.sleep(every)
