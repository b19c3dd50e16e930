"""Moving namespaces forth and back on a mesh in memory: what stops, what goes on, what is left."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import msgspec
import pytest

from tasks.approvals import sign_control
from tasks.domain.approval import Answer
from tasks.domain.ending import RunEndedError
from tasks.domain.errors import TransientError, UnhealthyError
from tasks.domain.inventory import Pod, Workload, WorkloadRef
from tasks.domain.journal import (
    Attempted,
    Entry,
    LeftAlone,
    LeftBehind,
    Outcome,
    Restarting,
    RollingBack,
    RunRecord,
    Settled,
    Started,
    Step,
    WaveFailed,
)
from tasks.domain.parameters import UpgradeParameters
from tasks.domain.plan import Batch, NamespaceMove, Plan, Wave, WorkloadMove
from tasks.journaling import note
from tasks.namespaces import migrate_namespace_batch, move_back, settle_labels
from tasks.proxies import await_arrival
from tasks.rollback import move_namespaces_back
from tasks.waves import roll_back_wave
from tests.builders import NEW, NOW, OLD, REQUESTER, RUN, inventory, namespace, pod, ref, workload
from tests.fakes import (
    FakeAdmission,
    FakeChanges,
    FakeClock,
    FakeConnections,
    FakeMesh,
    FakeRecords,
    FakeVotes,
    services,
    working,
)
from tests.unit.plan_cases import ENABLED, asked, cart_move, plan, space_move

CART: Final = ref("cart", "shop")
TILL: Final = ref("till", "shop")
BANK: Final = ref("safe", "bank")
DISABLED: Final = {"istio-injection": "disabled"}
ALL: Final = (CART, TILL, BANK)
ONE_AT_ONCE: Final = asked(
    limits={"workloads_at_once": 1}, timeouts={"rollout_seconds": 60, "proxies_seconds": 5}
)
STARTED: Final = Started(
    at=NOW, parameters="0", target="1.29.1", revision=NEW, old=OLD, requester=REQUESTER
)


class World:
    """A mesh of three workloads in two namespaces, a run that moves it, and its journal."""

    def __init__(self, *entries: Entry) -> None:
        self.clock = FakeClock()
        self.records = FakeRecords(RunRecord(run=RUN, entries=(STARTED, *entries)))
        self.mesh = FakeMesh(
            self.clock,
            inventory(
                namespaces=(namespace("shop"), namespace("bank")),
                workloads=tuple(_workload(one) for one in ALL),
                pods=tuple(_pod(one, number) for one in ALL for number in (1, 2)),
            ),
        )
        self.admission = FakeAdmission(self.mesh)
        self.istiods = FakeConnections(self.mesh)
        self.votes = FakeVotes()

    @contextmanager
    def working(self) -> Generator[None]:
        """Work for the run."""
        chosen = services(
            cluster=self.mesh,
            admission=self.admission,
            changes=FakeChanges(self.mesh),
            istiods=self.istiods,
            records=self.records,
            votes=self.votes,
            clock=self.clock,
        )
        with working(chosen):
            yield

    def label(self, name: str, labels: Mapping[str, str]) -> None:
        """Have somebody else say something of a namespace."""
        spaces = tuple(
            msgspec.structs.replace(one, labels=dict(labels)) if one.name == name else one
            for one in self.mesh.now.namespaces
        )
        self.mesh.now = msgspec.structs.replace(self.mesh.now, namespaces=spaces)

    def move(self, parameters: UpgradeParameters = ONE_AT_ONCE) -> list[str]:
        with self.working():
            left = migrate_namespace_batch.fn(BATCH, PLAN, parameters)
            await_arrival(["shop", "bank"], NEW, parameters)
        return left

    def undo(self) -> None:
        """Take the whole run back, as `rollback` does."""
        with self.working():
            if self.record.last(RollingBack) is None:
                note(RollingBack(at=self.clock.now(), requester=REQUESTER))
            move_namespaces_back.fn(PLAN, ONE_AT_ONCE)

    def take_wave_back(self) -> None:
        with self.working():
            note(WaveFailed(at=self.clock.now(), wave=1, why="it failed"))
            roll_back_wave.fn(WAVE, PLAN, ONE_AT_ONCE)

    def says(self, name: str) -> dict[str, str]:
        return dict(self.mesh.namespace(name).labels)

    def revisions(self) -> list[set[str | None]]:
        return [self.mesh.revisions(one) for one in ALL]

    @property
    def record(self) -> RunRecord:
        return self.records.run(RUN)

    @property
    def steps(self) -> list[str]:
        return [one.text for one in self.record.of(Step)]


def _workload(one: WorkloadRef) -> Workload:
    return workload(one.name, one.namespace)


def _pod(one: WorkloadRef, number: int) -> Pod:
    return pod(f"{one.name}-{number}", one.namespace)


def _move(name: str, *refs: WorkloadRef) -> NamespaceMove:
    moves: list[WorkloadMove] = [cart_move(ref=one) for one in refs]
    return space_move(name, *moves)


BATCH: Final = Batch(number=1, wave=1, namespaces=(_move("shop", CART, TILL), _move("bank", BANK)))
WAVE: Final = Wave(number=1, batches=(BATCH,))
PLAN: Final[Plan] = plan(waves=(WAVE,))


def make_ill(world: World, of: WorkloadRef, *, is_ready: tuple[bool, ...]) -> None:
    """Let a workload have pods of the old revision that are ready, or not."""
    made = tuple(
        pod(f"{of.name}-{number}", of.namespace, is_ready=one)
        for number, one in enumerate(is_ready)
    )
    kept = tuple(one for one in world.mesh.now.pods if one.workload != of)
    world.mesh.now = msgspec.structs.replace(world.mesh.now, pods=(*kept, *made))
    world.mesh.change(of, replicas=len(made), ready=sum(is_ready))


def test_a_batch_moves_and_is_taken_back() -> None:
    world = World()

    assert world.move() == []
    assert world.revisions() == [{NEW}, {NEW}, {NEW}]
    assert "shop: 2 workloads are on 1-29-1" in world.steps

    world.undo()
    assert world.revisions() == [{OLD}, {OLD}, {OLD}]
    assert world.says("shop") == world.says("bank") == ENABLED


# ---------------------------------------------------------------- what fails


def test_on_the_way_there_the_first_workload_that_fails_stops_all() -> None:
    world = World()
    world.mesh.unready[CART] = 2

    with pytest.raises(UnhealthyError, match="shop/Deployment/cart did not roll out"):
        world.move()

    assert world.revisions() == [{NEW}, {OLD}, {OLD}]


def test_on_the_way_back_everything_else_goes_back_first_and_all_that_failed_is_named() -> None:
    world = World()
    world.move()
    world.mesh.unready = {CART: 2, BANK: 1}

    with pytest.raises(UnhealthyError) as raised:
        world.undo()

    assert "shop/Deployment/cart did not roll out" in str(raised.value)
    assert "bank/Deployment/safe did not roll out within 60 s: 1 of 2 ready" in str(raised.value)
    assert world.revisions() == [{OLD}, {OLD}, {OLD}]


def test_a_namespace_that_cannot_be_relabelled_keeps_no_other_from_going_back() -> None:
    world = World()
    world.move()
    world.mesh.refused = {"shop"}

    with pytest.raises(UnhealthyError, match=r"^namespace shop: a policy forbids changes in shop$"):
        world.undo()

    assert world.revisions() == [{NEW}, {NEW}, {OLD}]
    world.mesh.refused = set()
    world.undo()
    assert world.revisions() == [{OLD}, {OLD}, {OLD}]


def test_a_dry_run_that_is_refused_keeps_no_other_from_going_back() -> None:
    world = World()
    world.move()
    world.admission.refuses[CART] = "exceeded quota"

    with pytest.raises(UnhealthyError, match=r"shop/Deployment/cart: a dry-run .* exceeded quota"):
        world.undo()

    assert world.revisions() == [{NEW}, {OLD}, {OLD}]


def test_what_may_heal_is_told_as_such_once_all_others_are_back() -> None:
    world = World()
    world.move()
    world.mesh.unready[TILL] = 2
    world.mesh.unreachable = {CART}

    with pytest.raises(TransientError, match=r"cart: no answer; .*till did not roll out"):
        world.undo()

    assert world.revisions() == [{NEW}, {OLD}, {OLD}]


# ---------------------------------------------------------------- old pictures


def test_a_workload_that_was_stalled_before_its_restart_is_judged_by_what_came_of_it() -> None:
    world = World()
    world.mesh.lag = 2
    world.mesh.change(CART, is_stalled=True, failure="an earlier rollout timed out")

    world.move()

    assert world.revisions() == [{NEW}, {NEW}, {NEW}]


def test_a_failed_wave_goes_back_though_its_workload_is_still_called_stalled() -> None:
    world = World()
    world.mesh.unready[CART] = 2
    with pytest.raises(UnhealthyError):
        world.move()
    world.mesh.unready, world.mesh.lag = {}, 2
    assert world.mesh.workload(CART).is_stalled

    world.take_wave_back()

    assert world.revisions() == [{OLD}, {OLD}, {OLD}]


# ---------------------------------------------------------------- what was ill before


def test_a_pod_that_was_pending_before_fails_neither_its_wave_nor_the_way_back() -> None:
    world = World()
    make_ill(world, CART, is_ready=(True, True, False))
    world.mesh.unready[CART] = 1

    assert world.move() == []
    world.undo()

    assert world.revisions() == [{OLD}, {OLD}, {OLD}]


def test_what_was_ill_before_and_does_not_move_is_left_behind_and_told() -> None:
    world = World()
    make_ill(world, CART, is_ready=(True, True, False))
    world.mesh.stuck.add(CART)

    (left,) = world.move()

    assert left in world.steps
    assert left.startswith(
        "shop/Deployment/cart was not healthy before and is left behind: 3 of 3 pods still on"
    )
    assert "shop: 1 workloads are on 1-29-1" in world.steps
    assert [one.wave for one in world.record.of(LeftBehind)] == [1]
    assert world.revisions() == [{OLD}, {NEW}, {NEW}]
    world.undo()
    assert world.revisions() == [{OLD}, {OLD}, {OLD}]
    assert world.record.left_behind == {}


def test_what_is_left_behind_is_written_down_once_however_often_its_batch_is_tried() -> None:
    world = World()
    make_ill(world, CART, is_ready=(True, False))
    world.mesh.stuck.add(CART)

    assert world.move() == world.move()

    assert len(world.record.of(LeftBehind)) == 1
    assert sum("is left behind" in one for one in world.steps) == 1


def test_what_was_ill_before_and_serves_less_afterwards_has_failed() -> None:
    world = World()
    make_ill(world, CART, is_ready=(True, True, False))
    world.mesh.unready[CART] = 3

    with pytest.raises(UnhealthyError, match="shop/Deployment/cart did not roll out"):
        world.move()


def test_a_pod_that_is_ready_and_out_of_sync_fails_though_its_workload_was_ill_before() -> None:
    world = World()
    make_ill(world, CART, is_ready=(True, True, False))
    world.mesh.unready[CART] = 1
    world.istiods.cut_off.add(CART)

    with pytest.raises(UnhealthyError, match="is connected to no istiod of revision 1-29-1"):
        world.move()


def test_a_pending_pod_that_the_run_never_touched_does_not_fail_the_way_back() -> None:
    world = World()
    with world.working():
        moved = Batch(number=1, wave=1, namespaces=(_move("bank", BANK),))
        migrate_namespace_batch.fn(moved, PLAN, ONE_AT_ONCE)
    make_ill(world, CART, is_ready=(True, False))

    world.undo()

    assert world.revisions() == [{OLD}, {OLD}, {OLD}]
    assert [one for one, _ in world.mesh.restarts] == [BANK, BANK]


# ---------------------------------------------------------------- aborting


def test_an_abort_is_obeyed_within_seconds_while_workloads_roll() -> None:
    attempted = Attempted(at=NOW, flow_run="f-1", flow="upgrade")
    world = World(attempted)
    world.mesh.lag = 10_000  # nothing is ever seen to be settled

    def abort() -> None:
        if world.clock.waited == timedelta(seconds=7):
            row = sign_control(RUN, Answer.ABORT, asked(requester=REQUESTER), reason="stop")
            world.votes.cast("f-1", row)

    world.clock.meanwhile = abort
    with pytest.raises(RunEndedError, match="aborted by kubernetes:ann: stop") as ended:
        world.move()

    assert ended.value.outcome is Outcome.ABORTED
    assert world.clock.waited <= timedelta(seconds=15)
    assert world.revisions() == [{NEW}, {OLD}, {OLD}]
    world.mesh.lag, world.clock.meanwhile = 0, lambda: None
    world.undo()
    assert world.revisions() == [{OLD}, {OLD}, {OLD}]


# ---------------------------------------------------------------- marks


def test_a_restart_is_marked_by_its_own_time_and_not_by_the_plans() -> None:
    world = World()
    world.clock.sleep(timedelta(days=3))  # a gate was open
    world.move()

    begun = {one.workload: one.at.isoformat() for one in world.record.of(Restarting)}
    assert dict(world.mesh.restarts) == begun
    assert world.record.of(Restarting)[0].at >= NOW + timedelta(days=3)


def test_a_batch_that_is_tried_again_restarts_nothing_twice() -> None:
    world = World()
    world.mesh.unready[CART] = 1
    for _ in range(2):
        with pytest.raises(UnhealthyError):
            world.move()

    assert [one for one, _ in world.mesh.restarts] == [CART]


def test_the_way_back_has_marks_of_its_own() -> None:
    world = World()
    world.move()
    world.clock.sleep(timedelta(hours=1))
    world.undo()

    marks = [mark for one, mark in world.mesh.restarts if one == CART]
    assert len(set(marks)) == 2
    assert world.record.ready_before[CART] == 2


# ---------------------------------------------------------------- injectors that skip


def bare(world: World, of: WorkloadRef) -> None:
    """Let no pod of a workload have a sidecar, nor get one."""
    world.mesh.outside.add(of)
    world.mesh.now = msgspec.structs.replace(
        world.mesh.now,
        pods=tuple(
            msgspec.structs.replace(one, revision=None) if one.workload == of else one
            for one in world.mesh.now.pods
        ),
    )


def test_a_workload_that_no_injector_takes_is_left_as_it_is_and_told() -> None:
    world = World()
    bare(world, CART)

    assert world.move() == []

    assert world.revisions() == [{None}, {NEW}, {NEW}]
    assert "shop: 1 workloads are on 1-29-1" in world.steps
    assert any("cart has no sidecar and no injector gives it one" in one for one in world.steps)
    world.undo()
    assert world.revisions() == [{None}, {OLD}, {OLD}]


def test_a_workload_that_would_lose_its_sidecars_fails_and_its_namespace_is_as_before() -> None:
    world = World()
    world.mesh.outside.add(CART)

    with pytest.raises(UnhealthyError, match=r"cart: .* injected by nobody, not by 1-29-1"):
        world.move()

    assert world.says("shop") == ENABLED
    assert world.mesh.restarts == []


def test_a_workload_without_sidecars_whose_dry_run_is_refused_fails() -> None:
    world = World()
    bare(world, CART)
    world.admission.refuses[CART] = "exceeded quota"

    with pytest.raises(UnhealthyError, match="exceeded quota"):
        world.move()


def test_nothing_was_moved_so_nothing_goes_back() -> None:
    world = World()
    with world.working():
        move_back(["shop"], PLAN, ONE_AT_ONCE)
        await_arrival(["shop"], OLD, ONE_AT_ONCE)
    assert world.steps == []


def test_what_somebody_said_of_a_namespace_since_the_plan_is_not_overwritten() -> None:
    world = World()
    world.label("shop", DISABLED)

    assert world.move() == []

    assert world.says("shop") == DISABLED
    assert world.revisions() == [{OLD}, {OLD}, {NEW}]
    assert world.steps == [
        "shop: somebody changed its labels since the plan, so it is left as it is",
        "bank: 1 workloads are on 1-29-1",
    ]
    assert [(one.namespace, one.is_moved) for one in world.record.of(LeftAlone)] == [
        ("shop", False)
    ]
    world.undo()
    assert world.says("shop") == DISABLED


def test_the_way_back_says_whose_labels_it_undoes() -> None:
    world = World()
    world.move()
    world.label("shop", DISABLED)

    world.undo()

    assert world.says("shop") == ENABLED
    assert (
        "shop: somebody changed its labels to istio-injection=disabled meanwhile; "
        "they become what they were before the run"
    ) in world.steps


def test_labels_that_somebody_changed_are_counted_among_none_that_were_settled() -> None:
    world = World()
    world.label("shop", DISABLED)
    world.move()
    world.label("bank", DISABLED)

    with world.working():
        settle_labels.fn(PLAN)

    assert (world.says("shop"), world.says("bank")) == (DISABLED, DISABLED)
    assert world.steps[-1] == "0 namespaces are labelled as before, which now means 1-29-1"
    assert world.record.of(Settled) == ()
    assert [(one.namespace, one.is_moved) for one in world.record.of(LeftAlone)] == [
        ("shop", False),
        ("bank", True),
    ]
