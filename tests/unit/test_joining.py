"""Taking a run up: what another process has ended meanwhile stays ended."""

from typing import Final

import msgspec
import pytest

from tasks import wiring
from tasks.domain.errors import RefusedError
from tasks.domain.journal import (
    Attempted,
    Finished,
    Installed,
    Labelled,
    Outcome,
    Planned,
    RunRecord,
    Settled,
    Started,
    Uninstalling,
)
from tasks.domain.parameters import UpgradeParameters
from tasks.joining import begin, go_on_with, take_for_rollback
from tests.builders import DIGEST, NEW, NOW, OLD, REQUESTER, RUN, inventory, namespace, plane
from tests.fakes import FakeCluster, FakeRecords, services
from tests.unit.plan_cases import asked, plan

ENABLED: Final = {"istio-injection": "enabled"}


def record(*entries: object, parameters: UpgradeParameters | None = None) -> RunRecord:
    started = Started(
        at=NOW,
        parameters=(parameters or asked()).fingerprint(),
        target="1.29.1",
        revision=NEW,
        old=OLD,
        requester=REQUESTER,
    )
    made = RunRecord(run=RUN, entries=(started, Planned(at=NOW, digest=DIGEST)))
    return msgspec.structs.replace(made, entries=(*made.entries, *entries))


DONE: Final = (
    Uninstalling(at=NOW, revision=OLD, done=True),
    Finished(at=NOW, outcome=Outcome.DONE, text="it is done"),
)


def test_a_run_that_was_finished_meanwhile_keeps_its_end() -> None:
    seen, records = record(), FakeRecords(record(*DONE))
    with wiring.using(services(records=records)) as chosen:
        with pytest.raises(RefusedError, match="has just been finished"):
            go_on_with(seen)

        assert records.run(RUN).finished == DONE[1]
        assert not wiring.is_working()
        held = chosen.leases.holding()
        assert held is not None
        assert held.run == ""


def test_a_rollback_that_an_uninstall_has_overtaken_writes_nothing() -> None:
    seen, records = record(), FakeRecords(record(*DONE))
    with wiring.using(services(records=records, cluster=FakeCluster(inventory()))) as chosen:
        with pytest.raises(RefusedError, match="no way back"):
            take_for_rollback(seen)

        assert records.run(RUN).finished == DONE[1]
        assert not wiring.is_working()
        held = chosen.leases.holding()
        assert held is not None
        assert held.run == ""


def test_a_rollback_to_a_control_plane_that_is_gone_writes_nothing() -> None:
    records = FakeRecords(record())
    gone = inventory(control_planes=(plane(NEW),))
    with wiring.using(services(records=records, cluster=FakeCluster(gone))):
        with pytest.raises(RefusedError, match="istiod Deployment is not there"):
            take_for_rollback(record())

        assert records.run(RUN).of(Attempted) == ()


def test_a_rollback_takes_the_run_when_its_old_control_plane_works() -> None:
    records = FakeRecords(record())
    with wiring.using(services(records=records, cluster=FakeCluster(inventory()))):
        take_for_rollback(record())

        assert records.run(RUN).attempt_is_rollback
        assert wiring.run() == RUN


def test_the_next_run_knows_what_an_earlier_one_moved_and_settled() -> None:
    earlier = record(
        Installed(at=NOW, revision=NEW, done=True),
        Labelled(at=NOW, namespace="settled", previous=ENABLED),
        Settled(at=NOW, namespace="settled"),
        Finished(at=NOW, outcome=Outcome.STOPPED, text="a bare pod uses the old one"),
    )
    records = FakeRecords(earlier)
    mesh = inventory(
        control_planes=(plane(OLD), plane(NEW)),
        namespaces=(namespace("settled", labels=ENABLED),),
    )
    with wiring.using(services(records=records, cluster=FakeCluster(mesh))):
        run = begin(plan(), asked())

    assert records.run(run).previous_labels == {"settled": ENABLED}
    assert [one.namespace for one in records.run(run).of(Settled)] == ["settled"]
