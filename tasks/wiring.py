"""The composition root: the only module that builds adapters."""

import os
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, partial
from threading import Event

from tasks.adapters import secret_values, signing_key
from tasks.adapters.access import KubernetesAccess
from tasks.adapters.admission import KubernetesAdmission
from tasks.adapters.changes import KubernetesChanges
from tasks.adapters.clock import SystemClock
from tasks.adapters.cluster import KubernetesCluster
from tasks.adapters.holding import LeaseKeeper
from tasks.adapters.istioctl import find
from tasks.adapters.istiod import PortForwardedIstiods
from tasks.adapters.kubernetes_api import Api
from tasks.adapters.leases import KubernetesLeases
from tasks.adapters.local_server import LocalServer
from tasks.adapters.ports import (
    Access,
    Admission,
    Changes,
    Clock,
    Cluster,
    FlowRuns,
    Istioctl,
    Istiods,
    Leases,
    Records,
    SlackSocket,
    Votes,
    Webhooks,
)
from tasks.adapters.prefect_api import PrefectApi
from tasks.adapters.records import KubernetesRecords
from tasks.adapters.secret_values import Secrets
from tasks.adapters.slack import SlackApi
from tasks.adapters.slack_signatures import SlackSignatures
from tasks.adapters.slack_socket import Hear, SocketMode
from tasks.adapters.webhooks import KubernetesWebhooks
from tasks.domain.errors import BadInputError, TransientError
from tasks.domain.parameters import ClusterAccess
from tasks.domain.revision import Version
from tasks.places import Places
from tasks.settings import Settings

IstioctlFinder = Callable[[list[str], Version], Istioctl]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything a task may reach for."""

    cluster: Cluster
    admission: Admission
    changes: Changes
    webhooks: Webhooks
    access: Access
    records: Records
    leases: Leases
    keeper: LeaseKeeper
    istiods: Istiods
    istioctl: IstioctlFinder
    votes: Callable[[], Votes]
    flow_runs: Callable[[], FlowRuns]
    clock: Clock
    process: str = ""  # who this is, in the Lease and the journal
    api: str = ""  # Prefect's address; empty: a server of our own
    signing_key: Callable[[str | None], bytes]
    # Set when one batch of a wave has failed: the others begin nothing new.
    wave_failed: Event = field(default_factory=Event)
    places: Places = field(
        default_factory=Places
    )  # for the batches of a wave that work side by side


_services: ContextVar[Services] = ContextVar("services")
_run: ContextVar[str | None] = ContextVar("run", default=None)


def services() -> Services:
    """Return the services of the current run."""
    return _services.get()


def run() -> str:
    """Return the id of the run that this process works for."""
    run_id = _run.get()
    if run_id is None:
        raise LookupError("no run has been taken up in this context")
    return run_id


def is_working() -> bool:
    """Whether this process has taken a run up yet."""
    return _run.get(None) is not None


def work_for(run_id: str) -> None:
    """Say which run everything that follows in this context belongs to."""
    _run.set(run_id)


@contextmanager
def using(chosen: Services) -> Generator[Services]:
    """Run a block against the given services: the real ones, or a test's fakes."""
    token, run_token = _services.set(chosen), _run.set(None)
    try:
        yield chosen
    finally:
        _run.reset(run_token)
        _services.reset(token)


@contextmanager
def connected(access: ClusterAccess, settings: Settings) -> Generator[Services]:
    """Run a block against the real world; services that a test has chosen already stay."""
    if (chosen := _services.get(None)) is not None:
        yield chosen
        return
    with using(connect(access, settings)) as built:
        yield built


def connect(access: ClusterAccess, settings: Settings) -> Services:
    """Build the adapters for one cluster. Raises BadInputError for a kubeconfig that cannot be used."""
    clock = SystemClock()
    unguarded = Api.connect(kubeconfig=access.kubeconfig, context=access.context)
    leases = KubernetesLeases(unguarded, namespace=access.istio_namespace, now=clock.now)
    keeper = LeaseKeeper(leases, process=settings.process, clock=clock)
    api = Api.connect(kubeconfig=access.kubeconfig, context=access.context, guard=keeper)
    rights = KubernetesAccess(api)

    def istioctl(paths: list[str], version: Version) -> Istioctl:
        return find(
            paths,
            version=version,
            kubeconfig=access.kubeconfig,
            context=access.context,
            istio_namespace=access.istio_namespace,
        )

    def key(reference: str | None) -> bytes:
        if reference is None:
            path = settings.home / "signing.key"
            signing_key.ensure_file(path)
            reference = f"file:{path}"
        return signing_key.load(reference, secrets=rights.secret)

    prefect: Callable[[], PrefectApi] = cache(partial(prefect_api, settings))
    return Services(
        cluster=KubernetesCluster(api, istio_namespace=access.istio_namespace),
        admission=KubernetesAdmission(api),
        changes=KubernetesChanges(api),
        webhooks=KubernetesWebhooks(api, namespace=access.istio_namespace),
        access=rights,
        records=KubernetesRecords(api, namespace=access.istio_namespace),
        leases=leases,
        keeper=keeper,
        istiods=PortForwardedIstiods(api.new_client),
        istioctl=istioctl,
        votes=prefect,
        flow_runs=prefect,
        clock=clock,
        process=settings.process,
        api="" if settings.is_own_server else settings.prefect_api_url or "",
        signing_key=key,
    )


def prefect_api(settings: Settings) -> PrefectApi:
    """Connect to Prefect's API. Raises BadInputError when none is configured."""
    if settings.prefect_api_url is None:
        raise BadInputError("no Prefect API is configured; set PREFECT_API_URL")
    return PrefectApi(
        settings.prefect_api_url, auth=settings.prefect_auth, api_key=settings.prefect_api_key
    )


def local_server(settings: Settings, say: Callable[[str], object]) -> LocalServer:
    """Return the Prefect server of this person's own, running or not."""
    return LocalServer(settings.home, environ=os.environ, say=say)


@asynccontextmanager
async def slack(token: str, *, url: str, secrets: Secrets) -> AsyncGenerator[SlackApi]:
    """
    Have Slack's Web API for a block, with the bot's token by reference.

    One for a whole process: it counts our turns. `secrets` reads a value of a cluster's Secret.
    """
    yield SlackApi(_secret(token, "the bot's token for Slack", secrets), base_url=url)


@asynccontextmanager
async def slack_socket(
    token: str,
    *,
    url: str,
    secrets: Secrets,
    hear: Hear,
    acknowledged: Callable[[float], object],
) -> AsyncGenerator[SlackSocket]:
    """
    Hear Slack by a socket for a block, with the app's token by reference.

    A Slack that is away now is heard once it is back. Raises RefusedError if it does not want us.
    """
    word = _secret(token, "the app's token for Slack", secrets)
    socket = SocketMode(word, hear=hear, acknowledged=acknowledged, base_url=url)
    try:
        try:
            await socket.connect()
        except TransientError:
            socket.connect_later()
        yield socket
    finally:
        await socket.close()


def slack_signatures(secret: str, *, secrets: Secrets) -> SlackSignatures:
    """Check what Slack sends by HTTP, with the signing secret by reference."""
    return SlackSignatures(_secret(secret, "Slack's signing secret", secrets))


def _secret(reference: str, what: str, secrets: Secrets) -> str:
    return secret_values.load(reference, what=what, environ=os.environ, secrets=secrets).reveal()
