"""
The run's journal as tasks use it: read it, add to it, tell people.

A run must not end because the API server is away for a while, wherever in the flow that happens. So what reads and
writes the journal waits for it as long as this process may work; see `insist`.
"""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from prefect.exceptions import MissingContextError
from prefect.logging import get_logger, get_run_logger

from tasks import wiring
from tasks.domain.errors import RefusedError
from tasks.domain.journal import Entry, RunRecord, Step
from tasks.domain.plan import Plan, decoded
from tasks.retrying import insist

_T = TypeVar("_T")


def patiently(ask: Callable[[], _T]) -> _T:
    """Ask the outside world for what the run cannot go on without, until it answers."""
    services = wiring.services()
    # Before a run is taken up there is no Lease yet that could be lost.
    check = services.keeper.check if wiring.is_working() else services.keeper.check_stop
    return insist(ask, clock=services.clock, check=check)


def record() -> RunRecord:
    """Return the current run's journal."""
    return patiently(partial(wiring.services().records.run, wiring.run()))


def note(entry: Entry) -> None:
    """Add an entry to the current run's journal."""
    patiently(partial(wiring.services().records.append, wiring.run(), entry))


def now() -> datetime:
    """Return the time, for an entry."""
    return wiring.services().clock.now()


def say(text: str, *, wave: int | None = None, namespace: str | None = None) -> None:
    """Tell people about a milestone: in the journal, where `status -w` follows it, and in the run's log."""
    log(text)
    note(Step(at=now(), text=text, wave=wave, namespace=namespace))


def log(text: str) -> None:
    """Write a line to the Prefect run's log."""
    try:
        get_run_logger().info(text)
    except MissingContextError:
        get_logger("istio-canary").info(text)


def plan() -> Plan:
    """Return the current run's plan. Raises RefusedError when the journal has none."""
    document = patiently(partial(wiring.services().records.plan, wiring.run()))
    if document is None:
        raise RefusedError(f"the plan of run {wiring.run()} is gone from its journal")
    return decoded(document)
