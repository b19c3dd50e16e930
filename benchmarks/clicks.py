"""
`python -m benchmarks.clicks`: how long people wait for a click to be heard, and for their run to go on.

A rehearsal cluster, a Prefect server with a worker and a run of the real deployment, suspended at its
gates; a Slack of this machine, and gatekeepers as processes of their own. At the first gate a crowd
clicks at once, and where there are two gatekeepers one is killed half-way. At each later gate one
person clicks. What comes out is a table for one gatekeeper and for two.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Final

from benchmarks.crowd import APPROVERS, CHANNEL, CROWD, Crowd, crowd_workspace
from deployments.rehearsal.slack.running import RunningSlack
from deployments.rehearsal.slack.serving import serving
from deployments.rehearsal.slack.state import Slack
from tests.mesh.product import command
from tests.mesh.scheduler import Scheduler, server
from tests.mesh.waiting import pause, until

_POINTS: Final = (50, 95, 99)
_OVER: Final = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


@dataclass(kw_only=True)
class Figures:
    """What was measured with so many gatekeepers."""

    clicks: int = 0
    acknowledged: int = 0
    answered: int = 0  # and so many of the acknowledged were told something
    votes: int = 0
    foreign: int = 0  # votes of people who may not
    decisions: int = 0
    acks: list[float] = field(default_factory=list[float])
    resumes: list[float] = field(default_factory=list[float])


@dataclass(kw_only=True)
class Bench:
    """Everything that stands around the gatekeepers."""

    folder: Path
    prefect: Scheduler
    slack: RunningSlack
    kubeconfig: Path
    istioctls: Sequence[str]

    @property
    def environment(self) -> dict[str, str]:
        own = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}
        app = self.slack.app
        tokens = {"SLACK_BOT_TOKEN": app.bot_token, "SLACK_APP_TOKEN": app.app_token}
        return {**own, **self.prefect.environment, **tokens, "NO_COLOR": "1"}

    def gatekeeper(self, number: int) -> subprocess.Popen[str]:
        """Start a gatekeeper, and return when it is up."""
        config = self.folder / "gatekeeper.yaml"
        cluster = {"name": "mesh", "kubeconfig": str(self.kubeconfig), "channel": CHANNEL}
        slack = {"api_url": self.slack.api_url}
        config.write_text(json.dumps({"clusters": [cluster], "slack": slack}))
        said = (self.folder / f"gatekeeper-{number}.log").open("w")
        with said:
            process = subprocess.Popen(
                [
                    command(),
                    "gatekeeper",
                    "--config",
                    config,
                    "--listen",
                    "127.0.0.1:0",
                    "-o",
                    "json",
                ],
                env=self.environment,
                text=True,
                stdout=subprocess.PIPE,
                stderr=said,
            )
        assert process.stdout is not None
        if not process.stdout.readline():
            raise SystemExit(f"gatekeeper {number} did not start: see {said.name}")
        return process

    def upgrade(self) -> str:
        """Start the deployment that upgrades the cluster, and return its flow run."""
        gates = {
            "at": ["start", "wave", "default", "uninstall"],
            "approvers": [f"slack:{crowd_workspace().team}/{one}" for one in APPROVERS],
            "slack_approve": "allow",
        }
        parameters = {
            "to": "1.29.1",
            "cluster": {"kubeconfig": str(self.kubeconfig)},
            "istioctl": list(self.istioctls),
            "quiet_period_seconds": 0,
            "waves": [[f"n{number}"] for number in range(1, 7)],
            "gates": gates,
        }
        api = self.prefect.api
        deployment = api.get("/deployments/name/upgrade/istio-canary")["id"]
        body = {"parameters": {"parameters": parameters}, "state": {"type": "SCHEDULED"}}
        made: str = api.post(f"/deployments/{deployment}/create_flow_run", body)["id"]
        return made

    def resumed(self, flow_run: str, since: datetime) -> float:
        """Wait until a flow run goes on, and return how many seconds after a moment that was."""

        def look() -> list[float]:
            states = self.prefect.api.get(f"/flow_run_states/?flow_run_id={flow_run}")
            moments = [
                datetime.fromisoformat(one["timestamp"])
                for one in states
                if one["type"] == "SCHEDULED"
            ]
            return [(at - since).total_seconds() for at in moments if at >= since]

        return until(look, what="the run is resumed", seconds=60, every=0.1)[0]


def measure(bench: Bench, *, gatekeepers: int, clicks: int) -> Figures:
    """Let a run go from gate to gate by clicks."""
    figures, numbers = Figures(), count()
    keeping = [bench.gatekeeper(next(numbers)) for _ in range(gatekeepers)]
    try:
        until(lambda: bench.slack.connections() >= gatekeepers, what="Slack is heard", seconds=60)
        flow_run = bench.upgrade()
        crowd = Crowd(bench.slack)
        seen: set[str] = set()
        while (gate := _next_gate(bench, flow_run, crowd, seen)) is not None:
            seen.add(gate)
            since = datetime.fromtimestamp(time.time()).astimezone()
            if len(seen) == 1:
                _storm(crowd, figures, keeping, gate=gate, clicks=clicks)
            else:
                crowd.click(APPROVERS[0], gate)
            figures.resumes.append(bench.resumed(flow_run, since))
        figures.decisions = len(seen)
        votes = _votes(bench, flow_run)
        figures.votes = len(votes)
        figures.foreign = len([one for one in votes if one not in APPROVERS])
    finally:
        for one in keeping:
            one.kill()
            one.wait()
    return figures


def _next_gate(bench: Bench, flow_run: str, crowd: Crowd, seen: set[str]) -> str | None:
    """Return the next gate once its run is suspended, None when the run is over."""

    def look() -> str:
        state = bench.prefect.api.state(flow_run)
        if state["type"] in _OVER:
            if state["type"] != "COMPLETED":
                raise SystemExit(f"the upgrade ended: {state}\n{bench.prefect.said()}")
            return "over"
        found = [one for one in crowd.gates() if one not in seen]
        return found[0] if found and state["type"] == "PAUSED" else ""

    found = until(look, what="a gate waits", seconds=180)
    return None if found == "over" else found


def _storm(
    crowd: Crowd,
    figures: Figures,
    keeping: Sequence[subprocess.Popen[str]],
    *,
    gate: str,
    clicks: int,
) -> None:
    button, done = crowd.button(gate), count(1)

    def share(user: str) -> list[float | None]:
        found: list[float | None] = []
        for _ in range(clicks // len(CROWD)):
            found.append(crowd.press(user, button))
            if next(done) == clicks // 2 and len(keeping) > 1:
                keeping[0].send_signal(signal.SIGKILL)
        return found

    with ThreadPoolExecutor(len(CROWD)) as people:
        waited = [one for found in people.map(share, CROWD) for one in found]
    pause(5)  # the last answers are on their way
    figures.clicks = len(waited)
    figures.acks = [one for one in waited if one is not None]
    figures.acknowledged = len(figures.acks)
    figures.answered = sum(len(crowd.slack.ephemerals(user)) for user in CROWD)


def _votes(bench: Bench, flow_run: str) -> list[str]:
    rows = bench.prefect.api.inputs(flow_run, "vote-")
    return [json.loads(row["value"])["vote"]["person"].rpartition("/")[2] for row in rows]


@contextmanager
def cluster(folder: Path) -> Generator[tuple[Path, Sequence[str]]]:
    """Have a rehearsal cluster with six namespaces for a block."""
    kubeconfig, scenario = folder / "kubeconfig", folder / "six.yaml"
    spaces = {
        f"n{number}": {
            "labels": {"istio-injection": "enabled"},
            "workloads": [{"deployment": "sleep", "replicas": 1}],
        }
        for number in range(1, 7)
    }
    document = {
        "description": "Six namespaces of one pod.",
        "istio": {"version": "1.28.3", "revision": "1-28-3"},
        "namespaces": spaces,
        "upgrade": {"to": "1.29.1"},
    }
    scenario.write_text(json.dumps(document))
    words = ("rehearse", "--serve-only", "-o", "json", "--speed", "10")
    process = subprocess.Popen(
        [command(), *words, "--kubeconfig", kubeconfig, "--scenario", scenario],
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        yield kubeconfig, list(json.loads(_document(process)).get("istioctl", {}).values())
    finally:
        process.terminate()
        process.wait()


def _document(process: subprocess.Popen[str]) -> str:
    """Read lines until they are one JSON document."""
    assert process.stdout is not None
    said = ""
    for line in process.stdout:
        said += line
        try:
            json.loads(said)
        except ValueError:
            continue
        return said
    raise SystemExit("the rehearsal cluster did not start")


def table(found: dict[str, Figures]) -> str:
    """Return the figures side by side."""
    counts = ("clicks", "acknowledged", "answered", "votes", "foreign", "decisions")
    rows = [(name, [str(getattr(one, name)) for one in found.values()]) for name in counts]
    for what in ("acks", "resumes"):
        for point in _POINTS:
            told = [
                f"{_percentile(getattr(one, what), point) * 1000:.0f} ms" for one in found.values()
            ]
            name = "click to acknowledged" if what == "acks" else "click to resumed"
            rows.append((f"{name}, p{point}", told))
    lines = [f"{'':<28}" + "".join(f"{name:>18}" for name in found)]
    lines += [f"{name:<28}" + "".join(f"{one:>18}" for one in told) for name, told in rows]
    return "\n".join(lines)


def _percentile(values: Sequence[float], point: int) -> float:
    if len(values) < 2:
        return values[0] if values else float("nan")
    return statistics.quantiles(values, n=100, method="inclusive")[point - 1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.clicks", description=__doc__)
    parser.add_argument("--clicks", type=int, default=1000, help="at the first gate")
    options = parser.parse_args(arguments)
    found: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory(prefix="clicks-") as name, ExitStack() as stack:
        folder = Path(name)
        home = folder / "prefect"
        api = stack.enter_context(server(home))
        prefect = Scheduler(api=api, home=home, product_home=folder / "home")
        prefect.deploy()
        prefect.start_worker()
        stack.callback(prefect.end_workers)
        for number in (1, 2):
            place = folder / str(number)
            place.mkdir()
            with (
                cluster(place) as (kubeconfig, istioctls),
                serving(Slack(crowd_workspace(), rates=None)) as slack,
            ):
                bench = Bench(
                    folder=place,
                    prefect=prefect,
                    slack=slack,
                    kubeconfig=kubeconfig,
                    istioctls=istioctls,
                )
                title = "one" if number == 1 else "two, one killed"
                found[title] = measure(bench, gatekeepers=number, clicks=options.clicks)
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
