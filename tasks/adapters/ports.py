"""
What tasks need from the outside world, in the domain's own words.

Every method may raise TransientError (asking again may help) or RefusedError (it will not). A
method that changes something is safe to repeat. Implementations check the Lease before each change:
`Guard`.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

from tasks.domain.access import Denied, Permission
from tasks.domain.approval import Row
from tasks.domain.errors import RefusedError
from tasks.domain.inventory import (
    ControlPlane,
    Inventory,
    IstiodPod,
    Namespace,
    Pod,
    Proxy,
    Workload,
    WorkloadRef,
)
from tasks.domain.journal import Entry, Holding, RunRecord
from tasks.domain.removal import Listed
from tasks.domain.rendering import InstallRequest, Rendered
from tasks.domain.runs import FlowRunInfo
from tasks.domain.slack import Label, Message, Posted
from tasks.domain.snapshot import ObjectSnapshot


class Guard(Protocol):
    """Says whether this process may still change the cluster."""

    def check(self) -> None:
        """Return if it may. Raises LeaseLostError or StopRequested if it may not."""
        ...


class NamespaceState(Protocol):
    """A live picture of one or several namespaces, kept fresh by watches."""

    @property
    def workloads(self) -> Mapping[WorkloadRef, Workload]: ...

    @property
    def pods(self) -> Sequence[Pod]: ...

    def wait(self, timeout: timedelta) -> None:
        """Return as soon as something changed since the last look, or when the time is over."""
        ...


class Cluster(Protocol):
    """Reads the cluster."""

    def read(self) -> Inventory:
        """Read everything; a part that may not be read raises nothing: see `Inventory.unread`."""
        ...

    def control_planes(self) -> Sequence[ControlPlane]:
        """Read only the control planes, with their pods."""
        ...

    def namespace(self, name: str) -> Namespace: ...

    def watching(self, namespaces: Collection[str]) -> AbstractContextManager[NamespaceState]: ...

    def events(self, workload: WorkloadRef) -> Sequence[str]:
        """Return the newest warning events about a workload or what it owns, as sentences."""
        ...


class Admission(Protocol):
    """Asks the API server what it would do, without doing it (server-side dry-run)."""

    def injected_by(
        self,
        namespace: str,
        *,
        template_of: WorkloadRef | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> str | None:
        """
        Return the revision whose injector takes a pod made here now; None: nobody.

        The pod is made from the template of a workload, or a bare one with the labels given. Raises
        RefusedError with the API server's words when admission refuses it (quota, Pod Security, an
        injector that is not there).
        """
        ...

    def validates(self, namespace: str) -> None:
        """
        Prove with a dry-run VirtualService that Istio's validation answers.

        Raises RefusedError if not.
        """
        ...


class Changes(Protocol):
    """Changes workloads and namespaces."""

    def label_namespace(
        self, name: str, *, labels: Mapping[str, str | None], annotations: Mapping[str, str | None]
    ) -> None:
        """Set labels and annotations in one patch; None removes one."""
        ...

    def restart(self, workload: WorkloadRef, *, at: str) -> int:
        """
        Make a workload replace its pods. Returns its generation with the change.

        The same `at` (RFC 3339) twice changes nothing the second time.
        """
        ...

    def delete_pod(self, pod: Pod) -> None:
        """Delete this pod, by uid; one that is gone already is no error."""
        ...


class Webhooks(Protocol):
    """Istio's cluster-wide objects that decide where default and tags point."""

    def snapshot(self, revision: str) -> Sequence[ObjectSnapshot]:
        """
        Return what moving the default or a tag off a revision alters.

        These are webhook configurations and tag Services.
        """
        ...

    def restore(self, snapshots: Sequence[ObjectSnapshot]) -> None:
        """
        Write the recorded labels, annotations and webhooks back where they differ.

        What is gone is made again.
        """
        ...

    def leftovers(self, revision: str) -> Sequence[str]:
        """Return `Kind/name` of every object that still names a revision after its uninstall."""
        ...

    def delete_leases(self, revision: str) -> None:
        """Delete the two leader election Leases that an uninstall leaves behind."""
        ...


class Access(Protocol):
    """Who we are to the cluster, and what we may do."""

    def whoami(self) -> str:
        """Return the user name that the cluster gives us (SelfSubjectReview)."""
        ...

    def denied(self, permissions: Sequence[Permission]) -> Sequence[Denied]:
        """
        Return those that we do not have, each with the API server's reason.

        It is asked by SelfSubjectAccessReview.
        """
        ...

    def secret(self, namespace: str, name: str, key: str) -> bytes:
        """Return one value of a Secret."""
        ...


class Records(Protocol):
    """The journal: append-only records of runs, in ConfigMaps of the control plane's namespace."""

    def runs(
        self, *, left_out: Callable[[RefusedError], object] | None = None
    ) -> Sequence[RunRecord]:
        """
        Return every run's record, oldest first.

        Raises RefusedError when one cannot be read, unless somebody is told that it is left out.
        """
        ...

    def run(self, run: str) -> RunRecord:
        """Return one run's record. Raises BadInputError when there is none."""
        ...

    def append(self, run: str, entry: Entry) -> None:
        """Add one entry, durably."""
        ...

    def save_plan(self, run: str, plan: bytes) -> None:
        """Keep the plan's canonical JSON, gzipped, once; the same again is no error."""
        ...

    def plan(self, run: str) -> bytes | None:
        """Return the plan's canonical JSON, None before there is one."""
        ...


class Leases(Protocol):
    """The one Lease of a cluster. All compare-and-swap: False means somebody else was faster."""

    def holding(self) -> Holding | None:
        """Return who holds it, None when there is no Lease."""
        ...

    def take(self, *, run: str, process: str, duration: timedelta, over: Holding | None) -> bool:
        """Write ourselves in, if the Lease still is what `over` says."""
        ...

    def renew(self, *, run: str, process: str) -> bool:
        """Say that we live, if we still hold it."""
        ...

    def park(self, *, run: str, process: str) -> None:
        """Keep it for the run, but say that no process works for it now."""
        ...

    def release(self, *, run: str, process: str) -> None:
        """Free it: the run is over."""
        ...


class Istiods(Protocol):
    """Istio's control planes, asked directly."""

    def proxies(self, istiod: IstiodPod) -> tuple[Proxy, ...]:
        """
        Return the proxies connected to one istiod pod now.

        Raises RefusedError without the right to port-forward.
        """
        ...


class Istioctl(Protocol):
    """One istioctl of a known version."""

    @property
    def version(self) -> str: ...

    def render(self, request: InstallRequest) -> Rendered:
        """
        Return what an install would apply.

        Raises BadInputError with istioctl's words when it refuses the input.
        """
        ...

    def install(self, request: InstallRequest, *, guard: Guard, timeout: timedelta) -> None: ...

    def list_removed(
        self, revision: str, *, namespace: str, timeout: timedelta
    ) -> Sequence[Listed]:
        """Return what an uninstall would delete, by `uninstall --dry-run`."""
        ...

    def uninstall(
        self, revision: str, *, namespace: str, guard: Guard, timeout: timedelta
    ) -> None: ...

    def set_tag(
        self, tag: str, *, revision: str, namespace: str, guard: Guard, timeout: timedelta
    ) -> None: ...


class Votes(Protocol):
    """Signed rows in Prefect's flow-run inputs."""

    def rows(self, flow_run: str) -> Sequence[Row]:
        """Return all rows of a flow run, whatever they hold."""
        ...

    def cast(self, flow_run: str, row: Row) -> None:
        """Store a row; the same again is no error."""
        ...

    def first(self, flow_run: str, row: Row) -> Row:
        """Store a row unless its key is taken, and return the one that is there now."""
        ...


class FlowRuns(Protocol):
    """Prefect's runs and deployments, as far as the command line and the flow need them."""

    def state(self, flow_run: str) -> str:
        """Return the type of the run's state: RUNNING, PAUSED, SCHEDULED, ..."""
        ...

    def flow_run(self, flow_run: str) -> FlowRunInfo:
        """Return a flow run as it is now. Raises BadInputError for one that is not there."""
        ...

    def knows(self, flow_run: str) -> bool:
        """
        Whether this Prefect has a flow run.

        The one way to tell whether two addresses lead to the same Prefect: a worker and a laptop
        often reach it by different ones.
        """
        ...

    def resume(self, flow_run: str) -> bool:
        """Resume a suspended run; False when it was not waiting."""
        ...

    def reschedule(self, flow_run: str) -> None:
        """Move a run whose process is gone from RUNNING to SCHEDULED."""
        ...

    def has_deployment(self, name: str) -> bool: ...

    def start(self, deployment: str, parameters: Mapping[str, object]) -> str:
        """Create a run of a deployment and return its id."""
        ...


class Clock(Protocol):
    """Time, and waiting in it."""

    def now(self) -> datetime: ...

    def sleep(self, duration: timedelta, *, until: Callable[[], bool] = ...) -> None:
        """Wait, in slices between which a stop is noticed."""
        ...


class Channel(Protocol):
    """Our own messages in a Slack channel. Each call may wait its turn: Slack counts them."""

    async def post(
        self, channel: str, message: Message, *, label: Label, thread: str | None
    ) -> Posted:
        """
        Say something new, in a thread if one is named.

        Raises AnswerLostError when it may have been said: look for it before saying it again.
        """
        ...

    async def update(self, channel: str, ts: str, message: Message, *, label: Label) -> None:
        """
        Let a message of ours say something else.

        Raises MessageGoneError when only a new message can say it.
        """
        ...

    async def heads(self, channel: str, *, since: datetime) -> Sequence[Posted]:
        """Return our messages outside threads, oldest first."""
        ...

    async def thread(self, channel: str, ts: str) -> Sequence[Posted]:
        """Return our messages in a thread, its head among them, oldest first; none: it is gone."""
        ...


class SlackPeople(Protocol):
    """Slack's people: who they are, and what only one of them gets to see."""

    async def whisper(self, channel: str, user: str, text: str, *, thread: str | None) -> None:
        """Tell one person something, where they are."""
        ...

    async def answer(self, response_url: str, text: str, *, thread: str | None) -> bool:
        """Tell the person who clicked or typed a command; False when it is too late for that."""
        ...

    async def open_modal(self, trigger: str, view: Mapping[str, object]) -> None:
        """Show somebody a modal, within three seconds of what they did."""
        ...

    async def members(self, group: str) -> frozenset[str]:
        """Return the ids of a user group's people. Raises UpgradeError if Slack cannot say."""
        ...


class Slack(Channel, SlackPeople, Protocol):
    """All that we do in Slack, as one bot."""


class SlackSocket(Protocol):
    """What people do in Slack, heard over a connection of ours."""

    def silent_for(self) -> float:
        """Return for how many seconds nothing was heard, not even a pong."""
        ...
