"""The gatekeeper's process: everything put together, from its first look to its last answer."""

import asyncio
import logging
import signal
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Final

from deployments.gatekeeper.commands import Commands
from deployments.gatekeeper.config import ClusterConfig, GatekeeperConfig
from deployments.gatekeeper.controlling import Controls
from deployments.gatekeeper.decisions import Decisions
from deployments.gatekeeper.looking import WatchedCluster
from deployments.gatekeeper.members import Members
from deployments.gatekeeper.metrics import Metrics
from deployments.gatekeeper.posting import Claims, Poster
from deployments.gatekeeper.receiving import Receiver
from deployments.gatekeeper.serving import Address, served
from deployments.gatekeeper.view import Links
from deployments.gatekeeper.watching import Watcher
from deployments.gatekeeper.web import pages
from tasks import wiring
from tasks.adapters.ports import Slack, SlackSocket
from tasks.domain.errors import BadInputError
from tasks.settings import Settings

_DRAINED_WITHIN: Final = 8.0  # seconds
_SILENT: Final = 60.0  # a socket that hears nothing for so long is dead, whatever it says
_STUCK: Final = 120.0
# Most of them wait for an answer of Prefect or of an API server.
_THREADS: Final = 32
_log: Final = logging.getLogger("istio-canary.gatekeeper")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How to run it."""

    config: GatekeeperConfig
    settings: Settings
    listen: Address
    by_http: bool = False  # Slack is heard by HTTP instead of a socket
    silent_seconds: float = _SILENT
    said: Callable[[int], None]  # told the port of the pages once everything is up


async def keep(asked: Asked) -> None:
    """Keep the gates until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_THREADS, thread_name_prefix="gatekeeper"))
    over = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, over.set)
    clusters = await asyncio.to_thread(_clusters, asked)
    async with at_work(asked, clusters) as failing:
        ending = asyncio.create_task(over.wait())
        await asyncio.wait([ending, *failing], return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)  # a second one does not wait for the last answers
        for task in failing:
            if task.done():
                task.result()  # raises what ended it


@asynccontextmanager
async def at_work(
    asked: Asked, clusters: list[WatchedCluster]
) -> AsyncGenerator[list[asyncio.Task[None]]]:
    """Have everything at work for a block; yields the tasks that never end by themselves."""
    config, metrics = asked.config, Metrics()
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(
            wiring.slack(
                config.slack.bot_token, url=config.slack.api_url, secrets=_secrets(clusters)
            )
        )
        watchers = {one.name: _watcher(one, slack, metrics, asked.settings) for one in clusters}
        receiver = _receiver(config, clusters, slack, metrics, watchers)
        stack.push_async_callback(receiver.drain, _DRAINED_WITHIN)
        socket: SlackSocket | None = None
        if not asked.by_http:
            socket = await stack.enter_async_context(
                wiring.slack_socket(
                    config.slack.app_token,
                    url=config.slack.api_url,
                    secrets=_secrets(clusters),
                    hear=receiver.receive,
                    acknowledged=metrics.acknowledged,
                )
            )
        verify = _verify(asked, clusters) if asked.by_http else None
        ills = partial(_ills, socket, watchers, asked.silent_seconds)
        application = pages(ills=ills, metrics=metrics, receiver=receiver, verify=verify)
        port = await stack.enter_async_context(served(application, asked.listen))
        tasks = [
            asyncio.create_task(work)
            for one in watchers.values()
            for work in (one.watch(), one.show())
        ]
        stack.push_async_callback(_cancelled, tasks)
        asked.said(port)
        yield tasks


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _clusters(asked: Asked) -> list[WatchedCluster]:
    links = Links(dashboard=asked.config.dashboard)
    return [
        WatchedCluster(
            config=one,
            services=_services(one, asked.settings),
            signing_key=asked.config.signing_key,
            links=links,
        )
        for one in asked.config.clusters
    ]


def _services(cluster: ClusterConfig, settings: Settings) -> wiring.Services:
    try:
        return wiring.connect(cluster.access, settings)
    except BadInputError as error:
        raise BadInputError(f"cluster {cluster.name}: {error}") from error


def _secrets(clusters: list[WatchedCluster]) -> Callable[[str, str, str], bytes]:
    """Secrets are read from the first cluster of the file."""
    return clusters[0].services.access.secret


def _watcher(
    cluster: WatchedCluster, slack: Slack, metrics: Metrics, settings: Settings
) -> Watcher:
    votes = cluster.services.votes
    claims = Claims(votes, process=settings.process, monotonic=time.monotonic)
    poster = Poster(slack, claims, cluster=cluster.name, to=cluster.config.channel)
    return Watcher(cluster, poster, metrics)


def _receiver(
    config: GatekeeperConfig,
    clusters: list[WatchedCluster],
    slack: Slack,
    metrics: Metrics,
    watchers: Mapping[str, Watcher],
) -> Receiver:
    now = clusters[0].services.clock.now
    members = Members(slack, monotonic=time.monotonic)

    def look_again(cluster: str) -> None:
        watchers[cluster].look_soon()

    def said(cluster: str, answer: str) -> None:
        metrics.voted(answer)
        look_again(cluster)

    decisions = Decisions(
        clusters,
        people=slack,
        members=members,
        metrics=metrics,
        now=now,
        look_again=look_again,
    )
    controls = Controls(
        starters=config.starters, members=members, decisions=decisions, now=now, said=said
    )
    commands = Commands(clusters, people=slack, decisions=decisions, controls=controls, now=now)
    return Receiver(decisions, commands, metrics)


def _verify(
    asked: Asked, clusters: list[WatchedCluster]
) -> Callable[[bytes, Mapping[str, str]], None]:
    signatures = wiring.slack_signatures(
        asked.config.slack.signing_secret, secrets=_secrets(clusters)
    )
    now = clusters[0].services.clock.now

    def verify(body: bytes, headers: Mapping[str, str]) -> None:
        signatures.verify(body, headers, now=now())

    return verify


def _ills(
    socket: SlackSocket | None, watchers: Mapping[str, Watcher], most_silent: float
) -> list[str]:
    """Say what is wrong with this process, which a restart might mend."""
    found: list[str] = []
    if socket is not None and (silent := socket.silent_for()) > most_silent:
        found.append(f"nothing was heard from Slack for {silent:.0f} s")
    found += [
        f"the look at cluster {name} has not come to an end for {one.busy_for:.0f} s"
        for name, one in watchers.items()
        if one.busy_for > _STUCK
    ]
    return found
