"""
A real Prefect server with a work pool and workers, as an operator runs them, and its API.

Only Prefect's command and REST API are used: what is asserted is what the dashboard itself reads.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.mesh.kubectl import Json, run
from tests.mesh.waiting import until

ROOT = Path(__file__).parents[2]
DEPLOYMENTS = Path("deployments/prefect.yaml")
UPGRADE = "upgrade/istio-canary"
_PREFECT = str(Path(sys.executable).with_name("prefect"))


@dataclass(frozen=True, kw_only=True)
class Api:
    """Prefect's REST API."""

    url: str

    def get(self, path: str) -> Any:  # noqa: ANN401 - whatever JSON it is
        return self._ask("GET", path)

    def post(self, path: str, body: object) -> Any:  # noqa: ANN401 - whatever JSON it is
        return self._ask("POST", path, body)

    def is_ready(self) -> bool:
        try:
            self.get("/ready")
        except (urllib.error.URLError, OSError):
            return False
        return True

    def state(self, flow_run: str) -> Json:
        """Return a flow run's state."""
        state: Json = self.get(f"/flow_runs/{flow_run}")["state"]
        return state

    def latest(self) -> Json | None:
        """Return the newest flow run."""
        runs: list[Json] = self.post(
            "/flow_runs/filter", {"sort": "EXPECTED_START_TIME_DESC", "limit": 1}
        )
        return runs[0] if runs else None

    def inputs(self, flow_run: str, prefix: str) -> list[Json]:
        """Return a flow run's inputs whose keys begin so."""
        rows: list[Json] = self.post(
            f"/flow_runs/{flow_run}/input/filter", {"prefix": prefix, "limit": 100}
        )
        return rows

    def write(self, flow_run: str, key: str, value: str) -> None:
        """Write an input as anybody can who reaches the API."""
        self.post(f"/flow_runs/{flow_run}/input", {"key": key, "value": value})

    def graph(self, flow_run: str) -> Json:
        """Return what the dashboard draws."""
        graph: Json = self.get(f"/flow_runs/{flow_run}/graph-v2")
        return graph

    def artifacts(self, flow_run: str) -> list[Json]:
        """Return a flow run's artifacts."""
        which = {"flow_run_id": {"any_": [flow_run]}}
        found: list[Json] = self.post("/artifacts/filter", {"artifacts": which, "limit": 200})
        return found

    def _ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(  # noqa: S310 - our own server on loopback
            f"{self.url}{path}",
            data=data,
            method=method,
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            text = answer.read()
        return json.loads(text) if text else None


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


@contextmanager
def server(home: Path) -> Iterator[Api]:
    """Run a Prefect server on the data in one folder, and end it with all that it started."""
    port = free_port()
    environment = {
        **_clean_environment(),
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    argv = [_PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    api = Api(url=f"http://127.0.0.1:{port}/api")
    home.mkdir(parents=True, exist_ok=True)
    with (home / "test-server.log").open("w") as log:
        process = subprocess.Popen(
            argv, stdout=log, stderr=log, env=environment, start_new_session=True
        )
    try:
        until(api.is_ready, what="Prefect's server is up", seconds=120)
        yield api
    finally:
        end(process, signal.SIGTERM)


def end(process: subprocess.Popen[Any], how: signal.Signals) -> None:
    """End a process and its group; by force if it does not go in time."""
    for number in (how, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, number)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            continue
        return


def kill_tree(pid: int) -> None:
    """Kill a process and all that it started, so that nobody can tidy up."""
    os.kill(pid, signal.SIGSTOP)  # it must not start more while we look
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        kill_tree(int(child))
    os.kill(pid, signal.SIGKILL)


def _clean_environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("PREFECT_")}


@dataclass(kw_only=True)
class Scheduler:
    """A server with our deployments in it, and the workers that were started for it."""

    api: Api
    home: Path
    product_home: Path
    workers: list[subprocess.Popen[Any]] = field(default_factory=list)

    @property
    def environment(self) -> Mapping[str, str]:
        """What a command needs to talk to this server."""
        return {
            "PREFECT_HOME": str(self.home),
            "PREFECT_API_URL": self.api.url,
            "DO_NOT_TRACK": "1",
            "ISTIO_CANARY_HOME": str(self.product_home),
        }

    @property
    def pool(self) -> str:
        """The work pool that the deployments name."""
        document = yaml.safe_load((ROOT / DEPLOYMENTS).read_text())
        names = {one["work_pool"]["name"] for one in document["deployments"]}
        assert len(names) == 1, names
        name: str = names.pop()
        return name

    def deploy(self) -> None:
        """Make the work pool and the deployments, with the commands that the README shows."""
        self.prefect("work-pool", "create", self.pool, "--type", "process")
        self.prefect("--no-prompt", "deploy", "--all", "--prefect-file", str(DEPLOYMENTS))

    def prefect(self, *arguments: str) -> str:
        """Run Prefect's own command in the repository's root."""
        environment = {**_clean_environment(), **self.environment}
        ran = run(["env", "-C", str(ROOT), _PREFECT, *arguments], env=environment)
        assert ran.code == 0, f"prefect {' '.join(arguments)}: exit {ran.code}\n{ran.out}{ran.err}"
        return ran.out

    def run_deployment(self, flow: str, **parameters: object) -> Json:
        """Run one of our deployments on a worker, as its schedule would, and return its last state."""
        deployment = self.api.get(f"/deployments/name/{flow}/istio-canary")["id"]
        made = self.api.post(
            f"/deployments/{deployment}/create_flow_run",
            {"parameters": parameters, "state": {"type": "SCHEDULED"}},
        )
        flow_run: str = made["id"]
        over = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
        until(
            lambda: self.api.state(flow_run)["type"] in over,
            what=f"the flow run of {flow} is over",
            seconds=90,
        )
        return {**self.api.state(flow_run), "flow_run": flow_run}

    def start_worker(self) -> subprocess.Popen[Any]:
        """Start a worker in a process group of its own, which its flow processes are in as well."""
        argv = [_PREFECT, "worker", "start", "--pool", self.pool, "--type", "process"]
        with (self.home / f"worker-{len(self.workers)}.log").open("w") as log:
            worker = subprocess.Popen(
                argv,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env={
                    **_clean_environment(),
                    **self.environment,
                    "PREFECT_WORKER_QUERY_SECONDS": "2",
                },
                start_new_session=True,
            )
        self.workers.append(worker)
        return worker

    def end_workers(self) -> None:
        """End what is left of the workers."""
        for worker in self.workers:
            end(worker, signal.SIGKILL)
        self.workers.clear()

    def said(self) -> str:
        """Return the end of every worker's log, for a failing test."""
        logs = sorted(self.home.glob("worker-*.log"))
        return "\n".join(f"--- {log.name}\n{log.read_text()[-3000:]}" for log in logs)
