"""The run's journal as tasks use it: read it, add to it, tell people."""

from datetime import datetime

from prefect.exceptions import MissingContextError
from prefect.logging import get_logger, get_run_logger

from tasks import wiring
from tasks.domain.errors import RefusedError
from tasks.domain.journal import Entry, RunRecord, Step
from tasks.domain.plan import Plan, decoded


def record() -> RunRecord:
    """Return the current run's journal."""
    return wiring.services().records.run(wiring.run())


def note(entry: Entry) -> None:
    """Add an entry to the current run's journal."""
    wiring.services().records.append(wiring.run(), entry)


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
    document = wiring.services().records.plan(wiring.run())
    if document is None:
        raise RefusedError(f"the plan of run {wiring.run()} is gone from its journal")
    return decoded(document)
