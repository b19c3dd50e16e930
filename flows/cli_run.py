"""Running a flow for the command line: in this process, or as a deployment's run that is followed."""

import atexit
import logging
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from contextvars import copy_context
from datetime import datetime, timedelta
from typing import Any, Protocol

from prefect.client.schemas.objects import State
from prefect.settings import PREFECT_API_URL, temporary_settings

from flows.cli_follow import Follower, Trouble
from flows.cli_output import say
from tasks import voting, wiring
from tasks.domain import report, runs
from tasks.domain.approval import Answer
from tasks.domain.documents import RunReport
from tasks.domain.errors import BadInputError, RefusedError, TransientError, UpgradeError
from tasks.domain.journal import Attempted, Outcome, RunRecord
from tasks.domain.lapsing import LeaseWatch
from tasks.domain.parameters import UpgradeParameters
from tasks.settings import Settings

DEPLOYMENT = "istio-canary"


class Server(Protocol):
    """A Prefect server that several processes may use."""

    def stop_if_unused(self) -> None: ...


_EVERY = 0.5
TICK = timedelta(seconds=_EVERY)
# How long a flow run that was put back in line may take to get a worker and the Lease.
_UNTIL_TAKEN = timedelta(minutes=3)


def quiet_prefect() -> None:
    """Keep Prefect's own log lines off the terminal; its dashboard has them."""
    for handler in logging.getLogger().handlers:
        handler.setLevel(logging.CRITICAL)


def has_deployment(flow: str) -> bool:
    """Whether the configured Prefect API has our deployment of a flow."""
    settings = Settings.read()
    if settings.prefect_api_url is None:
        return False
    try:
        return wiring.prefect_api(settings).has_deployment(f"{flow}/{DEPLOYMENT}")
    except TransientError as error:
        raise BadInputError(
            f"PREFECT_API_URL is {settings.prefect_api_url}, and nobody answers there: {error}; "
            "start that server, or unset it to run here"
        ) from error


@contextmanager
def own_server(settings: Settings) -> Generator[Settings]:
    """Keep a Prefect server of this person's own up for a block."""
    with (
        wiring.local_server(settings, say).used() as url,
        temporary_settings({PREFECT_API_URL: url}),
    ):
        yield settings.with_own_server(url)


def leave_server(server: Server, result: RunReport) -> None:
    """Stop our own server when the run is over; it stays while the same command would go on."""
    if not is_unfinished(result):
        # As late as possible: on its way out, Prefect tells its server what is left to tell.
        atexit.register(server.stop_if_unused)


def run_here(work: Callable[[], State[Any]], follower: Follower) -> RunReport:
    """Run a flow in this process, following its journal. Ctrl-C stops it at the next safe point."""
    quiet_prefect()
    over = threading.Event()
    context = copy_context()
    thread = threading.Thread(target=context.run, args=(_follow, follower, over), daemon=True)
    thread.start()
    try:
        with _stopping_on_signals():
            state = work()
    finally:
        over.set()
        thread.join(timeout=10)
    follower.look()
    return _ended(follower.record, state.name or "", state.message or "")


def _follow(follower: Follower, over: threading.Event) -> None:
    while not over.wait(_EVERY):
        follower.look()


@contextmanager
def _stopping_on_signals() -> Generator[None]:
    keeper = wiring.services().keeper

    def stop(number: int, _frame: object) -> None:
        say("stopping at the next safe point; the same command goes on from there")
        keeper.request_stop()
        signal.signal(number, signal.SIG_DFL)  # the second time it ends at once

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def follow_deployment(flow_run: str, follower: Follower) -> RunReport:
    """
    Follow a deployment's flow run to its end, and put it back in line if its process is gone.

    Outlasts a Prefect or an API server that is away.
    """
    services = wiring.services()
    watch, trouble = LeaseWatch(), Trouble()
    put_back_at: datetime | None = None
    while True:
        try:
            info = services.flow_runs().flow_run(flow_run)
            follower.look()
            if info.is_over:
                return _ended(follower.record, info.state_name, info.state_message, flow_run)
            if info.state_type != "RUNNING" or _is_recent(put_back_at):
                watch.begin_anew()
            elif _has_lapsed(watch, follower.record):
                _put_back(flow_run)
                put_back_at = services.clock.now()
            trouble.is_over()
        except TransientError as error:
            trouble.tell(error)
            watch.begin_anew()
        services.clock.sleep(TICK)


def _has_lapsed(watch: LeaseWatch, record: RunRecord | None) -> bool:
    """Look once a TICK: whether the process that works for a run has stopped to renew."""
    if record is None:
        watch.begin_anew()
        return False
    return watch.has_lapsed(wiring.services().leases.holding(), record.run, after=TICK)


def _is_recent(put_back_at: datetime | None) -> bool:
    # The next process runs before it may have the Lease: a second push would start another one.
    return put_back_at is not None and wiring.services().clock.now() - put_back_at < _UNTIL_TAKEN


def _put_back(flow_run: str) -> None:
    say(f"the process of flow run {flow_run} is gone; putting it back in line")
    try:
        wiring.services().flow_runs().reschedule(flow_run)
    except RefusedError as error:
        say(str(error))  # it has gone on meanwhile


def ask_to_stop(record: RunRecord, person: str) -> None:
    """Ask a deployment's run to abort, so that a rollback need not wait for its Lease to lapse."""
    last = record.last(Attempted)
    if record.finished is not None or last is None or not last.api:
        return  # a run of this person's own server is asked there, by the rollback itself
    try:
        voting.control(record, Answer.ABORT, person=person, reason="to be rolled back")
    except UpgradeError as error:
        say(f"the run could not be asked to stop, so its Lease has to lapse: {error}")


@contextmanager
def prefect_of(record: RunRecord, settings: Settings) -> Generator[Settings]:
    """Reach the Prefect that works for a run: the configured one, or this person's own."""
    last = record.last(Attempted)
    if last is not None and not last.api:
        with own_server(settings) as own:
            yield own
    else:
        yield settings


def flow_run_for(parameters: UpgradeParameters) -> str:
    """Return the deployment's flow run to follow: the unfinished run's, or a new one."""
    services = wiring.services()
    found = runs.to_join(services.records.runs(), parameters)
    last = found.last(Attempted) if found else None
    if last is not None and last.deployment and services.flow_runs().knows(last.flow_run):
        info = services.flow_runs().flow_run(last.flow_run)
        if not info.is_over:
            say(f"going on with flow run {info.name} ({info.state_name})")
            return last.flow_run
    document = {"parameters": parameters.model_dump(mode="json")}
    return services.flow_runs().start(f"upgrade/{DEPLOYMENT}", document)


def _ended(
    record: RunRecord | None, name: str, message: str, flow_run: str | None = None
) -> RunReport:
    """Return how it ended, by the journal; by the flow run's state where there is none."""
    if record is not None and (known := report.run_report(record)) is not None:
        return known
    told = report.state_report(name, message)
    found = record.flow_runs if record else ((flow_run,) if flow_run else ())
    return report.with_run(told, run=record.run if record else None, flow_runs=found)


def is_unfinished(ended: RunReport) -> bool:
    """Whether the same command would go on with the run."""
    return ended.outcome in {Outcome.INTERRUPTED, Outcome.CRASHED}
