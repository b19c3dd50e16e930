"""Starting flow runs of our deployments for somebody in Slack: upgrades, plans, rollbacks."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from deployments.gatekeeper.looking import WatchedCluster
from tasks.domain import runs
from tasks.domain.errors import BadInputError
from tasks.domain.parameters import RollbackParameters, UpgradeParameters, parse
from tasks.domain.policy import check_policy
from tasks.domain.runs import FlowRunInfo

DEPLOYMENT: Final = "istio-canary"
_PLANNED_WITHIN: Final = timedelta(minutes=10)
_TICK: Final = timedelta(seconds=2)


def upgrade_parameters(cluster: WatchedCluster, version: str, requester: str) -> UpgradeParameters:
    """Return an upgrade as the gatekeeper's file describes it. Raises BadInputError."""
    given: Mapping[str, Any] = {"cluster": cluster.config.access, **cluster.config.upgrade}
    asked = parse({**given, "to": version, "requester": requester})
    for gate in asked.gates.at:
        check_policy(asked.gates.policy(gate), requester=requester)
    return asked


def start_upgrade(cluster: WatchedCluster, asked: UpgradeParameters) -> str:
    """Start an upgrade, unless a run is under way, and return its flow run."""
    if (other := runs.unfinished(cluster.services.records.runs())) is not None:
        raise BadInputError(
            f"run {other.run} to {other.started.target} is under way in {cluster.name}; see `status`"
        )
    return _start(cluster, "upgrade", {"parameters": asked.model_dump(mode="json")})


def check_rollback(cluster: WatchedCluster, run: str) -> None:
    """Refuse a rollback that could not begin. Raises UpgradeError."""
    runs.to_roll_back(cluster.services.records.runs(), run)
    _check_deployment(cluster, "rollback")


def start_rollback(cluster: WatchedCluster, run: str, requester: str) -> str:
    """Start a rollback, and return its flow run."""
    access = upgrade_access(cluster)
    asked = RollbackParameters(run=run, requester=requester).model_dump(mode="json")
    return _start(cluster, "rollback", {"parameters": asked | {"cluster": access}})


def upgrade_access(cluster: WatchedCluster) -> Mapping[str, Any]:
    """Return how a worker reaches the cluster, which may not be how we do."""
    given: Mapping[str, Any] | None = cluster.config.upgrade.get("cluster")
    return given or cluster.config.access.model_dump(mode="json")


def start_plan(cluster: WatchedCluster, asked: UpgradeParameters) -> str:
    """Start the drawing up of a plan, and return its flow run."""
    return _start(cluster, "plan", {"parameters": asked.model_dump(mode="json")})


async def await_end(cluster: WatchedCluster, flow_run: str) -> FlowRunInfo:
    """Return a flow run once it is over, or as it is when it takes too long."""
    flow_runs = cluster.services.flow_runs()
    # No thread waits: there are not many of them, and votes need one, too.
    for _ in range(_PLANNED_WITHIN // _TICK):
        if (info := await asyncio.to_thread(flow_runs.flow_run, flow_run)).is_over:
            return info
        await asyncio.sleep(_TICK.total_seconds())
    return await asyncio.to_thread(flow_runs.flow_run, flow_run)


def _start(cluster: WatchedCluster, flow: str, parameters: Mapping[str, object]) -> str:
    name = _check_deployment(cluster, flow)
    return cluster.services.flow_runs().start(name, parameters)


def _check_deployment(cluster: WatchedCluster, flow: str) -> str:
    """Return a deployment's name. Raises BadInputError when Prefect has none."""
    name = f"{flow}/{DEPLOYMENT}"
    if not cluster.services.flow_runs().has_deployment(name):
        raise BadInputError(f"Prefect has no deployment {name}; `prefect deploy` makes it")
    return name
