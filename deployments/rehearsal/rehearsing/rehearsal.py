"""The rehearsal's order of events: stage, Prefect, upgrade; and everything away again."""

import sys
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Final

from deployments.rehearsal.faults.parsing import new_revision
from deployments.rehearsal.rehearsing.asking import Asked, Performance
from deployments.rehearsal.rehearsing.in_slack import (
    await_end_of_thread,
    gates_in_slack,
    keeping_gates,
    pointing_to,
    slack_at,
)
from deployments.rehearsal.rehearsing.product import Ended, Running, Upgrade, write_parameters
from deployments.rehearsal.rehearsing.progress import Progress
from deployments.rehearsal.rehearsing.signals import Signals
from deployments.rehearsal.rehearsing.stage import Stage, set_up
from deployments.rehearsal.rehearsing.view import View
from deployments.rehearsal.scenario.values import Scenario
from deployments.rehearsal.slack.running import RunningSlack

INTERRUPTED: Final = 130


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
        _slack(performance, view) as slack,
        _prefect(performance, view) as address,
        set_up(asked, view) as stage,
    ):
        view.say(f"Prefect's dashboard: {address().removesuffix('/api')}")
        view.say(
            "For another terminal: "
            f"export KUBECONFIG={stage.kubeconfig} ISTIO_CANARY_HOME={performance.home}"
        )
        with _gates(stage, performance, view, slack, address()), signals.ignored_afterwards():
            ended = _perform(stage, performance, slack, view, signals)
            sys.stdout.write(ended.out)
            sys.stdout.flush()
            if not asked.faults:
                view.say(_comparison(ended.exit_code, performance.scenario))
            if performance.stays:
                what = "The cluster stays" if slack is None else "The cluster and its Slack stay"
                view.say(f"{what}; Ctrl-C ends it")
                stage.cluster.wait()
            elif slack is not None and ended.exit_code != INTERRUPTED:
                await_end_of_thread(slack)
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


def _slack(performance: Performance, view: View) -> AbstractContextManager[RunningSlack | None]:
    """Have a Slack for a block, where that is wanted: first of all, for its port may be in use."""
    port = performance.slack_port
    return nullcontext() if port is None else slack_at(port, view)


def _gates(
    stage: Stage, performance: Performance, view: View, slack: RunningSlack | None, prefect: str
) -> AbstractContextManager[None]:
    """Have the gates asked in a Slack for a block, if there is one."""
    if slack is None:
        return nullcontext()
    return keeping_gates(stage, slack, home=performance.home, prefect=prefect, say=view.say)


def _perform(
    stage: Stage,
    performance: Performance,
    slack: RunningSlack | None,
    view: View,
    signals: Signals,
) -> Ended:
    parameters, given = stage.folder / "parameters.yaml", performance.scenario.upgrade
    asked = given if slack is None else gates_in_slack(given, slack)
    write_parameters(parameters, asked, istioctls=list(stage.istioctls.values()))
    upgrade = Upgrade(
        kubeconfig=stage.kubeconfig,
        parameters=parameters,
        home=performance.home,
        says_yes=performance.says_yes,
        is_json=performance.is_json,
        asks_here=slack is None,
    )
    with view:
        running = Running(upgrade, view.say if slack is None else pointing_to(slack, view.say))
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
