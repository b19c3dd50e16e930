"""
The outside world in memory: small fakes of the ports, and the services made of them.

None of them waits: `FakeClock` jumps ahead instead, and what is to happen while somebody waits is
its `meanwhile`.
"""

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Final, cast

import msgspec

from tasks import wiring
from tasks.adapters.holding import LeaseKeeper
from tasks.domain.approval import Row
from tasks.domain.errors import BadInputError, RefusedError, TransientError, UpgradeError
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
from tasks.domain.runs import FlowRunInfo
from tests.builders import KEY, NOW, RUN, proxy

ME: Final = "host/1/me"
_SLICE: Final = timedelta(seconds=1)
_TOO_LONG: Final = timedelta(days=40)


def _nothing() -> None:
    return None


def _never() -> bool:
    return False


class FakeClock:
    """Time that passes only while somebody waits, and then at once."""

    def __init__(self, start: datetime = NOW) -> None:
        self.start = start
        self.time = start
        self.meanwhile: Callable[[], object] = _nothing  # after every second or part of one

    @property
    def waited(self) -> timedelta:
        return self.time - self.start

    def now(self) -> datetime:
        return self.time

    def sleep(self, duration: timedelta, *, until: Callable[[], bool] = _never) -> None:
        end = self.time + duration
        while self.time < end and not until():
            self.time += min(end - self.time, _SLICE)
            self.meanwhile()
        if self.waited > _TOO_LONG:
            raise AssertionError("somebody waits for ever")


class FakeLeases:
    """A Lease with compare-and-swap by version."""

    def __init__(self, clock: FakeClock, held: Holding | None = None) -> None:
        self.held = held
        self.faster: Holding | None = None  # gets in just before the next `take`
        self.is_out_of_reach = False  # for those who have it
        self.renewals = 0
        self._clock = clock
        self._writes = 0

    def holding(self) -> Holding | None:
        return self.held

    def take(self, *, run: str, process: str, duration: timedelta, over: Holding | None) -> bool:
        if self.faster is not None:
            self.held, self.faster = self.faster, None
        if (self.held and self.held.version) != (over and over.version):
            return False
        self.write(run, process, duration_seconds=round(duration.total_seconds()))
        return True

    def renew(self, *, run: str, process: str) -> bool:
        self.renewals += 1
        return self._change(run, process, becomes=(run, process))

    def park(self, *, run: str, process: str) -> None:
        self._change(run, process, becomes=(run, ""))

    def release(self, *, run: str, process: str) -> None:
        self._change(run, process, becomes=("", ""))

    def write(self, run: str, process: str, *, duration_seconds: int = 30) -> None:
        """Let somebody have the Lease from now on, whoever has it."""
        self._writes += 1
        self.held = Holding(
            run=run,
            process=process,
            renewed_at=self._clock.now(),
            duration_seconds=duration_seconds,
            version=f"write-{self._writes}",
        )

    def _change(self, run: str, process: str, *, becomes: tuple[str, str]) -> bool:
        if self.is_out_of_reach:
            raise TransientError("the API server does not answer")
        if self.held is None or (self.held.run, self.held.process) != (run, process):
            return False
        self.write(*becomes)
        return True


class FakeRecords:
    """Journals in the order in which they were begun."""

    def __init__(self, *records: RunRecord) -> None:
        self._entries = {one.run: list(one.entries) for one in records}
        self._plans: dict[str, bytes] = {}
        self.is_away: Callable[[], bool] = _never  # whether the API server does not answer now
        self.unreadable: list[str] = []  # what is wrong with journals besides these

    def runs(
        self, *, left_out: Callable[[RefusedError], object] | None = None
    ) -> Sequence[RunRecord]:
        self._answer()
        for error in map(RefusedError, self.unreadable):
            if left_out is None:
                raise error
            left_out(error)
        return tuple(self.run(one) for one in self._entries)

    def run(self, run: str) -> RunRecord:
        self._answer()
        if run not in self._entries:
            raise BadInputError(f"there is no run {run}")
        return RunRecord(run=run, entries=tuple(self._entries[run]))

    def append(self, run: str, entry: Entry) -> None:
        self._answer()
        entries = self._entries.setdefault(run, [])
        if entries[-1:] != [entry]:
            entries.append(entry)

    def save_plan(self, run: str, plan: bytes) -> None:
        if self._plans.setdefault(run, plan) != plan:
            raise RefusedError(f"run {run} has another plan already")

    def plan(self, run: str) -> bytes | None:
        self._answer()
        return self._plans.get(run)

    def _answer(self) -> None:
        if self.is_away():
            raise TransientError("the API server does not answer")


class FakeNamespaceState:
    """What a cluster's inventories say of some namespaces; waiting brings the next one."""

    def __init__(self, cluster: "FakeCluster", names: Collection[str]) -> None:
        self._cluster = cluster
        self._names = names
        self._now = cluster.read()

    @property
    def workloads(self) -> Mapping[WorkloadRef, Workload]:
        return {one.ref: one for one in self._now.workloads if one.ref.namespace in self._names}

    @property
    def pods(self) -> Sequence[Pod]:
        return [one for one in self._now.pods if one.namespace in self._names]

    def wait(self, timeout: timedelta) -> None:
        self._now = self._cluster.read()


class FakeCluster:
    """Every look sees the next of the inventories given, and in the end the last one for ever."""

    def __init__(self, *looks: Inventory | UpgradeError) -> None:
        self.reads = 0
        self.warnings: dict[WorkloadRef, Sequence[str]] = {}
        self._looks = looks

    def read(self) -> Inventory:
        look = self._looks[min(self.reads, len(self._looks) - 1)]
        self.reads += 1
        if isinstance(look, UpgradeError):
            raise look
        return look

    def control_planes(self) -> Sequence[ControlPlane]:
        return self.read().control_planes

    def namespace(self, name: str) -> Namespace:
        found = self.read().namespace(name)
        if found is None:
            raise RefusedError(f"there is no namespace {name}")
        return found

    @contextmanager
    def watching(self, namespaces: Collection[str]) -> Generator[FakeNamespaceState]:
        yield FakeNamespaceState(self, namespaces)

    def events(self, workload: WorkloadRef) -> Sequence[str]:
        return self.warnings.get(workload, ())


class FakeMesh:
    """
    A cluster that does what is asked of it: restarted workloads have new pods at once.

    Pods get the proxy that their namespace's labels ask for. What is watched falls behind by as many
    waits as `lag` says.
    """

    def __init__(self, clock: FakeClock, start: Inventory) -> None:
        self.now = start
        self.lag = 0
        self.unready: dict[WorkloadRef, int] = {}  # so many of their new pods are never ready
        self.stuck: set[WorkloadRef] = set()  # they keep the pods that they have
        self.outside: set[WorkloadRef] = set()  # no injector takes their pods
        self.refused: set[str] = set()  # namespaces that may not be changed
        self.unreachable: set[WorkloadRef] = set()  # no answer when they are to be restarted
        self.warnings: dict[WorkloadRef, Sequence[str]] = {}
        self.restarts: list[tuple[WorkloadRef, str]] = []
        self.clock = clock
        self._made = 0

    # what the `Cluster` port asks for

    def read(self) -> Inventory:
        return self.now

    def control_planes(self) -> Sequence[ControlPlane]:
        return self.now.control_planes

    def namespace(self, name: str) -> Namespace:
        found = self.now.namespace(name)
        if found is None:
            raise RefusedError(f"there is no namespace {name}")
        return found

    @contextmanager
    def watching(self, namespaces: Collection[str]) -> Generator["FakePicture"]:
        yield FakePicture(self, namespaces)

    def events(self, workload: WorkloadRef) -> Sequence[str]:
        return self.warnings.get(workload, ())

    # what happens in it

    def workload(self, of: WorkloadRef) -> Workload:
        return next(one for one in self.now.workloads if one.ref == of)

    def pods(self, of: WorkloadRef) -> list[Pod]:
        return [one for one in self.now.pods if one.workload == of]

    def revisions(self, of: WorkloadRef) -> set[str | None]:
        return {one.revision for one in self.pods(of)}

    def change(self, of: WorkloadRef, **changes: object) -> None:
        """Let fields of a workload have other values."""
        self.now = msgspec.structs.replace(
            self.now,
            workloads=tuple(
                msgspec.structs.replace(one, **changes) if one.ref == of else one
                for one in self.now.workloads
            ),
        )

    def relabel(self, name: str, labels: Mapping[str, str | None]) -> None:
        """Set labels of a namespace; None removes one."""
        old = self.namespace(name)
        said = {key: value for key, value in {**old.labels, **labels}.items() if value is not None}
        new = msgspec.structs.replace(old, labels=said)
        self.now = msgspec.structs.replace(
            self.now, namespaces=tuple(new if one is old else one for one in self.now.namespaces)
        )

    def injects(self, namespace: str, of: WorkloadRef | None = None) -> str | None:
        """Return whose proxy a pod made now would get."""
        if of in self.outside:
            return None
        return self.now.effective_revision(self.namespace(namespace))

    def restart(self, of: WorkloadRef) -> None:
        """Give a workload the pods that it would have, were it made now."""
        generation = self.workload(of).generation + 1
        self.change(of, generation=generation, observed_generation=generation)
        if of in self.stuck:
            self.change(of, is_stalled=True, failure="it timed out progressing")
            return
        wanted, unready = self.workload(of).replicas, self.unready.get(of, 0)
        made = tuple(
            Pod(
                namespace=of.namespace,
                name=f"{of.name}-{self._next()}",
                uid=f"uid-{self._made}",
                revision=self.injects(of.namespace, of),
                workload=of,
                is_ready=number >= unready,
            )
            for number in range(wanted)
        )
        kept = tuple(one for one in self.now.pods if one.workload != of)
        self.now = msgspec.structs.replace(self.now, pods=(*kept, *made))
        is_stalled = unready == wanted
        failure = "it timed out progressing" if is_stalled else None
        self.change(of, ready=wanted - unready, is_stalled=is_stalled, failure=failure)

    def _next(self) -> int:
        self._made += 1
        return 100 + self._made


class FakePicture:
    """What somebody sees who watches namespaces of a `FakeMesh`; waiting takes its time."""

    def __init__(self, mesh: FakeMesh, names: Collection[str]) -> None:
        self._mesh = mesh
        self._names = names
        self._seen = mesh.now
        self._coming: list[Inventory] = []

    @property
    def workloads(self) -> Mapping[WorkloadRef, Workload]:
        return {one.ref: one for one in self._seen.workloads if one.ref.namespace in self._names}

    @property
    def pods(self) -> Sequence[Pod]:
        return [one for one in self._seen.pods if one.namespace in self._names]

    def wait(self, timeout: timedelta) -> None:
        self._mesh.clock.sleep(timeout)
        self._coming.append(self._mesh.now)
        if len(self._coming) > self._mesh.lag:
            self._seen = self._coming.pop(0)


class FakeChanges:
    """Changes of a `FakeMesh`."""

    def __init__(self, mesh: FakeMesh) -> None:
        self._mesh = mesh

    def label_namespace(
        self, name: str, *, labels: Mapping[str, str | None], annotations: Mapping[str, str | None]
    ) -> None:
        self._refuse(name)
        self._mesh.relabel(name, labels)

    def restart(self, workload: WorkloadRef, *, at: str) -> int:
        self._refuse(workload.namespace)
        if workload in self._mesh.unreachable:
            raise TransientError("no answer")
        if (workload, at) not in self._mesh.restarts:
            self._mesh.restarts.append((workload, at))
            self._mesh.restart(workload)
        return self._mesh.workload(workload).generation

    def delete_pod(self, pod: Pod) -> None:
        raise AssertionError("nobody was to delete a pod")

    def _refuse(self, namespace: str) -> None:
        if namespace in self._mesh.refused:
            raise RefusedError(f"a policy forbids changes in {namespace}")


class FakeAdmission:
    """Answers for the injectors of a `FakeMesh`."""

    def __init__(self, mesh: FakeMesh) -> None:
        self._mesh = mesh
        self.refuses: dict[WorkloadRef, str] = {}

    def injected_by(
        self,
        namespace: str,
        *,
        template_of: WorkloadRef | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> str | None:
        if template_of in self.refuses:
            raise RefusedError(self.refuses[template_of])
        return self._mesh.injects(namespace, template_of)

    def validates(self, namespace: str) -> None:
        return None


class FakeConnections:
    """Istiods of a `FakeMesh`: each knows the ready pods of its revision, except those cut off."""

    def __init__(self, mesh: FakeMesh) -> None:
        self.cut_off: set[WorkloadRef] = set()
        self._mesh = mesh

    def proxies(self, istiod: IstiodPod) -> tuple[Proxy, ...]:
        return tuple(
            proxy(one, istiod)
            for one in self._mesh.now.pods
            if one.revision == istiod.revision and one.is_ready and one.workload not in self.cut_off
        )


class FakeIstiods:
    """Istiods that name the proxies connected to them, by the istiod's name; none unless said."""

    def __init__(
        self, connected: Mapping[str, Sequence[str]] | None = None, *, mute: Collection[str] = ()
    ) -> None:
        self.connected = dict(connected or {})
        self.mute = set(mute)  # those that do not answer

    def proxies(self, istiod: IstiodPod) -> tuple[Proxy, ...]:
        if istiod.name in self.mute:
            raise TransientError("no answer in 5 s")
        return tuple(proxy(name, istiod) for name in self.connected.get(istiod.name, ()))


class FakeVotes:
    """Rows by flow run, each key once."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, Row]] = {}

    def rows(self, flow_run: str) -> Sequence[Row]:
        return tuple(self._rows.get(flow_run, {}).values())

    def cast(self, flow_run: str, row: Row) -> None:
        if self.first(flow_run, row) != row:
            raise RefusedError(f"there is another row under {row.key}")

    def first(self, flow_run: str, row: Row) -> Row:
        return self._rows.setdefault(flow_run, {}).setdefault(row.key, row)


class FakeFlowRuns:
    """Flow runs and deployments, of which only states change."""

    def __init__(self, *deployments: str) -> None:
        self.deployments = deployments
        self.known: dict[str, FlowRunInfo] = {}
        self.parameters: dict[str, Mapping[str, object]] = {}
        self.resumes = 0  # how often somebody tried

    def add(self, flow_run: str, state: str = "RUNNING", *, deployment: str | None = None) -> None:
        self.known[flow_run] = FlowRunInfo(
            id=flow_run,
            name=f"name-of-{flow_run}",
            state_type=state,
            state_name=state.capitalize(),
            state_message="",
            deployment_id=deployment,
        )

    def turn(self, flow_run: str, state: str) -> None:
        """Bring a flow run into a state."""
        self.known[flow_run] = msgspec.structs.replace(
            self.flow_run(flow_run), state_type=state, state_name=state.capitalize()
        )

    def state(self, flow_run: str) -> str:
        return self.flow_run(flow_run).state_type

    def knows(self, flow_run: str) -> bool:
        return flow_run in self.known

    def flow_run(self, flow_run: str) -> FlowRunInfo:
        if flow_run not in self.known:
            raise BadInputError(f"there is no flow run {flow_run}")
        return self.known[flow_run]

    def resume(self, flow_run: str) -> bool:
        self.resumes += 1
        if self.state(flow_run) != "PAUSED":
            return False
        self.turn(flow_run, "SCHEDULED")
        return True

    def reschedule(self, flow_run: str) -> None:
        self.turn(flow_run, "SCHEDULED")

    def has_deployment(self, name: str) -> bool:
        return name in self.deployments

    def start(self, deployment: str, parameters: Mapping[str, object]) -> str:
        made = f"flow-run-{len(self.known) + 1}"
        self.add(made, "SCHEDULED", deployment=deployment)
        self.parameters[made] = parameters
        return made


class _Unexpected:
    """Stands for a port that a test does not expect to be used."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> object:
        raise AssertionError(f"nobody was to ask for {self._name}.{name}")


def _unexpected(name: str) -> Any:  # noqa: ANN401 - it stands for any port
    return cast("Any", _Unexpected(name))


def services(
    *,
    cluster: FakeCluster | FakeMesh | None = None,
    admission: FakeAdmission | None = None,
    changes: FakeChanges | None = None,
    istiods: FakeIstiods | FakeConnections | None = None,
    records: FakeRecords | None = None,
    votes: FakeVotes | None = None,
    flow_runs: FakeFlowRuns | None = None,
    leases: FakeLeases | None = None,
    clock: FakeClock | None = None,
    api: str = "",
) -> wiring.Services:
    """Put services together; a port that is not here fails the test that uses it."""
    clock = clock or FakeClock()
    leases = leases or FakeLeases(clock)
    return wiring.Services(
        cluster=cluster or _unexpected("cluster"),
        admission=admission or _unexpected("admission"),
        changes=changes or _unexpected("changes"),
        webhooks=_unexpected("webhooks"),
        access=_unexpected("access"),
        records=records or FakeRecords(),
        leases=leases,
        keeper=LeaseKeeper(leases, process=ME, clock=clock),
        istiods=istiods or FakeIstiods(),
        istioctl=_unexpected("istioctl"),
        votes=lambda: votes or _unexpected("votes"),
        flow_runs=lambda: flow_runs or _unexpected("flow_runs"),
        clock=clock,
        process=ME,
        api=api,
        signing_key=lambda _reference: KEY,
    )


@contextmanager
def working(chosen: wiring.Services, run: str = RUN) -> Generator[wiring.Services]:
    """Work for a run, with its Lease, until the block is over."""
    with wiring.using(chosen):
        chosen.keeper.hold(run, may_take=lambda _holding: False)
        wiring.work_for(run)
        try:
            yield chosen
        finally:
            chosen.keeper.park()
