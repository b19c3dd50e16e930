"""The rehearsal's order of events: stage, Prefect, upgrade; and everything away again."""

import sys
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Final

from deployments.rehearsal.faults.parsing import new_revision
from deployments.rehearsal.rehearsing.asking import Asked, Performance
from deployments.rehearsal.rehearsing.in_slack import gates_in_slack, keeping_gates
from deployments.rehearsal.rehearsing.product import Ended, Running, Upgrade, write_parameters
from deployments.rehearsal.rehearsing.progress import Progress
from deployments.rehearsal.rehearsing.signals import Signals
from deployments.rehearsal.rehearsing.stage import Stage, set_up
from deployments.rehearsal.rehearsing.view import View
from deployments.rehearsal.scenario.values import Scenario

INTERRUPTED: Final = 130
_LAST_WORDS: Final = 6.0  # seconds for the end of the thread, and for people to see it


def rehearse(asked: Asked, performance: Performance) -> int:
    """Rehearse an upgrade, and return the upgrade's own exit code."""
    scenario = performance.scenario
    signals, view = Signals(), View(_progress(scenario))
    view.say(f"Rehearsing {scenario.name}: {scenario.description}")
    with signals.heard():
        try:
            return _through(asked, performance, view, signals)
        except KeyboardInterrupt:
            return INTERRUPTED


def _through(asked: Asked, performance: Performance, view: View, signals: Signals) -> int:
    with (
        _prefect(performance, view) as address,
        set_up(asked, view) as stage,
        signals.ignored_afterwards(),
    ):
        view.say(f"Prefect's dashboard: {address().removesuffix('/api')}")
        view.say(
            "For another terminal: "
            f"export KUBECONFIG={stage.kubeconfig} ISTIO_CANARY_HOME={performance.home}"
        )
        with _gates(stage, performance, view, address) as decided:
            ended = _perform(stage, decided, view, signals)
        sys.stdout.write(ended.out)
        sys.stdout.flush()
        if not asked.faults:
            view.say(_comparison(ended.exit_code, performance.scenario))
        if performance.stays:
            view.say("The cluster stays; Ctrl-C ends it")
            stage.cluster.wait()
        return ended.exit_code


def serve(asked: Asked, tell: Callable[[Stage], None]) -> int:
    """Serve a cluster until Ctrl-C."""
    signals, view = Signals(), View(_progress(asked.scenario))
    with signals.heard():
        try:
            with set_up(asked, view) as stage, signals.ignored_afterwards():
                tell(stage)
                stage.cluster.wait()
                view.say("The cluster has ended by itself")
                return 1
        except KeyboardInterrupt:
            return 0


@contextmanager
def _prefect(performance: Performance, view: View) -> Generator[Callable[[], str]]:
    """Start Prefect while the cluster starts, for both take seconds; the address is waited for."""
    with ExitStack() as stack, ThreadPoolExecutor(1) as pool:
        address = pool.submit(stack.enter_context, performance.prefect(view.say))
        try:
            yield address.result
        finally:
            wait([address])


@contextmanager
def _gates(
    stage: Stage, performance: Performance, view: View, address: Callable[[], str]
) -> Generator[Performance]:
    """Have the gates asked in a Slack for a block, where that is wanted."""
    port = performance.slack_port
    if port is None:
        yield performance
        return
    kept = keeping_gates(stage, home=performance.home, prefect=address(), view=view, port=port)
    with kept as slack:
        given = performance.scenario
        upgrade = gates_in_slack(given.upgrade, slack)
        yield replace(performance, scenario=replace(given, upgrade=upgrade))
        threading.Event().wait(_LAST_WORDS)


def _perform(stage: Stage, performance: Performance, view: View, signals: Signals) -> Ended:
    parameters = stage.folder / "parameters.yaml"
    write_parameters(
        parameters, performance.scenario.upgrade, istioctls=list(stage.istioctls.values())
    )
    upgrade = Upgrade(
        kubeconfig=stage.kubeconfig,
        parameters=parameters,
        home=performance.home,
        says_yes=performance.says_yes,
        is_json=performance.is_json,
        asks_here=performance.slack_port is None,
    )
    with view:
        running = Running(upgrade, view.say)
        with signals.left_to(running):
            return running.wait()


def _comparison(code: int, scenario: Scenario) -> str:
    if code == INTERRUPTED:
        return "The rehearsal is over: its cluster goes, and nothing goes on from here"
    if code == scenario.exit_code:
        return f"{scenario.name} has ended with exit code {code}, as it is meant to"
    return (
        f"{scenario.name} has ended with exit code {code}, and is meant to end with "
        f"{scenario.exit_code}"
    )


def _progress(scenario: Scenario | None) -> Progress:
    if scenario is None:
        return Progress(old="", new="")
    return Progress(old=scenario.istio.revision or "default", new=new_revision(scenario))
